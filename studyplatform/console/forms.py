"""Forms of the console."""

from django import forms

from studyplatform.participation.models import Session
from studyplatform.studies.models import Membership


class SourceForm(forms.Form):
    """Whose data an export or a report is about."""

    source = forms.ChoiceField(choices=Session.Source.choices)


class RoleForm(forms.Form):
    """What somebody is in a team."""

    role = forms.ChoiceField(
        choices=Membership.Role.choices,
        initial=Membership.Role.RESEARCHER,
        error_messages={
            "required": "Choose a role.",
            "invalid_choice": "There is no role %(value)s; choose one of the list.",
        },
    )


class MemberForm(RoleForm):
    """Who comes into a team, by the name of the account, and as what."""

    name = forms.CharField(
        max_length=150, strip=False, error_messages={"required": "Give the name of the account."}
    )
