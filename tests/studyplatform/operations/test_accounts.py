"""Whoever lost the app and the recovery codes is let in again; nobody else's second step goes."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command


@pytest.mark.django_db
def test_a_second_step_is_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("ada", "ben"):
        user = User.objects.create(username=name)
        for kind in ("totp", "recovery_codes"):
            Authenticator.objects.create(user=user, type=kind, data={})
    call_command("forget_second_step", "ada")
    assert "with the password alone" in capsys.readouterr().out
    left = Authenticator.objects.values_list("user__username", flat=True)
    assert list(left) == ["ben", "ben"]
    with pytest.raises(CommandError, match="already"):
        call_command("forget_second_step", "ada")
    with pytest.raises(CommandError, match="no account 'eve'"):
        call_command("forget_second_step", "eve")
