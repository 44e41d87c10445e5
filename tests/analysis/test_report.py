"""The whole report: complete, self-contained, honest about what it could not compute."""

import json
import re

import pandas as pd
import pytest

from analysis import report
from analysis.__main__ import main
from analysis.errors import AnalysisError


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """One report on 96 real-source participants with an effect of +.2 in one heatmap condition."""
    import importlib.util
    from pathlib import Path

    spec = importlib.util.spec_from_file_location("made_up", Path(__file__).parent / "conftest.py")
    made_up = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made_up)
    folder = tmp_path_factory.mktemp("built")
    tables = made_up.make_frames(96, seed=5, effect={"multiscale": 0.2})
    made_up.write_export(folder / "export", tables)
    shares = []
    results = report.build(
        folder / "export", folder / "out", progress=lambda share, words: shares.append(share)
    )
    return results, folder / "out", shares


def test_every_test_has_statistic_df_p_and_effect_size(built):
    results, out, _ = built
    assert json.loads((out / "results.json").read_text()) == results
    single = [results["accuracy"]["levene"], results["confidence"]["kruskal_wallis"]]
    terms = [
        *results["accuracy"]["anova_type_iii"].values(),
        *results["accuracy"]["anova_type_iii_hc3"].values(),
        *results["accuracy"]["tukey_hsd"]["heatmap"].values(),
        *results["accuracy"]["games_howell"]["heatmap"].values(),
        *results["saliency_ratio"]["anova_type_iii_hc0"].values(),
    ]
    assert len(terms) == 3 * 5
    for test in [*single, *terms]:
        assert test["statistic"] >= 0
        assert test["df"]
        assert 0 <= test["p"] <= 1
        assert "effect_size" in test
    assert all(test["effect_size"] is not None for test in terms)


def test_a_planted_effect_is_found_in_its_direction(built):
    results, _, _ = built
    assert results["accuracy"]["anova_type_iii"]["heatmap"]["p"] < 0.05
    means = {k: v["mean"] for k, v in results["accuracy"]["means"]["heatmap"].items()}
    assert max(means, key=means.get) == "multiscale"
    assert any(
        s.startswith("Preregistered: the main effect of heatmap")
        for s in results["accuracy"]["sentences"]
    )
    assert any(
        s.startswith("Exploratory: the main effect of scores")
        for s in results["accuracy"]["sentences"]
    )


def test_the_page_stands_alone(built):
    results, out, _ = built
    html = (out / "report.html").read_text()
    assert "<script" not in html
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", html)
    assert "@import" not in html
    assert not re.findall(r"url\((?!['\"]?data:)", html)
    assert html.count("<img alt=") == len(results["figures"]) == 7
    assert not re.findall(r'<img alt=""', html)
    assert "Simulated data" not in html


def test_every_figure_and_table_is_a_file(built):
    results, out, _ = built
    for name in results["figures"]:
        assert (out / "figures" / f"{name}.svg").read_text().startswith("<?xml")
        assert len(pd.read_csv(out / "figures" / f"{name}.csv"))
    for name in results["tables"]:
        assert len(pd.read_csv(out / "tables" / f"{name}.csv"))
    assert {"figure_25_accuracy", "figure_26_saliency_ratio", "figure_29_correct_answers"} <= set(
        results["figures"]
    )


def test_screening_failures_in_and_out(built):
    results, _, _ = built
    sensitivity = results["sensitivity"]
    everyone = sensitivity["anova_type_iii_everyone"]["accuracy"]["heatmap"]
    passed = sensitivity["anova_type_iii_passed"]["accuracy"]["heatmap"]
    assert everyone["statistic"] == results["accuracy"]["anova_type_iii"]["heatmap"]["statistic"]
    assert everyone["n"] - passed["n"] == sensitivity["screening_failures"] == 11


def test_progress_rises_to_one(built):
    _, _, shares = built
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_simulated_data_say_so(frames, export, tmp_path):
    results = report.build(export(frames(12, source="bot")), tmp_path / "out")
    assert results["simulated"]
    assert "Simulated data" in (tmp_path / "out" / "report.html").read_text()


def drop(table):
    return lambda tables: tables.pop(table)


def column(table, name, value):
    return lambda tables: tables[table].__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "participants", "section", "reason"),
    [
        (drop("participants"), 12, "accuracy", "no completed participants"),
        (drop("answers"), 12, "baselines", "no answers"),
        (column("participants", "status", "in_progress"), 12, "accuracy", "no completed"),
        (
            column("participants", "heatmap", "gradcam"),
            12,
            "accuracy",
            "no completed",
        ),
        (column("answers", "correct", "true"), 12, "accuracy", "same value"),
        (column("answers", "confidence", 2), 12, "confidence", "same value"),
        (column("codes", "group", "both"), 12, "saliency_ratio", "No participant has a value"),
        (lambda tables: None, 6, "accuracy", "degrees of freedom"),
        (lambda tables: None, 1, "accuracy", "at least two of its levels"),
    ],
)
def test_what_cannot_be_computed_is_said(
    frames, export, tmp_path, change, participants, section, reason
):
    tables = frames(participants)
    change(tables)
    results = report.build(export(tables), tmp_path / "out")
    html = (tmp_path / "out" / "report.html").read_text()
    assert any(reason in said for said in results[section]["not_computed"].values())
    assert reason in html
    assert "nan" not in re.sub(r"data:[^\"]+", "", html).lower()


def test_typed_text_cannot_become_markup(frames, export, tmp_path, plan):
    tables = frames(12)
    people = tables["participants"]
    people.loc[0, ["excluded", "exclusion_reason"]] = ["true", "<script>alert(1)</script>"]
    plan["title"] = "<b>Bold</b> & co"
    report.build(export(tables, plan), tmp_path / "out")
    html = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in html
    assert "&lt;b&gt;Bold" in html


def test_an_earlier_report_is_replaced_and_other_files_are_not(frames, export, tmp_path):
    folder = export(frames(6))
    out = tmp_path / "out"
    report.build(folder, out)
    (out / "figures" / "stale.svg").write_text("old")
    report.build(folder, out)
    assert not (out / "figures" / "stale.svg").exists()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(AnalysisError, match=r"other files \(thesis\.txt\)"):
        report.build(folder, out)
    assert (out / "thesis.txt").read_text() == "mine"
    with pytest.raises(AnalysisError, match="holds the input"):
        report.build(folder, folder)
    assert {path.name for path in tmp_path.iterdir()} == {"export", "out"}


def test_a_folder_may_have_the_longest_name_there_is(frames, export, tmp_path):
    report.build(export(frames(6)), tmp_path / ("o" * 255))
    assert (tmp_path / ("o" * 255) / "report.html").is_file()


def test_a_failure_while_writing_leaves_nothing(frames, export, tmp_path, monkeypatch):
    folder = export(frames(6))

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "_write_files", full)
    with pytest.raises(AnalysisError, match="No space left"):
        report.build(folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_one_tidy_file_on_the_command_line(human_studies, tmp_path, capsys):
    # Published raw data, controls (representation 2) left out; values fixed beforehand.
    frame = pd.read_csv(human_studies / "surrogates" / "results_Compas.csv", dtype=str)
    frame[frame["representation"] != "2"].to_csv(tmp_path / "compas.csv", index=False)
    code = main(
        [
            "report",
            str(tmp_path / "compas.csv"),
            "--outcome",
            "b_precision_understanding",
            "--factors",
            "local_surrogate,representation",
            "--out",
            str(tmp_path / "out"),
        ]
    )
    assert code == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "report.html")
    outcome = json.loads((tmp_path / "out" / "results.json").read_text())["outcome"]

    def statistics(name):
        return [test["statistic"] for test in outcome[name].values()]

    assert statistics("anova_type_iii") == pytest.approx([15.9424, 0.0919, 1.5021], abs=1e-4)
    assert statistics("anova_type_iii_hc3") == pytest.approx([15.7347, 0.0873, 1.577], abs=1e-4)
    assert outcome["levene"]["statistic"] == pytest.approx(1.5769, abs=1e-4)
    assert outcome["shapiro_wilk"]["statistic"] == pytest.approx(0.9903, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent"], "does not exist"),
        (["export", "--outcome", "x"], "is a folder"),
        (["export/answers.csv"], "--outcome and --factors"),
        (["export", "--codes", "absent.csv"], r"absent\.csv cannot be read"),
        (["export/answers.csv", "--outcome", "x", "--factors", "block"], "no column 'x'"),
        (["a" * 300], "does not exist"),
        (["export", "--codes", "a" * 300], "cannot be read: File name too long"),
        (["export", "--codes", "a\0"], "cannot be read: embedded null"),
        (["export", "--out", "a" * 300], "cannot be written: File name too long"),
        (["export", "--out", "a" * 300 + "/out"], "cannot be written: File name too long"),
        (["export", "--out", "a\0b"], "cannot be written: embedded null"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_two(
    frames, export, tmp_path, monkeypatch, capsys, arguments, said
):
    export(frames(6))
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--out", "out", *arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(said, error)
    assert len(error.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_preregistered_test_without_codes_is_missed_aloud(frames, plan, export, tmp_path):
    """The hypothesis must not vanish with its section; where none was fixed there is nothing."""
    tables = frames(24)
    del tables["codes"]
    without = report.build(export(tables, plan), tmp_path / "without")
    assert "saliency_ratio" not in without
    plan["preregistered"].append(
        {"key": "h3", "text": "More features", "outcome": "saliency_ratio", "factor": "heatmap"}
    )
    missed = report.build(export(tables, plan), tmp_path / "missed")
    assert "are not coded" in missed["saliency_ratio"]["not_computed"]["all tests"]
    assert "are not coded" in (tmp_path / "missed" / "report.html").read_text()
