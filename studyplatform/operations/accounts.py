"""Accounts of researchers and coders: made by whoever runs the installation."""

import secrets

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db import transaction

from studyplatform.studies.models import Membership
from studyplatform.studies.services import team_get_or_create


@transaction.atomic
def member_add(*, name: str, team: str, role: str) -> str:
    """Give a person a role in a team, making the person and the team where they are new.

    Returns the password of a new account, and "" for a person who has one already.
    """
    user, new = User.objects.get_or_create(username=name)
    password = ""
    if new:
        password = secrets.token_urlsafe(12)
        user.set_password(password)
        user.save()
    Membership.objects.update_or_create(
        team=team_get_or_create(name=team), user=user, defaults={"role": role}
    )
    return password


@transaction.atomic
def second_step_forget(*, name: str) -> bool:
    """Let a person sign in with the password alone; False where there was no second step.

    Raises User.DoesNotExist for a name that no account has.
    """
    user = User.objects.get(username=name)
    forgotten, _ = Authenticator.objects.filter(user=user).delete()
    return forgotten > 0
