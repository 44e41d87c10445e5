"""The study that is not the paper's runs from its file alone, to the exit, the data, the report."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from studyplatform.participation.models import Answer, Reward, Session
from studyplatform.results.services import study_analyse
from studyplatform.stimuli import media, services
from studyplatform.stimuli.models import Heatmap
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import team_get_or_create
from studyplatform.studies.spec import load

from ..published import PRESET

TEXT = PRESET.with_stem("compare_methods").read_text()
CONDITIONS = ["none", "grad-cam", "gradient", "fem", "random", "edges"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_asks_for_what_the_papers_study_does_not() -> None:
    spec = load(TEXT)
    assert [levels["heatmap"] for levels in spec.conditions()] == CONDITIONS
    assert [spec.target(levels) for levels in spec.conditions()] == [24, 24, 24, 24, 12, 12]
    assert len(spec.tasks.labels) == 4
    counts = Counter[str]()
    for of_label in spec.tasks.new_images.values():
        counts.update(of_label)
    # Always yes, always no, and "is it there?" are right half of the time.
    assert counts == {"TP": 4, "FP": 4, "FN": 4, "TN": 4}
    assert [len(question.options) for question in spec.questions] == [0, 7, 0]
    assert [spec.pay.total(n) for n in (0, 9, 10, 12, 16)] == [
        Decimal(text) for text in ("4.00", "4.00", "5.00", "6.50", "6.50")
    ]
    assert spec.languages == ["en", "de"]


@pytest.fixture
def second(published_study: StudyVersion, settings: Any, tmp_path: Path) -> StudyVersion:
    """The preset as it stands, but for its images: all of the shared study's few."""
    settings.MEDIA_ROOT = shutil.copytree(media.root(), tmp_path / "media")
    version = services.study_create_with_stimuli(
        team=team_get_or_create(name="Second team"),
        spec_text=TEXT.replace("split: train", "split: all"),
    )
    services.ledger_drain(version=version)
    return services.version_publish(version=version)


@pytest.mark.django_db(transaction=True)
def test_bots_walk_it_in_all_conditions_and_its_report_comes_out(
    second: StudyVersion, live_server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Heatmap.objects.filter(needed_by__stimulus_set__version=second)
    assert set(shown.values_list("method", "network_seed")) == {
        ("grad-cam", None), ("gradient", None), ("fem", None), ("grad-cam", 2), ("edges", None),
    }  # fmt: skip
    # A control without any red would be known at a glance.
    for heatmap in shown.exclude(network_seed=None):
        raw = np.load(media.heatmap_path(heatmap.key, heatmap.content_sha256))
        assert (raw > 0).mean() > 0.02
    simulate: Callable[..., Any] = lambda **more: call_command(  # noqa: E731
        "simulate_participants", second.study.slug, url=live_server.url, concurrency=2, **more
    )
    simulate(participants=6, seed=1, language="de")
    simulate(participants=6, seed=2, language="en")
    assert capsys.readouterr().out.count("all right would earn 6.50.") == 2

    sessions = Session.objects.select_related("condition")
    assert {session.status for session in sessions} == {"completed"}
    assert {session.condition.levels["heatmap"] for session in sessions} == set(CONDITIONS)
    german = sessions.filter(language="de").values_list("condition__key", flat=True)
    assert len(set(german)) == 6
    for reward in Reward.objects.all():
        steps = {0: 0, 10: 1, 12: Decimal("2.5")}
        assert reward.bonus == max(sum_ for n, sum_ in steps.items() if n <= reward.n_correct)
    answers = Answer.objects.filter(task__isnull=False)
    assert answers.count() == 12 * 16
    assert {answer.values["confidence"] for answer in answers} <= set(range(1, 8))
    assert len({answer.values["confidence"] for answer in answers}) > 4

    study_analyse(study=second.study, source="bot", out_dir=tmp_path / "out")
    people = rows(tmp_path / "out/data/participants.csv")
    assert Counter(row["language"] for row in people) == {"de": 6, "en": 6}
    assert {row["currency"] for row in people} == {"EUR"}
    [dictionary] = [
        row
        for row in rows(tmp_path / "out/data/data_dictionary.csv")
        if (row["file"], row["column"]) == ("participants.csv", "heatmap")
    ]
    assert "random = grad-cam on a network with weights drawn anew (seed 2)" in dictionary["values"]
    spec = json.loads((tmp_path / "out/data/spec.json").read_text())
    assert spec["heatmaps"]["random"]["network"] == "randomised"
    assert spec["target_per_condition"]["heatmap == edges"] == 12
    plan = json.loads((tmp_path / "out/data/plan.json").read_text())
    assert plan["confidence"] == [
        "not at all confident", "", "", "moderately confident", "", "", "completely confident",
    ]  # fmt: skip
    results = json.loads((tmp_path / "out/report/results.json").read_text())
    analysed = sum(row["excluded"] == "false" for row in people)
    assert results["confidence"]["n"] == analysed > 6
    page = (tmp_path / "out/report/report.html").read_text()
    assert "from 1 (not at all confident) to 7 (completely confident)" in page
