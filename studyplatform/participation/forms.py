"""Forms made from the spec's questions."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from studyplatform.studies import when
from studyplatform.studies.spec import Question, ScreeningItem

from . import texts


class TextField(forms.CharField):
    """Free text. Line breaks are kept, as \\n whatever the browser sent."""

    def to_python(self, value: object) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n")


class QuestionForm(forms.Form):
    """The questions of one page, in one condition.

    `values` fill the placeholders in prompts. `answers` is what gets stored.
    """

    prefix = "q"

    def __init__(
        self,
        questions: Sequence[Question],
        *,
        levels: Mapping[str, str],
        values: Mapping[str, str],
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data)
        self.questions = {question.key: question for question in questions}
        for question in questions:
            field = _field(question, levels, values)
            field.kind = question.type
            self.fields[question.key] = field

    @property
    def answers(self) -> dict[str, Any]:
        """Question key -> answer: text, yes or no, 1..n, an option's value, a list of those."""
        return {
            key: _stored(question, self.cleaned_data[key])
            for key, question in self.questions.items()
        }


class ConsentForm(forms.Form):
    """One tick for all statements."""

    prefix = "q"
    consent = forms.BooleanField(
        error_messages={
            "required": gettext_lazy(
                "Tick the box to take part, or choose the button for not taking part."
            )
        }
    )

    @property
    def answers(self) -> dict[str, str]:
        return {"consent": "yes"}


def screening_question(item: ScreeningItem) -> Question:
    """Return the yes/no question that a screening item asks."""
    return Question(key=item.key, type="prediction", prompt=item.prompt)


def _field(question: Question, levels: Mapping[str, str], values: Mapping[str, str]) -> Any:
    common: dict[str, Any] = {
        "label": texts.filled(question.prompt, values),
        "help_text": texts.filled(question.help, values),
        "required": question.required,
        "label_suffix": "",
    }
    if question.type == "text":
        return TextField(
            **common,
            max_length=question.max_length,
            widget=forms.Textarea(attrs={"rows": 2}),
            error_messages={"required": gettext("Please write something here.")},
        )
    required = {"required": gettext("Please choose an answer.")}
    if question.type == "prediction":
        return forms.ChoiceField(
            **common,
            choices=[("yes", gettext("Yes")), ("no", gettext("No"))],
            widget=forms.RadioSelect,
            error_messages=required,
        )
    choices = [
        (option.value, texts.filled(option.label, values))
        for option in question.options
        if when.holds(option.when, levels)
    ]
    if question.type == "choices":
        return forms.MultipleChoiceField(
            **common,
            choices=choices,
            widget=forms.CheckboxSelectMultiple,
            error_messages={"required": gettext("Please choose at least one.")},
        )
    return forms.ChoiceField(
        **common, choices=choices, widget=forms.RadioSelect, error_messages=required
    )


def _stored(question: Question, value: Any) -> Any:
    if question.type == "likert":
        places = [option.value for option in question.options]
        return places.index(value) + 1 if value else None
    if question.type in {"prediction", "choice"}:
        return value or None
    return value
