"""Baselines, flow, confidence and features on tables small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from analysis.baselines import baselines, tasks_of
from analysis.confidence import calibration, confidence_section, medians
from analysis.descriptives import clustered_proportion, describe
from analysis.features import saliency_ratio
from analysis.flow import flow_table
from analysis.load import read_export
from analysis.plan import Plan
from analysis.sample import draw_sample


def test_baselines_of_the_papers_tasks(frames, export):
    # 4 TP, 3 FP, 7 FN: always-yes and always-no both score 7 of 14, the object is right 4 times.
    found = baselines(tasks_of(draw_sample(read_export(export(frames(6)))).answers))
    correct = found.set_index("strategy")["correct"].to_dict()
    assert correct == {"always_yes": 7, "always_no": 7, "object_present": 4, "guessing": 7}
    guessing = found.set_index("strategy").loc["guessing"]
    # Binomial(14, 1/2): P(X <= 2) = .0065 and P(X <= 3) = .0287.
    assert guessing["low"] == pytest.approx(3 / 14)
    assert guessing["high"] == pytest.approx(11 / 14)


def test_flow_counts_every_arrival_once(frames, export):
    tables = frames(12)
    people = tables["participants"]
    people.loc[0, ["status", "heatmap", "scores", "consented_at"]] = ["declined", "", "", ""]
    people.loc[1, "status"] = "withdrawn"
    people.loc[2, ["excluded", "exclusion_reason"]] = ["true", "too fast"]
    people.loc[3, "source"] = "preview"
    flow = flow_table(draw_sample(read_export(export(tables)))).set_index("stage")
    assert flow["all"].to_dict() == {
        "arrived": 11,
        "consented": 10,
        "declined": 1,
        "withdrawn": 1,
        "completed": 9,
        "excluded": 1,
        "— too fast": 1,
        "analysed": 8,
        "failed the screening, analysed": 1,
    }
    assert flow.loc["declined", "not assigned"] == 1
    cells = [column for column in flow if column != "all"]
    assert (flow[cells].sum(axis=1) == flow["all"]).all()
    assert flow.loc["excluded", "lrp / hidden"] == 1


def test_descriptives_by_hand():
    frame = pd.DataFrame(
        {"g": pd.Categorical(["b", "a", "b", "b"], ["b", "a"]), "v": [1.0, 9, 2, 3]}
    )
    found = describe(frame, "v", ["g"])
    assert list(found["g"]) == ["b", "a"]
    assert found.loc[0, ["n", "mean", "sd", "median"]].tolist() == [3, 2, 1, 2]
    # t(.975, 2) = 4.3027
    assert found.loc[0, "ci_high"] == pytest.approx(2 + 4.3027 / np.sqrt(3), abs=1e-4)
    assert np.isnan(found.loc[1, "sd"])
    assert np.isnan(found.loc[1, "ci_low"])


def test_clustered_interval_with_equal_clusters_is_that_of_their_means():
    # With equally many answers each, the ratio estimator is the mean of participants' means.
    rng = np.random.default_rng(0)
    hits = pd.Series(rng.integers(0, 2, 60).astype(float))
    who = pd.Series(np.repeat(np.arange(12), 5))
    means = describe(hits.groupby(who).mean().to_frame("v"), "v").iloc[0]
    found = clustered_proportion(hits, who)
    assert found["mean"] == pytest.approx(means["mean"])
    assert found["ci_low"] == pytest.approx(means["ci_low"])
    assert found["ci_high"] == pytest.approx(means["ci_high"])
    assert np.isnan(clustered_proportion(hits * 0, who)["ci_low"])


def test_confidence_medians_and_calibration(frames, export):
    tables = frames(6)
    answers = tables["answers"]
    answers["confidence"] = [1] * 3 + [3] * 3 + [4] * (len(answers) - 6)
    answers.loc[answers["confidence"] == 4, "correct"] = "true"
    sample = draw_sample(read_export(export(tables)))
    assert medians(sample)["confidence"].tolist() == [4.0] * 6
    levels = calibration(sample.answers, Plan()).set_index("confidence")
    assert levels["n"].tolist() == [3, 0, 3, 78]
    assert levels.loc[4, "mean"] == 1


def test_a_scale_of_seven_points_is_read_whole(frames, export, plan):
    """Its medians, its words, its levels without an answer; the control: seven is none of four."""
    words = ["not at all", "", "", "moderately", "", "", "completely"]
    tables = frames(6)
    answers = tables["answers"]
    answers["confidence"] = [2] * 3 + [5] * 3 + [7] * (len(answers) - 6)
    answers.loc[answers["confidence"] == 7, "correct"] = "true"
    assert any("outside 1 to 4" in note for note in read_export(export(tables)).notes)
    study = read_export(export(tables, {**plan, "confidence": words}))
    assert not any("confidence" in note for note in study.notes)
    sample = draw_sample(study)
    assert medians(sample)["confidence"].tolist() == [7.0] * 6
    levels = calibration(sample.answers, study.plan).set_index("confidence")
    assert levels["n"].tolist() == [0, 3, 0, 0, 3, 0, 78]
    assert levels["words"].tolist() == [word or str(i) for i, word in enumerate(words, 1)]
    section = confidence_section(sample, study.plan)
    assert "from 1 (not at all) to 7 (completely)" in section.intro
    legend = [text.get_text() for text in section.charts[0].figure.axes[0].get_legend().texts]
    assert legend == ["1 not at all", "2", "3", "4", "5", "6", "7 completely"]


def test_saliency_ratio_by_hand():
    people = pd.DataFrame({"participant_id": ["a", "b", "c", "d"]})
    codes = pd.DataFrame(
        [
            *[("a", i, "saliency") for i in range(3)],
            ("a", 3, "general"),
            ("b", 0, "both"),
            ("c", 0, "saliency"),
            ("c", 1, "both"),
            ("z", 0, "saliency"),
        ],
        columns=["participant_id", "task", "group"],
    )
    neither = saliency_ratio(codes, people)["ratio"]
    assert neither[[0, 2]].tolist() == [0.75, 1.0]
    assert neither[[1, 3]].isna().all()
    assert saliency_ratio(codes, people, "general")["ratio"].tolist()[:3] == [0.75, 0.0, 0.5]
    assert saliency_ratio(codes, people, "saliency")["ratio"].tolist()[:3] == [0.75, 1.0, 1.0]
