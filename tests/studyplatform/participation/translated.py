"""A translation made by machine: every text of the preset with a mark before it."""

from typing import Any

from studyplatform.studies.spec import from_data
from studyplatform.studies.spec.translation import original

from .study import spec_data

MARK = "Übersetzt: "
NAMES = {"cat": "Katze", "horse": "Pferd", "car": "Auto", "boat": "Boot"}


def translation_of(data: dict[str, Any]) -> dict[str, Any]:
    """Return the texts of this spec as a translation, each marked; label names are German."""
    texts = _marked(original(from_data(data)).model_dump(mode="json"))
    return {**texts, "label_names": NAMES} if "label_names" in data else texts


def in_german_too(**changes: Any) -> dict[str, Any]:
    """Return the preset with four tasks, its labels named, and a marked German translation."""
    data = spec_data(label_names={label: label for label in NAMES}, **changes)
    return {**data, "translations": {"de": translation_of(data)}}


def _marked(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _marked(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_marked(value) for value in data]
    return MARK + data if data else data
