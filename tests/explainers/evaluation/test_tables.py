"""Tables of known numbers: marks, arrows, counts, layouts."""

import re

import numpy as np
import pytest

from explainers.evaluation import sheet
from explainers.evaluation.judging import Maps
from explainers.evaluation.outputs import write_all
from explainers.evaluation.run import Failure
from explainers.evaluation.statistics import Results
from explainers.evaluation.tables import latex, markdown, table_000, table_002, table_004
from explainers.metrics import Reason

LOWER = Reason.BASE_NOT_LOWER
NONE_SHARED = Reason.EMPTY_INTERSECTION


def rows(text):
    """The table's cells by row label, without intervals."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[re.sub(r" \[.*?\]", "", cell).strip() for cell in line] for line in lines]
    return cells[0], {line[0]: line[1:] for line in cells[2:]}


def test_the_layout_of_000(made):
    """Constant values, so that intervals are their mean; second best underlined."""
    values = {
        "h2o": {"iauc": [0.4, 0.4], "dauc": [0.8, 0.8]},
        "fem": {"iauc": [0.5, 0.5], "dauc": [0.9, 0.9]},
        "rise": {"iauc": [0.6, 0.6], "dauc": [0.9, 0.9]},
    }
    found = table_000(made(values, metrics=["iauc", "dauc"]).results)
    text = markdown(found)
    assert text.splitlines()[:6] == [
        "**Faithfulness by metric and method, 2 images**",
        "",
        "|  | h2o | fem | rise | n |",
        "|---|---|---|---|---|",
        "| IAUC ↓ | **0.400** [0.400, 0.400] | <u>0.500</u> [0.500, 0.500] "
        "| 0.600 [0.600, 0.600] | 2 |",
        "| DAUC ↑ | <u>0.800</u> [0.800, 0.800] | **0.900** [0.900, 0.900] "
        "| **0.900** [0.900, 0.900] | 2 |",
    ]
    assert "No value was undefined." in text


def test_latex_has_the_same_cells(made):
    values = {"a_b": {"iauc": [0.4, 0.4]}, "fem": {"iauc": [0.5, 0.5]}}
    text = latex(table_000(made(values, metrics=["iauc"]).results))
    assert r" & a\_b & fem & n \\" in text
    assert (
        r"IAUC $\downarrow$ & \textbf{0.400} {\scriptsize [0.400, 0.400]} & "
        r"\underline{0.500} {\scriptsize [0.500, 0.500]} & 2 \\" in text
    )
    assert r"95 \% bootstrap" in text
    assert text.count(r"\begin{tabular}{lrrr}") == text.count(r"\end{table}") == 1
    assert r"\par\footnotesize No value was undefined." in text


def test_what_is_undefined_is_said_below_the_table(made):
    values = {
        "one": {"ds": [0.5, Reason.CONSTANT_MAP, 0.5]},
        "two": {"ds": [0.25, 0.75, 0.25]},
    }
    text = markdown(table_000(made(values, metrics=["ds"]).results))
    _, found = rows(text)
    assert found["DS ↑"] == ["**0.500**", "<u>0.250</u>", "2"]  # not two's 0.417 over all three
    assert "Left out as undefined. Constant map: DS: one 1 image." in text


def test_a_method_on_fewer_images_gives_a_second_table(made):
    values = {
        "h2o": {"iauc": [0.1]},
        "fem": {"iauc": [0.2, 0.6]},
        "rise": {"iauc": [0.3, 0.3]},
    }
    first, second = table_000(made(values, metrics=["iauc"], limits={"h2o": 1}).results)
    head, found = rows(markdown([first]))
    assert head == ["", "h2o", "fem", "rise", "n"]
    assert found["IAUC ↓"] == ["**0.100**", "<u>0.200</u>", "0.300", "1"]
    head, found = rows(markdown([second]))
    assert head == ["", "fem", "rise", "n"]
    assert found["IAUC ↓"] == ["<u>0.400</u>", "**0.300**", "2"]


def test_the_layout_of_002(made):
    values = {
        "rise": {"ca-deletion": [0.1046, 0.1046]},
        "mc-rise": {"ca-deletion": [0.0980, 0.0980]},
        "mc-rise-in-random-colours": {"ca-deletion": [0.2, 0.2]},
    }
    kinds = {"mc-rise-in-random-colours": "colours"}
    results = made(values, metrics=["ca-deletion"], kinds=kinds).results
    head, found = rows(markdown(table_002(results)))
    assert head == ["", *values, "n"]
    assert found == {"CA-deletion ↓": ["<u>0.1046</u>", "**0.0980**", "0.2000", "2"]}
    assert table_000(results) == []
    assert table_004(results) == []


SETTINGS = ("gaussian 0.05", "zeros 0.05", "gaussian 0.25", "zeros 0.25")


def gains(scg, ccg):
    """The same values under every setting."""
    return {
        (name, setting): values
        for name, values in (("scg", scg), ("ccg", ccg))
        for setting in SETTINGS
    }


def test_the_layout_of_004(made):
    """Times 100; shares of pixels from large to small; agreements below, bold by the best."""
    values = {
        "occ": gains([0.25, 0.25, LOWER], [1.0, 1.0, LOWER]),
        "grad": gains([0.5, 0.5, LOWER], [1.5, 1.5, LOWER]),
        "occ+grad": gains([0.75, NONE_SHARED, LOWER], [1.75, NONE_SHARED, LOWER]),
    }
    values["grad"]["scg", "zeros 0.05"] = [-0.5, -0.5, LOWER]
    tables = table_004(made(values, metrics=["scg", "ccg"], settings=SETTINGS).results)
    text = markdown(tables)
    head, _ = rows(text)
    assert head[1:] == [
        "SCG×100 ↑, blurred",
        "SCG×100 ↑, black",
        "CCG×100 ↑, blurred",
        "CCG×100 ↑, black",
    ]
    lines = [re.sub(r" \[.*?\]", "", line) for line in text.splitlines() if line.startswith("|")]
    assert lines[2:] == [
        "| *ρ = 25 %* |  |  |  |  |",
        "| occ | <u>25.0</u> (2) | <u>25.0</u> (2) | <u>100.0</u> (2) | <u>100.0</u> (2) |",
        "| grad | **50.0** (2) | **50.0** (2) | **150.0** (2) | **150.0** (2) |",
        "| occ+grad | 75.0 (1) | 75.0 (1) | **175.0** (1) | **175.0** (1) |",
        "| *ρ = 5 %* |  |  |  |  |",
        "| occ | <u>25.0</u> (2) | **25.0** (2) | <u>100.0</u> (2) | <u>100.0</u> (2) |",
        "| grad | **50.0** (2) | <u>-50.0</u> (2) | **150.0** (2) | **150.0** (2) |",
        "| occ+grad | 75.0 (1) | 75.0 (1) | **175.0** (1) | **175.0** (1) |",
    ]
    assert (
        "Base image scores as high as the image: SCG (blurred, 25 %), SCG (black, 25 %), " in text
    )
    assert "all methods 1 image, occ+grad 1 image" in text
    assert "No pixel in common: " in text
    assert r"\multicolumn{5}{l}{\textit{$\rho$ = 25 \%}} \\" in latex(tables)


def test_an_agreement_below_the_best_single_method_is_not_bold(made):
    """Above one of the two is not enough."""
    values = {
        "occ": gains([0.25, 0.25], [1.0, 1.0]),
        "grad": gains([0.5, 0.5], [1.5, 1.5]),
        "occ+grad": gains([0.75, 0.75], [1.25, 1.25]),
    }
    tables = table_004(made(values, metrics=["scg", "ccg"], settings=SETTINGS).results)
    _, found = rows(markdown(tables))
    assert found["occ+grad"] == ["75.0 (2)", "75.0 (2)", "125.0 (2)", "125.0 (2)"]


def test_a_few_images_and_a_map_of_chance_are_remarked_upon(made):
    values = {
        "rise": {"iauc": [0.1, 0.3], "dauc": [0.5, 0.7]},
        "random": {"iauc": [0.2, 0.2], "dauc": [0.4, 0.4]},
    }
    (table,) = table_000(made(values, metrics=["iauc", "dauc"]).results)
    assert any(note.startswith("Fewer than 10 images: ") for note in table.notes)
    better = "Better than random, image by image: IAUC: rise 1 of 2; DAUC: rise 2 of 2."
    assert better in table.notes
    assert better in markdown([table])


def test_ten_images_without_a_map_of_chance_need_no_remark(made):
    values = {"rise": {"iauc": [0.1] * 10}, "fem": {"iauc": [0.2] * 10}}
    (table,) = table_000(made(values, metrics=["iauc"]).results)
    assert len(table.notes) == 2


def test_nothing_is_printed_as_minus_zero(made):
    values = {"one": {"is": [-0.0001, -0.0002]}, "two": {"is": [-0.001, -0.001]}}
    text = markdown(table_000(made(values, metrics=["is"]).results))
    assert "-0.000" not in text
    assert "<u>0.000</u> [0.000, 0.000]" in text
    assert "-0.001" in text


def test_odd_names_of_images_do_not_break_the_text(made):
    found = made({"one": {"iauc": [0.4]}}, metrics=["iauc"])
    failures = [Failure('a|b*<i>"_50%', None, "damaged")]
    tables = table_000(Results(found.plan, found.store, failures))
    assert r'Not evaluated: a\|b\*\<i>"_50%.' in markdown(tables)
    written = r"a\textbar{}b*\textless{}i\textgreater{}\textquotedbl{}\_50\%."
    assert f"Not evaluated: {written}" in latex(tables)


def test_the_published_rule_leaves_each_method_its_own_images(made):
    lower = Reason.HYBRID_LOWER
    values = {
        "occ": {("scg-published", one): [0.25, lower] for one in SETTINGS},
        "grad": {("scg-published", one): [0.5, 1.0] for one in SETTINGS},
    }
    (table,) = table_004(made(values, metrics=["scg-published"], settings=SETTINGS).results)
    _, found = rows(markdown([table]))
    assert found["occ"] == ["<u>25.0</u> (1)", "<u>25.0</u> (1)"]
    assert found["grad"] == ["**75.0** (2)", "**75.0** (2)"]
    assert "published rule" in table.title


@pytest.mark.parametrize("layout", [table_000, table_002, table_004])
def test_no_metric_no_table(made, layout):
    results = made({"one": {"dauc": [1.0]}}, metrics=["dauc"]).results
    assert bool(layout(results)) == (layout is table_000)


def test_a_row_of_the_contact_sheet_says_what_its_maps_are_of(made):
    plan = made({"one": {"iauc": [0.4]}}, metrics=["iauc"]).plan
    heatmap = np.zeros((2, 2))
    assert sheet.caption(plan, "a", [None, Maps(heatmap, {0: heatmap})]) == "a: whole prediction"
    assert sheet.caption(plan, "a", [None, Maps(None, {2: heatmap})]) == "a: horse"


def test_summing_up_says_how_far_it_is(made):
    """Two metrics, each over the images of all methods and over those of each of the two."""
    found = made({"one": {"iauc": [0.4], "dauc": [0.5]}, "two": {"iauc": [0.4], "dauc": [0.5]}},
                 metrics=["iauc", "dauc"])  # fmt: skip
    told = []
    write_all(found.plan, found.store, advance=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]
