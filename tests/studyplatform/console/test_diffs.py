"""Diffs: what went, what came, and the numbers of the lines."""

from studyplatform.console.diffs import DiffLine, diff_lines

OLD = "".join(f"{i}\n" for i in range(1, 21))


def test_the_same_text_has_no_diff() -> None:
    assert diff_lines(OLD, OLD) == []


def test_a_changed_line_stands_among_its_neighbours() -> None:
    lines = diff_lines(OLD, OLD.replace("10\n", "ten\nand more\n"))
    assert [(line.kind, line.old, line.new, line.text) for line in lines] == [
        ("gap", None, None, ""),
        ("same", 7, 7, "7"),
        ("same", 8, 8, "8"),
        ("same", 9, 9, "9"),
        ("gone", 10, None, "10"),
        ("new", None, 10, "ten"),
        ("new", None, 11, "and more"),
        ("same", 11, 12, "11"),
        ("same", 12, 13, "12"),
        ("same", 13, 14, "13"),
        ("gap", None, None, ""),
    ]


def test_changes_at_the_ends_have_no_gap_beyond() -> None:
    lines = diff_lines("a\nb\n", "b\nc\n")
    assert lines == [
        DiffLine("gone", 1, None, "a"),
        DiffLine("same", 2, 1, "b"),
        DiffLine("new", None, 2, "c"),
    ]


def test_lines_that_come_often_are_lines_like_others() -> None:
    """Over 200 lines difflib would leave out what it takes for noise."""
    old = "- x\n" * 300
    lines = diff_lines(old, old + "- y\n")
    assert [line.text for line in lines if line.kind != "gap"] == ["- x", "- x", "- x", "- y"]
