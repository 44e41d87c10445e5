"""Accounts of researchers and coders: made by whoever runs the installation."""

import secrets

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
