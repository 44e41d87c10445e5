"""Faults are put at the line they are about, and single values change where they stand."""

import pytest

from studyplatform.studies.spec import SpecError, load, plain_yaml
from studyplatform.studies.spec.lines import located, with_value

from ..factories import PRESET

TEXT = PRESET.read_text()
LINES = TEXT.split("\n")


def line_with(part: str) -> int:
    return next(at for at, line in enumerate(LINES, 1) if part in line)


def faults(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(SpecError) as caught:
        load(text)
    return [(one.line, one.sentence) for one in located(text, caught.value.problems)]


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("split: train ", "split: test ", "split: test"),
        ("target_per_condition: 16", "target_per_condition: -1", "target_per_condition: -1"),
        ("  examples: {TP: 6, ", "  examples: {TP: 7, ", "tasks:"),
        ("    cat: {TP: 2, FP: 2", "    cat: {TP: -2, FP: 2", "cat: {TP: -2"),
        ("    when: scores == shown\n", "    when: score == shown\n", "when: score =="),
        ("boat, outcome: FN, scores: true, caption: \"There is a boat, but", "cat, outcome: FN, "
         "scores: true, caption: \"There is a boat, but", "label: cat, outcome: FN"),
        ("  lrp:\n    method: lrp\n", "  lrpp:\n    method: lrp\n", "  lrpp:"),
        ("  - key: learned\n    type: text\n", "  - key: learned\n    type: choice\n",
         "- key: learned"),
        ("factor: heatmap}\n    - {key: H2", "factor: nothing}\n    - {key: H2", "{key: H1"),
        ("declined: {code: CDEMO02", "declined: {code: CD", "declined: {code: CD"),
        ("pay:\n  currency: GBP", "pay:\n  curency: GBP", "curency"),
    ],
)  # fmt: skip
def test_a_fault_is_at_its_line(old: str, new: str, part: str) -> None:
    assert TEXT.count(old) == 1
    text = TEXT.replace(old, new)
    found = faults(text)
    expected = next(at for at, line in enumerate(text.split("\n"), 1) if part in line)
    assert expected in [line for line, _ in found], found


def test_a_name_in_braces_is_found_inside_a_long_text() -> None:
    text = TEXT.replace("You receive **{base}** for", "You receive **{basis}** for", 1)
    [(line, sentence)] = faults(text)
    assert sentence.startswith("information: {basis}")
    assert text.split("\n")[(line or 0) - 1].strip().startswith("You receive **{basis}**")


def test_what_is_missing_is_at_the_part_that_should_hold_it() -> None:
    found = faults(TEXT.replace("    email: study-team@example.org\n", "", 1))
    assert found == [
        (line_with("- name: The study team"), "contacts.0.email: missing; expected here")
    ]
    [(line, sentence)] = faults(TEXT.replace("title: How does an image classifier decide?\n", ""))
    assert (line, sentence) == (1, "title: missing; expected here")


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: [1\nc: 2\n", 3), ("a: 1\nb: &x 2\n", 2), ("a: 1\nb: 2\na: 3\n", 3)],
)
def test_what_is_no_plain_yaml_is_at_its_line(text: str, line: int) -> None:
    assert [at for at, _ in faults(text)] == [line]


def test_sentences_about_no_line_have_none_and_come_first() -> None:
    found = located(TEXT, ["pay.base: too much", "There are 3 TP tasks for 'cat'.", "slug: taken"])
    assert [(one.line, one.excerpt) for one in found] == [
        (None, ""),
        (line_with("slug: demo"), "slug: demo"),
        (line_with("base: 8.00"), "base: 8.00"),
    ]


def test_labels_with_spaces_and_dots_are_steps_of_a_path() -> None:
    text = "tasks:\n  new_images:\n    dining: 1\n    dining table: {TP: 1}\n    no. 5: {TP: 1}\n"
    found = located(text, ["tasks.new_images.dining table.TP: x", "tasks.new_images.no. 5: x"])
    assert [one.line for one in found] == [4, 5]


def test_a_value_changes_where_it_stands_and_nothing_else_does() -> None:
    changed = with_value(TEXT, ("slug",), "my-study")
    changed = with_value(changed, ("title",), 'A "new" title: ours')
    changed = with_value(changed, ("stimuli", "images"), "voc")
    spec = load(changed)
    assert (spec.slug, spec.title, spec.stimuli.images) == (
        "my-study",
        'A "new" title: ours',
        "voc",
    )
    before = [line for line in LINES if not line.startswith(("slug:", "title:", "  images:"))]
    assert [line for line in changed.split("\n") if line in before] == before


@pytest.mark.parametrize("value", ["yes", "null", "1e5", "- a", "x: y", "é # no comment", "0x1"])
def test_values_stay_texts(value: str) -> None:
    for text in ("title: old  # why\n", "title:\n", "title: |\n  old\n", "other: 1\n"):
        assert plain_yaml.load(with_value(text, ("title",), value))["title"] == value


def test_a_path_that_is_not_there_leaves_the_text() -> None:
    for text in ("stimuli: 1\n", "- a\n", "a: [1\n", ""):
        assert with_value(text, ("stimuli", "images"), "x") == text


def test_data_are_written_so_that_people_can_read_them() -> None:
    data = plain_yaml.load(TEXT)
    text = plain_yaml.dump(data)
    assert plain_yaml.load(text) == data
    assert "information: |\n  ## What this study is about\n" in text
