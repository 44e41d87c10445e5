"""Texts of the spec: Markdown without HTML, placeholders that cannot break out."""

from decimal import Decimal

import pytest
from django.utils import translation

from studyplatform.participation import texts
from studyplatform.studies.spec import from_data

from .study import LABELS, spec_data


def test_placeholders_come_from_the_spec() -> None:
    values = texts.placeholders(from_data(spec_data()), LABELS)

    assert values == {
        "labels": "boat, car, cat, dog, horse, person, tree",
        "n_labels": "7",
        "n_tasks": "4",
        "base": "£8.00",
        "bonus": "£0.50",
        "bonus_steps": "",
        "maximum": "£10.00",
        "minutes": "30",
        "examples_per_task": "12",
    }


def test_markdown_is_rendered_with_placeholders_filled() -> None:
    html = texts.markdown("Pay: **{base}**, for {n_tasks} tasks", {"base": "£8.00", "n_tasks": "4"})
    assert html == "<p>Pay: <strong>£8.00</strong>, for 4 tasks</p>\n"


def test_unknown_braces_stay_as_they_are() -> None:
    assert texts.filled("{label} {unknown} {} {0}", {"label": "cat"}) == "cat {unknown} {} {0}"
    assert texts.filled("{label.__class__}", {"label": "cat"}) == "{label.__class__}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        ("*x*", "*x*"),
        ("[x](http://example.org)", "[x](http://example.org)"),
        ("a_b_c", "a_b_c"),
        ("{base}", "{base}"),
    ],
)
def test_what_fills_a_placeholder_is_text(value: str, shown: str) -> None:
    assert texts.markdown_line("{label}", {"label": value, "base": "no"}) == shown


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](https://example.org/x.png)"],
)
def test_raw_html_scripts_and_images_are_not_let_through(text: str) -> None:
    html = texts.markdown(text, {})
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html


def test_money() -> None:
    assert texts.money(Decimal("8"), "GBP") == "£8.00"
    assert texts.money(Decimal("0.5"), "USD") == "$0.50"
    with translation.override("de"):
        assert texts.money(Decimal("1008.5"), "EUR") == "1008,50\u00a0€"


def test_steps_of_the_bonus_are_told_with_their_sums() -> None:
    data = spec_data()
    data["information"] += " {bonus_steps}"
    data["pay"] = {
        "base": 4, "bonus_from": [{"correct": 3, "bonus": 1.5}, {"correct": 4, "bonus": 3}]
    }  # fmt: skip
    spec = from_data(data)
    values = texts.placeholders(spec, LABELS)
    assert values["bonus_steps"] == (
        "£1.50 for 3 or more right predictions, £3.00 for 4 or more right predictions"
    )
    assert values["maximum"] == "£7.00"
    with translation.override("de"):
        assert texts.placeholders(spec, LABELS)["bonus_steps"] == (
            "1,50\u00a0£ ab 3 richtigen Vorhersagen, 3,00\u00a0£ ab 4 richtigen Vorhersagen"
        )
