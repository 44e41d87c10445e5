"""Every sentence of ours that a participant can read is there in German, compiled, and fits."""

import ast
import gettext
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils.translation import get_language
from django.utils.translation.template import templatize

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "locale" / "de" / "LC_MESSAGES" / "django.po"
TEMPLATES = [
    *(ROOT / "templates" / "participation").glob("*.html"),
    *(ROOT / "templates").glob("*.html"),
]
MODULES = list((ROOT / "studyplatform" / "participation").rglob("*.py"))
FUNCTIONS = {"_", "gettext", "gettext_lazy"}
_NAMES = re.compile(r"%\(\w+\)s|\{\w+\}|</?\w+|%%")


def entries(path: Path) -> dict[str, str]:
    """Return msgid -> msgstr of a catalogue, without its header; fuzzy ones count as missing."""
    found = {}
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        texts = {"msgid": "", "msgstr": ""}
        name = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if not line.startswith('"'):
                name, _, line = line.partition(" ")
            texts[name] += ast.literal_eval(line)
        if texts["msgid"] and "fuzzy" not in block:
            found[texts["msgid"]] = texts["msgstr"]
    return found


def asked_for(source: str) -> Iterator[str]:
    """Yield the texts that Python source asks the catalogue for."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in FUNCTIONS:
            yield ast.literal_eval(node.args[0])


def of_template(path: Path) -> Iterator[str]:
    """What Django hands to xgettext for a template is calls, with whatever stands between."""
    for call in re.findall(
        r"gettext\(.*?\)(?=\s|$)|_\('.*?'\)|_\(\".*?\"\)", templatize(path.read_text()), re.DOTALL
    ):
        yield from asked_for(call)


def every_text() -> set[str]:
    texts = {text for path in TEMPLATES for text in of_template(path)}
    return texts | {text for path in MODULES for text in asked_for(path.read_text())}


def test_the_search_finds_texts_of_both_kinds():
    found = every_text()
    assert {
        "Task {number} of {total}", "Supports the label:", "Example %(place)s", "Questions?",
        "Tick the box to take part, or choose the button for not taking part.",
    } <= found  # fmt: skip
    assert len(found) > 120


def test_every_text_is_translated_and_none_is_left_over():
    german = entries(CATALOGUE)
    found = every_text()
    assert sorted(found - set(german)) == []
    assert sorted(set(german) - found) == []
    assert [text for text, translation in german.items() if not translation] == []


def test_a_translation_holds_the_same_names_and_tags():
    for text, translation in entries(CATALOGUE).items():
        assert sorted(_NAMES.findall(text)) == sorted(_NAMES.findall(translation)), text


def test_what_is_compiled_is_what_is_written():
    """Compiled files are kept with the sources: a clone needs no gettext tools."""
    compiled = gettext.GNUTranslations(io.BytesIO(CATALOGUE.with_suffix(".mo").read_bytes()))
    for text, translation in entries(CATALOGUE).items():
        assert compiled.gettext(text) == translation


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "language", "words"),
    [
        ("/s/none/", "de", "Unter dieser Adresse gibt es nichts"),
        ("/s/none/", "en", "There is nothing at this address"),
        ("/s/none/", "fr", "There is nothing at this address"),
        ("/none/", "de", "There is nothing at this address"),
        ("/accounts/login/", "de", "Sign in"),
    ],
)
def test_only_participants_pages_follow_the_browser(
    client: Client, address: str, language: str, words: str
):
    reply = client.get(address, headers={"accept-language": language})
    page = reply.content.decode()
    assert words in page
    spoken = "de" if "Unter dieser" in words else "en"
    assert f'<html lang="{spoken}">' in page
    assert reply["Content-Language"] == spoken
    assert get_language() == "en"  # whatever runs next in this thread
