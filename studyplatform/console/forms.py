"""Forms of the console."""

from django import forms

from studyplatform.participation.models import Session


class SourceForm(forms.Form):
    """Whose data an export or a report is about."""

    source = forms.ChoiceField(choices=Session.Source.choices)
