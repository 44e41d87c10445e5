"""A translation has every text of the study, and no other; each fault names its path."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml

from studyplatform.studies.spec import Spec, SpecError, from_data

from ..participation.study import spec_data
from ..participation.translated import MARK, in_german_too, translation_of


def problems(data: dict[str, Any]) -> list[str]:
    with pytest.raises(SpecError) as caught:
        from_data(data)
    return caught.value.problems


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    data = deepcopy(in_german_too())
    change(data["translations"]["de"])
    return data


def test_a_translation_changes_texts_and_nothing_else():
    own = from_data(in_german_too())
    german = own.in_language("de")
    assert (own.languages, german.language) == (["en", "de"], "de")
    assert german.questions[3].options[0].label == MARK + "Extremely unconfident"
    assert german.instructions[2].figures[1].caption.startswith(MARK)
    assert german.screening.items[0].prompt.startswith(MARK)
    assert german.exits.full.message.startswith(MARK)
    assert german.label_name("cat") == "Katze"
    assert own.in_language("fr") is own
    assert own.in_language("") is own

    def without_marks(data: Any) -> Any:
        if isinstance(data, dict):
            return {key: without_marks(value) for key, value in data.items()}
        if isinstance(data, list):
            return [without_marks(value) for value in data]
        return data.removeprefix(MARK) if isinstance(data, str) else data

    left, right = own.model_dump(mode="json"), without_marks(german.model_dump(mode="json"))
    differing = {key for key in left if left[key] != right[key]}
    # (The translation itself goes along, its marks taken out here.)
    assert differing == {"language", "label_names", "translations"}


def test_a_translated_spec_survives_storage_and_has_a_hash_of_its_own():
    spec = from_data(in_german_too())
    assert Spec.model_validate(spec.model_dump(mode="json")) == spec
    plain = from_data(spec_data())
    assert "translations" not in plain.model_dump(mode="json")
    assert spec.sha256() != plain.sha256()
    assert yaml.safe_load(yaml.safe_dump(in_german_too())) == in_german_too()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda de: de.pop("title"), "translations.de.title: missing; expected here"),
        (lambda de: de.update(subtitle="x"), "translations.de.subtitle: unknown key; check its"),
        (
            lambda de: de["questions"].pop("confidence"),
            "translations.de.questions.confidence.prompt: missing; expected the translation of "
            "'How confident are you in this prediction?'",
        ),
        (
            lambda de: de["questions"]["confidence"]["options"].pop("slightly_confident"),
            "translations.de.questions.confidence.options.slightly_confident: missing; expected",
        ),
        (
            lambda de: de["questions"]["confidence"]["options"].update(very="Sehr"),
            "translations.de.questions.confidence.options.very: the study has no such text",
        ),
        (
            lambda de: de["questions"]["sensitive"].pop("help"),
            "translations.de.questions.sensitive.help: missing; expected the translation of 'A few",
        ),
        (
            lambda de: de["questions"]["prediction"].update(help="Hilfe"),
            "translations.de.questions.prediction.help: the study has no text there; take it out",
        ),
        (
            lambda de: de["instructions"].pop(),
            "translations.de.instructions.6.title: missing; expected the translation of 'Your bon",
        ),
        (
            lambda de: de["instructions"][2]["captions"].append("mehr"),
            "translations.de.instructions.2.captions.2: the study has no such text; check the pl",
        ),
        (
            lambda de: de["consent"]["statements"].pop(0),
            "translations.de.consent.statements.2: missing; expected the translation of 'I take",
        ),
        (
            lambda de: de["screening"].pop("outcome_a"),
            "translations.de.screening.outcome_a.prompt: missing; expected the translation of",
        ),
        (lambda de: de["exits"].pop("full"), "translations.de.exits.full: missing; expected here"),
        (
            lambda de: de.update(information=de["information"].replace("{maximum}", "15 £")),
            "translations.de.information: {maximum} is not both here and in the study's own text",
        ),
        (
            lambda de: de["instructions"][0].update(body=de["instructions"][0]["body"] + "{n}"),
            "translations.de.instructions.0.body: {n} is not both here and in the study's own",
        ),
        (
            lambda de: de["label_names"].pop("cat"),
            "translations.de.label_names.cat: missing; expected the translation of 'cat'",
        ),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(change: Callable[..., object], expected: str):
    found = problems(changed(change))
    assert any(problem.startswith(expected) for problem in found), found
    assert not any("\n" in problem for problem in found)


def test_keys_of_options_are_not_translated():
    """Answers are stored by them: a study in two languages has one set of data."""
    data = in_german_too()
    options = data["translations"]["de"]["questions"]["confidence"]["options"]
    options["etwas_sicher"] = options.pop("slightly_confident")
    found = problems(data)
    assert len(found) == 2
    assert from_data(in_german_too()).in_language("de").questions[3].options[2].value == (
        "slightly_confident"
    )


def test_languages_are_known_ones_and_others_than_the_studys_own():
    data = in_german_too()
    data["translations"]["tlh"] = data["translations"]["de"]
    assert problems(data)[0].startswith("translations.tlh: Input should be 'en', 'de'")
    own = spec_data()
    assert problems({**own, "translations": {"en": translation_of(own)}}) == [
        "translations.en: 'en' is the study's own language; expected another"
    ]
