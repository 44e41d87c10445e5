"""YAML as a spec needs it: mappings, lists, texts, numbers, truth values. Nothing that surprises.

No anchors (a few lines of them can stand for gigabytes), no dates, no tags, no key twice (the
second would silently win), no characters that a database cannot hold.
"""

import math
from collections.abc import Iterator
from typing import Any

import yaml

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 20


class PlainYamlError(ValueError):
    """What is wrong with the text, where, in one sentence."""


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise PlainYamlError(f"{_place(event)}: anchors (& and *) are not used here")
        if getattr(event, "tag", None):
            raise PlainYamlError(f"{_place(event)}: tags (such as {event.tag}) are not used here")
        self.depth = getattr(self, "depth", 0) + 1
        if self.depth > MAX_DEPTH:
            raise PlainYamlError(f"{_place(event)}: nested more than {MAX_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise PlainYamlError(f"{_place(key)}: a key is a word, no list or mapping")
            if key.value in seen:
                raise PlainYamlError(f"{_place(key)}: the key {key.value!r} comes a second time")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


# Texts that look like dates stay texts.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and one text as often as it comes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_node)


def load(text: str) -> Any:
    """Return the data in this text; PlainYamlError says what is wrong where."""
    if len(text) > MAX_CHARACTERS:
        raise PlainYamlError(f"the file has over {MAX_CHARACTERS:,} characters; that is no spec")
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise PlainYamlError(
            f"{_place(error)}: this is no YAML: {getattr(error, 'problem', error)}"
        ) from error
    except ValueError as error:
        if isinstance(error, PlainYamlError):
            raise
        # Python reads no integer of thousands of digits.
        raise PlainYamlError(f"a number cannot be read: {error}") from error
    for path, fault in _faults(data, ""):
        raise PlainYamlError(f"{path}: {fault}")
    return data


def compose(text: str) -> yaml.Node | None:
    """Return the text's nodes, which know their lines; None where it is no plain YAML."""
    try:
        return _Loader(text).get_single_node()
    except (yaml.YAMLError, PlainYamlError):
        return None


def dump(data: Any) -> str:
    """Return data as YAML that people like to read: texts of several lines as blocks."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _place(thing: Any) -> str:
    mark = getattr(thing, "problem_mark", None) or getattr(thing, "start_mark", None)
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the file"


def _faults(data: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _faults(key, path)
            yield from _faults(value, f"{path}.{key}".lstrip("."))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _faults(value, f"{path}.{index}")
    elif isinstance(data, str):
        if "\0" in data or any("\ud800" <= character <= "\udfff" for character in data):
            yield path, "holds a character that is none (NUL, or half of a surrogate pair)"
    elif isinstance(data, float) and not math.isfinite(data):
        yield path, f"is {data}; expected a finite number"
