"""Forms of the pages on which a study is designed."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django import forms
from django.utils.functional import cached_property

import studyplatform.studies
from studyplatform.stimuli.models import ImageSet, TrainedClassifier
from studyplatform.studies.models import Study, Team
from studyplatform.studies.services import as_kept
from studyplatform.studies.spec import plain_yaml

Material = ImageSet | TrainedClassifier
PRESETS = Path(studyplatform.studies.__file__).parent / "presets"
_TOO_LONG = f"The text has over {plain_yaml.MAX_CHARACTERS:,} characters; that is no spec."

_NONE_SUCH = {"invalid_choice": "There is no %(value)s; choose one of the list."}


class DesignForm(forms.Form):
    """A spec as it is typed, and what it is looked at with."""

    text = forms.CharField(
        strip=False,
        max_length=plain_yaml.MAX_CHARACTERS,
        error_messages={
            "required": "The text is empty; expected the spec as YAML.",
            "max_length": _TOO_LONG,
            "null_characters_not_allowed": "The text holds a NUL character; take it out.",
        },
    )
    began_with = forms.CharField(required=False, max_length=64)
    over = forms.CharField(required=False, max_length=64)
    redo = forms.CharField(required=False, max_length=3)
    action = forms.CharField(required=False, max_length=10)
    shown = forms.CharField(required=False, max_length=100)
    fee = forms.CharField(required=False, max_length=20)

    def clean_text(self) -> str:
        return as_kept(self.cleaned_data["text"])


class NewStudyForm(forms.Form):
    """What a new study begins with, and what is its own."""

    PRESET, FILE, STUDY = "preset", "file", "study"

    begin = forms.ChoiceField(
        choices=[(PRESET, "A preset"), (FILE, "A file"), (STUDY, "Another study")],
        error_messages={"required": "Choose what the study begins with."},
    )
    preset = forms.ChoiceField(required=False, error_messages=_NONE_SUCH)
    file = forms.FileField(required=False)
    study = forms.ModelChoiceField(
        Study.objects.none(),
        to_field_name="slug",
        required=False,
        error_messages={"invalid_choice": "Choose one of the studies."},
    )
    team = forms.ModelChoiceField(
        Team.objects.none(),
        error_messages={
            "required": "Choose the team the study belongs to.",
            "invalid_choice": "Choose one of your teams.",
        },
    )
    slug = forms.RegexField(
        r"^[a-z0-9]+(-[a-z0-9]+)*$",
        max_length=50,
        error_messages={
            "required": "Give the study an address.",
            "invalid": "Use small letters, digits and single hyphens, such as cats-and-horses.",
        },
    )
    title = forms.CharField(required=False, max_length=200)
    images = forms.ChoiceField(required=False, error_messages=_NONE_SUCH)
    classifier = forms.ChoiceField(required=False, error_messages=_NONE_SUCH)

    def __init__(
        self,
        *args: Any,
        teams: Sequence[Team],
        studies: Any,
        image_sets: Iterable[ImageSet],
        classifiers: Iterable[TrainedClassifier],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.teams = teams
        self._materials: dict[str, list[Material]] = {
            "images": list(image_sets),
            "classifier": list(classifiers),
        }
        self.fields["team"].queryset = Team.objects.filter(pk__in=[team.pk for team in teams])  # type: ignore[attr-defined]
        self.fields["study"].queryset = studies  # type: ignore[attr-defined]
        self.fields["preset"].choices = preset_choices()  # type: ignore[attr-defined]
        for name, found in self._materials.items():
            self.fields[name].choices = [("", "as in the text"), *_names(found)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        begin = cleaned.get("begin")
        asked = {
            self.FILE: "Choose the file.",
            self.STUDY: "Choose the study.",
            self.PRESET: "Choose the preset.",
        }
        if begin in asked and not cleaned.get(begin) and begin not in self.errors:
            self.add_error(begin, asked[begin])
        for name, found in self._materials.items():
            if not _may_use(cleaned.get("team"), cleaned.get(name, ""), found):
                self.add_error(name, f"The team {cleaned['team']} has no {cleaned[name]!r}.")
        return cleaned

    def clean_file(self) -> str:
        """Return the file's text."""
        upload = self.cleaned_data.get("file")
        if upload is None:
            return ""
        if upload.size > 4 * plain_yaml.MAX_CHARACTERS:
            raise forms.ValidationError(_TOO_LONG)
        try:
            return as_kept(upload.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise forms.ValidationError(f"{upload.name} is no UTF-8 text; expected YAML.") from None

    @cached_property
    def text(self) -> str:
        """The text to begin with, of a form that is valid; that of a study is its own to give."""
        if self.cleaned_data["begin"] == self.FILE:
            return str(self.cleaned_data["file"])
        return (PRESETS / self.cleaned_data["preset"]).read_text(encoding="utf-8")


def preset_choices() -> list[tuple[str, str]]:
    """Return file and first words of every preset."""
    choices = []
    for path in sorted(PRESETS.glob("*.yaml")):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0].lstrip("# ")
        about = first.split(", ")[0].split(". ")[0]
        choices.append((path.name, f"{path.stem}: {about}"))
    return choices


def _names(found: list[Material]) -> list[tuple[str, str]]:
    named: dict[str, str] = {}
    for one in found:
        named.setdefault(one.name, f"{one.name} ({one.team.name if one.team else 'shared'})")
    return list(named.items())


def _may_use(team: Team | None, name: str, found: list[Material]) -> bool:
    if not (team and name):
        return True
    return any(one.name == name and one.team_id in {None, team.pk} for one in found)
