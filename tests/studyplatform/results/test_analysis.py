"""An export is what the analysis reads: round trip through its own reader."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

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


def test_codes_inside_the_data_folder_survive_the_next_analysis(
    study: Study, tmp_path: Path
) -> None:
    study_export(study=study, source="real", out_dir=tmp_path / "data")
    codes = tmp_path / "data" / "codes.csv"
    codes.write_text("participant_id,task,code,group\n")
    with pytest.raises(CommandError, match=r"holds codes\.csv"):
        call_command("analyse_study", "demo", "--out", str(tmp_path), "--codes", str(codes))
    assert codes.is_file()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing.csv", "cannot be read: No such file"),
        ("latin.csv", "not UTF-8"),
        ("a\0b", "without a NUL"),
    ],
)
def test_codes_that_cannot_be_read_are_told_before_anything_is_written(
    study: Study, tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / "latin.csv").write_bytes(b"participant_id,task\nH\xf6rner,1\n")
    arguments = ["--out", str(tmp_path / "out"), "--codes", str(tmp_path / name)]
    with pytest.raises(CommandError, match=sentence):
        call_command("analyse_study", "demo", *arguments)
    assert not (tmp_path / "out").exists()
