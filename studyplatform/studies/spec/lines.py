"""Where in a spec's text a fault lies, and how one value in it is changed.

Faults name paths (`tasks.new_images.cat: ...`); the YAML's nodes know on which lines those are.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from . import plain_yaml

_STATED = re.compile(r"line (\d+), column \d+: ")
_BRACED = re.compile(r"\{[a-z_]+\}")
# What may follow a path in a sentence: its colon, the next step, a word.
_ENDS = ("", ":", ".", " ")


@dataclass(frozen=True)
class Located:
    """A fault's sentence, its line (from 1; None: about no line) and what stands there."""

    sentence: str
    line: int | None = None
    excerpt: str = ""


def located(text: str, sentences: Iterable[str]) -> list[Located]:
    """Return the sentences with their lines in `text`, in the order of the lines.

    A path that is not there (`title: missing`) has the line of the part that should hold it.
    """
    root = plain_yaml.compose(text)
    lines = text.split("\n")
    found = []
    for sentence in sentences:
        line = _line_of(root, lines, sentence)
        excerpt = lines[line - 1].strip() if line and line <= len(lines) else ""
        found.append(Located(sentence, line, excerpt))
    return sorted(found, key=lambda one: one.line or 0)


def with_value(text: str, path: tuple[str, ...], value: str) -> str:
    """Return the text with another value at a path of mappings; all else stays as written.

    A key of the top that is missing is put first. A path that is missing deeper down, or whose
    value is no single word or sentence, leaves the text as it is: its own faults say so.
    """
    root = plain_yaml.compose(text)
    written = json.dumps(value, ensure_ascii=False) if _needs_quotes(value) else value
    node: yaml.Node | None = root
    for step in path:
        node = _child(node, step)
    if isinstance(node, yaml.ScalarNode):
        start, end = node.start_mark.index, node.end_mark.index
        # After `key:` without a value a space is wanting; a block of text ends with its line break.
        head = " " if start == end else ""
        tail = "\n" if text[start:end].endswith("\n") else ""
        return text[:start] + head + written + tail + text[end:]
    is_open = isinstance(root, yaml.MappingNode) and not root.flow_style
    if node is None and len(path) == 1 and is_open:
        return f"{path[0]}: {written}\n{text}"
    return text


def _needs_quotes(value: str) -> bool:
    return not re.fullmatch(r"[A-Za-z][A-Za-z0-9 -]*[A-Za-z0-9]", value) or (
        yaml.safe_load(value) != value
    )


def _line_of(root: yaml.Node | None, lines: list[str], sentence: str) -> int | None:
    if stated := _STATED.match(sentence):
        return int(stated[1])
    if root is None:
        return None
    where, node = _deepest(root, sentence)
    if where is None:
        # `title: missing; expected here` lacks all over the file; other sentences name no path.
        return 1 if re.match(r"[a-z_]+: missing", sentence) else None
    first = where.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode) and (braced := _BRACED.search(sentence)):
        # The line of a long text on which the name in braces stands.
        within = range(node.start_mark.line, min(node.end_mark.line + 1, len(lines)))
        first = next((at + 1 for at in within if braced[0] in lines[at]), first)
    return first


def _deepest(node: yaml.Node, path: str) -> tuple[yaml.Node | None, yaml.Node]:
    """Walk along the path at the head of a sentence as far as there are nodes.

    Returns the node whose line is meant (a key; an entry of a list) and the value there.
    """
    where = None
    rest = path
    while step := _step(node, rest):
        where, node, rest = step
    return where, node


def _step(node: yaml.Node, rest: str) -> tuple[yaml.Node, yaml.Node, str] | None:
    """Return key, value and what remains of the path; None where it leads to no node.

    Keys may hold dots and spaces (labels do), so the longest key that fits is the one meant.
    """
    fitting: list[tuple[int, yaml.Node, yaml.Node]] = []
    for name, key, value in _children(node):
        if rest.startswith(name) and rest[len(name) :][:1] in _ENDS:
            fitting.append((len(name), key, value))
    if not fitting:
        return None
    length, key, value = max(fitting, key=lambda one: one[0])
    remains = rest[length:]
    return key, value, remains[1:] if remains.startswith(".") else ""


def _children(node: yaml.Node) -> list[tuple[str, yaml.Node, yaml.Node]]:
    """Return name, key and value of everything right under a node.

    Entries of a list go by their index, and by their `key` or `code` where they have one.
    """
    if isinstance(node, yaml.MappingNode):
        return [(key.value, key, value) for key, value in node.value]
    if not isinstance(node, yaml.SequenceNode):
        return []
    named = [(str(index), entry, entry) for index, entry in enumerate(node.value)]
    for entry in node.value:
        name = _child(entry, "key") or _child(entry, "code")
        if isinstance(name, yaml.ScalarNode):
            named.append((name.value, entry, entry))
    return named


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)
