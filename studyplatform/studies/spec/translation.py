"""The texts of a study in another language.

A translation mirrors the spec, with texts alone: what is a list there (statements, pages, captions)
is a list here, and what has a key there (questions, options, screening items) has it here.
"""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .parts import Consent, Exits, Key, Part, Question, Text
from .placeholders import listed, placeholders_in

if TYPE_CHECKING:
    from .study import Spec


class PageTexts(Part):
    """A page of the instructions; `captions` are those of its figures, in their order."""

    title: Text
    body: Text
    captions: list[str] = []


class ItemTexts(Part):
    """A screening item and the caption of its figure."""

    prompt: Text
    caption: str = ""


class QuestionTexts(Part):
    """A question; `options` maps the value of an option to its label."""

    prompt: Text
    help: str = ""
    options: dict[str, Text] = {}


class ExitTexts(Part):
    completed: Text
    declined: Text
    screened_out: Text
    device: Text
    full: Text


class Translation(Part):
    """Every text of the study that participants read."""

    title: Text
    label_names: dict[str, Text] = {}
    eligibility: list[Text] = []
    information: Text
    consent: Consent
    instructions: list[PageTexts] = []
    screening: dict[Key, ItemTexts] = {}
    task_prompt: str = ""
    questions: dict[Key, QuestionTexts]
    afterwards: dict[Key, QuestionTexts] = {}
    exits: ExitTexts


def original(spec: "Spec") -> Translation:
    """Return the texts of the spec itself in the form of a translation."""
    return Translation.model_construct(
        title=spec.title,
        label_names=spec.label_names,
        eligibility=spec.eligibility,
        information=spec.information,
        consent=spec.consent,
        instructions=[
            PageTexts(
                title=page.title,
                body=page.body,
                captions=[figure.caption for figure in page.figures],
            )
            for page in spec.instructions
        ],
        screening={
            item.key: ItemTexts(prompt=item.prompt, caption=item.figure.caption)
            for item in spec.screening.items
        },
        task_prompt=spec.task_prompt,
        questions={question.key: _texts_of(question) for question in spec.questions},
        afterwards={question.key: _texts_of(question) for question in spec.afterwards},
        exits=ExitTexts(**{name: getattr(spec.exits, name).message for name in Exits.model_fields}),
    )


def translated(spec: "Spec", texts: Translation) -> "Spec":
    """Return the spec with these texts in place of its own; both fit (`translation_problems`)."""
    pages = [
        page.model_copy(
            update={
                "title": of.title,
                "body": of.body,
                "figures": [
                    figure.model_copy(update={"caption": caption})
                    for figure, caption in zip(page.figures, of.captions, strict=True)
                ],
            }
        )
        for page, of in zip(spec.instructions, texts.instructions, strict=True)
    ]
    items = []
    for item in spec.screening.items:
        of_item = texts.screening[item.key]
        figure = item.figure.model_copy(update={"caption": of_item.caption})
        items.append(item.model_copy(update={"prompt": of_item.prompt, "figure": figure}))
    exits = {
        name: getattr(spec.exits, name).model_copy(update={"message": getattr(texts.exits, name)})
        for name in Exits.model_fields
    }
    return spec.model_copy(
        update={
            "title": texts.title,
            "label_names": texts.label_names,
            "eligibility": texts.eligibility,
            "information": texts.information,
            "consent": texts.consent,
            "instructions": pages,
            "screening": spec.screening.model_copy(update={"items": items}),
            "task_prompt": texts.task_prompt,
            "questions": _asked(spec.questions, texts.questions),
            "afterwards": _asked(spec.afterwards, texts.afterwards),
            "exits": spec.exits.model_copy(update=exits),
        }
    )


def translation_problems(spec: "Spec") -> Iterator[str]:
    """Yield a sentence for each text that is missing, is none of the study's, or does not fit."""
    ours = dict(_flat(original(spec).model_dump()))
    for language, translation in spec.translations.items():
        at = f"translations.{language}"
        if language == spec.language:
            yield f"{at}: {language!r} is the study's own language; expected another"
            continue
        theirs = dict(_flat(translation.model_dump()))
        for path, text in ours.items():
            given = theirs.get(path, "")
            if not text and given:
                yield f"{at}.{path}: the study has no text there; take it out"
            elif text and not given:
                start = textwrap.shorten(text, 60, placeholder="...")
                yield f"{at}.{path}: missing; expected the translation of {start!r}"
            elif odd := placeholders_in(text) ^ placeholders_in(given):
                yield (
                    f"{at}.{path}: {listed(odd)} is not both here and in the study's own text; "
                    "expected the same names in braces"
                )
        for path in theirs:
            if path not in ours:
                yield f"{at}.{path}: the study has no such text; check the place, or take it out"


def _texts_of(question: Question) -> QuestionTexts:
    options = {option.value: option.label for option in question.options}
    return QuestionTexts(prompt=question.prompt, help=question.help, options=options)


def _asked(questions: Sequence[Question], texts: dict[Key, QuestionTexts]) -> list[Question]:
    asked = []
    for question in questions:
        of = texts[question.key]
        options = [
            option.model_copy(update={"label": of.options[option.value]})
            for option in question.options
        ]
        update = {"prompt": of.prompt, "help": of.help, "options": options}
        asked.append(question.model_copy(update=update))
    return asked


def _flat(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every text in nested mappings and lists."""
    if isinstance(data, str):
        yield path, data
        return
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in entries:
        yield from _flat(value, f"{path}.{key}".lstrip("."))
