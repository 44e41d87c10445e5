"""A participant's page as a picture of itself: to read and to print, with nothing that acts.

The page is taken as the participant gets it. What would send, lead away or catch the keyboard is
taken out; ids get a prefix, so that many pages fit into one document.
"""

from collections.abc import Collection
from dataclasses import dataclass
from html import escape, unescape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from django.utils.safestring import SafeString, mark_safe

Attributes = list[tuple[str, str | None]]

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})
_FIELDS = frozenset({"button", "input", "select", "textarea"})
# Landmarks of a page are none of a document that holds many.
_RENAMED = {"main": "div", "header": "div", "footer": "div", "section": "div", "form": "div"}
_ACTING = frozenset(
    {
        "action", "autocomplete", "autofocus", "enctype", "loading", "method", "novalidate",
        "tabindex", "target",
    }
)  # fmt: skip
_POINTING = frozenset({"aria-controls", "aria-describedby", "aria-labelledby", "for", "id"})


@dataclass(frozen=True)
class Inert:
    """What is left of a page, and what is said without being seen, in order.

    That is what its script would show, and what is there for screen readers alone.
    """

    html: SafeString
    spoken: tuple[str, ...]


def inert(page: str, *, prefix: str, keep: Collection[str]) -> Inert:
    """Return the parts of a whole page that are named in `keep`: skip, header, main, footer."""
    reader = _Reader(prefix, frozenset(keep))
    reader.feed(page)
    reader.close()
    return Inert(mark_safe("".join(reader.out)), tuple(reader.spoken))


class _Reader(HTMLParser):
    def __init__(self, prefix: str, keep: frozenset[str]) -> None:
        super().__init__(convert_charrefs=False)
        self.prefix, self.keep = prefix, keep
        self.out: list[str] = []
        self.spoken: list[str] = []
        self.open: list[str] = []
        self.inside = ""  # the element whose end ends the part that is kept
        self.depth = 0
        self.unseen = 0  # how deep inside an element for screen readers alone
        self.unseen_text = ""

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if not self.inside:
            if _part(tag, attrs) not in self.keep:
                return
            self.inside, self.depth = tag, 0
        self.depth += tag == self.inside
        if self.unseen or "hidden" in (dict(attrs).get("class") or "").split():
            self.unseen += tag not in _VOID
            return
        if tag == "input" and dict(attrs).get("type") == "hidden":
            return
        self.out.append(f"<{_RENAMED.get(tag, tag)}{self._attributes(tag, attrs)}>")

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        if self.inside and not self.unseen:
            self.out.append(f"<{tag}{self._attributes(tag, attrs)}/>")

    def handle_endtag(self, tag: str) -> None:
        if not self.inside or tag in _VOID:
            return
        if self.unseen:
            self.unseen -= 1
            if not self.unseen:
                self._say(" ".join(unescape(self.unseen_text).split()))
                self.unseen_text = ""
            return
        self.out.append(f"</{_RENAMED.get(tag, tag)}>")
        if tag == self.inside:
            self.depth -= 1
            if not self.depth:
                self.inside = ""

    def handle_data(self, data: str) -> None:
        self._text(data)

    def handle_entityref(self, name: str) -> None:
        self._text(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._text(f"&#{name};")

    def _text(self, text: str) -> None:
        if self.unseen:
            self.unseen_text += text
        elif self.inside:
            self.out.append(text)

    def _say(self, sentence: str) -> None:
        if sentence and sentence not in self.spoken:
            self.spoken.append(sentence)

    def _attributes(self, tag: str, attrs: Attributes) -> str:
        kept = "".join(
            f" {name}" if value is None else f' {name}="{escape(self._value(name, value))}"'
            for name, value in attrs
            if self._stays(tag, name, value or "")
        )
        if tag in _FIELDS:
            kept += " disabled"
        if tag == "details":
            kept += " open"
        if tag == "section" and any(name == "aria-label" for name, _ in attrs):
            kept += ' role="group"'
        return kept

    def _stays(self, tag: str, name: str, value: str) -> bool:
        if name.startswith("data-"):
            # Names of hooks are empty and measures are numbers: the rest is for people.
            if any(character.isalpha() for character in value):
                self._say(value)
            return False
        if name == "href":
            return tag == "a" and urlsplit(value).scheme == "mailto"
        return name not in _ACTING and not name.startswith("on")

    def _value(self, name: str, value: str) -> str:
        if name in _POINTING:
            return " ".join(f"{self.prefix}-{part}" for part in value.split())
        return value.replace("url(#", f"url(#{self.prefix}-")


def _part(tag: str, attrs: Attributes) -> str:
    if tag == "a":
        return "skip" if "skip" in (dict(attrs).get("class") or "").split() else ""
    return tag
