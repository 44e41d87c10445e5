"""Score charts: true to scale, legible, said in words, allowed by the content policy."""

import re
from xml.etree import ElementTree

import pytest

from studyplatform.participation.charts import MAX_BARS, score_chart, shown
from studyplatform.stimuli.selectors import ScoreBar


def bar(label: str, score: float, threshold: float = 0.4, question: bool = False) -> ScoreBar:
    return ScoreBar(label, score, threshold, score > threshold, question)


def test_bars_and_threshold_lines_share_one_scale() -> None:
    svg = ElementTree.fromstring(score_chart([bar("cat", 0.5, 0.25, question=True)]))
    track, filled = svg.findall("rect")
    line = svg.find("line")
    assert line is not None
    width, left = float(track.get("width", 0)), float(track.get("x", 0))

    assert float(filled.get("width", 0)) == width * 0.5
    assert float(line.get("x1", 0)) == left + width * 0.25
    assert [text.text for text in svg.findall("text")] == ["cat", "0.25"]


def test_a_score_barely_above_its_threshold_is_seen_to_be_above() -> None:
    """The line is 2 wide with a white border of 1.5: the bar must show beyond both."""

    def beyond(score: float) -> float:
        svg = ElementTree.fromstring(score_chart([bar("cat", score, 0.4)]))
        track, filled = svg.findall("rect")
        return float(filled.get("width", 0)) - 0.4 * float(track.get("width", 0))

    assert beyond(0.401) > 2.5
    assert beyond(0.399) < 0
    assert beyond(0.9) == pytest.approx(0.5 * 112, abs=0.1)  # elsewhere to scale


def test_the_label_in_question_stands_out() -> None:
    chart = score_chart([bar("cat", 0.9, question=True), bar("dog", 0.9)])
    assert re.findall(r'font-weight="(\d+)">(\w+)<', chart) == [("700", "cat"), ("400", "dog")]


def test_a_chart_says_in_words_what_it_shows() -> None:
    chart = score_chart([bar("cat", 0.9, question=True), bar("dog", 0.4)])
    assert (
        'aria-label="Scores: cat 0.90, above its threshold 0.40; '
        'dog 0.40, not above its threshold 0.40"' in chart
    )


def test_many_labels_are_cut_to_the_highest_and_the_one_in_question() -> None:
    bars = [bar(f"l{i}", i / 20, question=i == 2) for i in range(20)]
    assert [each.label for each in shown(bars)] == ["l2", *(f"l{i}" for i in range(13, 20))]
    assert len(shown(bars)) == MAX_BARS
    assert shown(bars[:8]) == bars[:8]


def test_charts_carry_no_styles_and_no_markup_of_labels() -> None:
    chart = score_chart([bar('<b>"x"', 0.9)])
    assert "style" not in chart
    assert "<b>" not in chart
    assert ElementTree.fromstring(chart).findtext("text") == '<b>"x"'
