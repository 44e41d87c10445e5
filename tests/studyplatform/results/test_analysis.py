"""An export is what the analysis reads: round trip through its own reader."""

from pathlib import Path

from analysis.load import read_export
from analysis.sample import draw_sample
from studyplatform.results.services import study_export
from studyplatform.studies.models import Study


def test_the_analysis_reads_an_export_without_a_complaint(study: Study, tmp_path: Path) -> None:
    study_export(study=study, source="real", out_dir=tmp_path / "out")
    read = read_export(tmp_path / "out")
    assert read.notes == []
    assert read.plan.study == "demo"
    assert read.plan.version_sha256 == study.versions.get().sha256
    assert read.plan.factors["heatmap"] == ("none", "lrp", "multiscale")
    assert read.plan.is_preregistered("accuracy", "heatmap")
    assert not read.plan.is_preregistered("confidence", "heatmap")
    sample = draw_sample(read)
    assert list(sample.participants["accuracy"]) == [1.0, 0.0]
    assert list(sample.participants["cell"]) == ["none / hidden", "multiscale / shown"]


def test_simulated_answers_are_called_so(study: Study, tmp_path: Path) -> None:
    study_export(study=study, source="bot", out_dir=tmp_path / "out")
    sample = draw_sample(read_export(tmp_path / "out"))
    assert sample.simulated
    assert list(sample.participants["participant_id"]) == ["bot000000000"]
