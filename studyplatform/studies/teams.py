"""Everything that writes who belongs to a team, and as what.

A team always has an owner: the last one can neither be removed nor become something else.
"""

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from .models import Membership, Team

_OWNER = Membership.Role.OWNER


class TeamError(ValueError):
    """A person cannot be added, changed or removed; the message is one sentence that says why."""


def member_invite(*, team: Team, name: str, role: str) -> Membership:
    """Make an account for somebody new and give it a role; it opens once a password is set.

    Raises TeamError where the name cannot be one, or is taken.
    """
    user = User(username=name)
    user.set_unusable_password()
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise TeamError(
            f"{name!r} cannot be the name of an account: {' '.join(error.messages)}"
        ) from error
    try:
        with transaction.atomic():
            user.save()
            return Membership.objects.create(team=team, user=user, role=role)
    except IntegrityError as error:
        raise TeamError(
            f"There is an account {name!r} already: add it, or choose another name."
        ) from error


def member_add(*, team: Team, name: str, role: str) -> Membership:
    """Give somebody who has an account a role in the team.

    Raises TeamError where there is no such account, where nobody has opened it yet (whoever made
    it could still open it, and see what this team does), or where the person is a member already.
    """
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise TeamError(f"There is no open account {name!r}; names are compared letter by letter.")
    if not user.has_usable_password():
        raise TeamError(f"Nobody has opened the account {name!r} yet; add it once they have.")
    member, new = Membership.objects.get_or_create(team=team, user=user, defaults={"role": role})
    if not new:
        raise TeamError(f"{name!r} is in the team already, as {member.get_role_display().lower()}.")
    return member


@transaction.atomic
def member_change_role(*, member: Membership, role: str) -> Membership:
    """Give a member another role; TeamError where that would leave the team without an owner."""
    locked = _locked(member)
    if role != _OWNER:
        _require_another_owner(locked)
    locked.role = role
    locked.save(update_fields=["role"])
    return locked


@transaction.atomic
def member_remove(*, member: Membership) -> None:
    """Take a person out of the team; TeamError for the last owner.

    An account that nobody has opened goes with its place: only this team knows of it.
    """
    locked = _locked(member)
    _require_another_owner(locked)
    user = locked.user
    locked.delete()
    if not user.has_usable_password():
        user.delete()


def _locked(member: Membership) -> Membership:
    """Return the member as it is now, with the team locked: owners change one after another."""
    Team.objects.select_for_update().get(pk=member.team_id)
    try:
        return Membership.objects.select_related("user").get(pk=member.pk)
    except Membership.DoesNotExist as error:
        raise TeamError("This person is no longer in the team.") from error


def _require_another_owner(member: Membership) -> None:
    owners = Membership.objects.filter(team=member.team_id, role=_OWNER)
    if member.role == _OWNER and not owners.exclude(pk=member.pk).exists():
        raise TeamError(
            f"{member.user.username!r} is the only owner of the team; make somebody else an owner "
            "first."
        )
