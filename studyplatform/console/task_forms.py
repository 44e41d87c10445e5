"""Forms of the page where tasks are chosen by hand."""

from django import forms

from studyplatform.stimuli.services.linting import LONGEST_REASON

_NUMBER = "Give the threshold as a number between 0 and 1, such as 0.42."


class LabelForm(forms.Form):
    """Which label is meant."""

    label = forms.CharField(max_length=80, error_messages={"required": "Choose a label."})


class ThresholdForm(LabelForm):
    """A label's threshold, set by hand."""

    threshold = forms.FloatField(error_messages={"required": _NUMBER, "invalid": _NUMBER})


class SwapForm(forms.Form):
    """Which image comes in which place of a task (0: its new image), instead of which."""

    place = forms.IntegerField(min_value=0)
    image = forms.IntegerField(error_messages={"required": "Choose an image to take its place."})
    instead_of = forms.IntegerField()
    keep_examples = forms.BooleanField(required=False)


class ReasonForm(forms.Form):
    """Why a warning may stay."""

    digest = forms.CharField(max_length=64)
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        error_messages={"required": "Say in a sentence why the warning may stay."},
    )
