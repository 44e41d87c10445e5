"""What an export holds, and that it is read back as it was typed."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from studyplatform.identities.services import identity_open
from studyplatform.participation.models import Session
from studyplatform.results.columns import as_text
from studyplatform.results.dataset import DatasetError
from studyplatform.results.services import ExportError, study_export
from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.services import study_create

from ..factories import PRESET, make_answers, make_session


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_hold_who_saw_what_and_answered_how(study: Study, tmp_path: Path) -> None:
    export = study_export(study=study, source="real", out_dir=tmp_path / "out")
    people = rows(tmp_path / "out" / "participants.csv")
    assert [row["participant_id"] for row in people] == [
        "first0000000",
        "second000000",
        "third0000000",
    ]
    first = people[0]
    assert (first["heatmap"], first["scores"], first["source"]) == ("none", "hidden", "real")
    # Task 1 TP: yes is right; task 2 FP: yes is right; 3 FN and 4 TN: no is right.
    assert (first["n_tasks"], first["n_correct"], first["accuracy"]) == ("4", "4", "1.0")
    assert (first["reward_base"], first["reward_bonus"]) == ("8.00", "2.00")
    assert first["block_order"] == "horse;cat"
    assert first["screening_passed"] == "true"
    assert people[2]["completed_at"] == people[2]["minutes"] == people[2]["accuracy"] == ""
    answers = rows(tmp_path / "out" / "answers.csv")
    assert export.rows["answers.csv"] == len(answers) == 8
    third = answers[2]
    assert (third["task"], third["position"], third["block"]) == ("3", "2", "1")
    assert (third["outcome"], third["assigned"], third["object_present"]) == ("FN", "false", "true")
    assert (third["predicted"], third["correct"], third["confidence"]) == ("false", "true", "3")
    assert 29.9 < float(third["seconds"]) < 40
    assert third["submitted_at"].endswith("Z")


def test_ticked_options_are_one_row_each(study: Study, tmp_path: Path) -> None:
    study_export(study=study, source="real", out_dir=tmp_path / "out")
    other = rows(tmp_path / "out" / "other_answers.csv")
    assert [(row["question"], row["value"]) for row in other] == [
        ("useful", "outcomes"),
        ("useful", "heatmaps"),
        ("learned", "Nothing"),
    ]


@pytest.mark.parametrize(
    ("source", "people"), [("real", 3), ("bot", 1), ("preview", 0), ("all", 4)]
)
def test_sources_are_never_mixed(study: Study, tmp_path: Path, source: str, people: int) -> None:
    export = study_export(study=study, source=source, out_dir=tmp_path / "out")
    assert export.rows["participants.csv"] == people
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert plan["simulated"] is (source == "bot")


def test_every_column_is_described(study: Study, tmp_path: Path) -> None:
    study_export(study=study, source="all", out_dir=tmp_path / "out")
    described = {
        (row["file"], row["column"]): row for row in rows(tmp_path / "out" / "data_dictionary.csv")
    }
    exported = set()
    for path in (tmp_path / "out").glob("*.csv"):
        if path.name != "data_dictionary.csv":
            with path.open(encoding="utf-8", newline="") as file:
                exported |= {(path.name, column) for column in next(csv.reader(file))}
    assert exported == set(described)
    assert all(row["type"] and row["meaning"] for row in described.values())
    assert "none, lrp, multiscale" in described["participants.csv", "heatmap"]["values"]
    assert "4 = Extremely confident" in described["answers.csv", "confidence"]["values"]


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ('eyes,\nears and "nose"\r\n\r\nthe end', 'eyes,\nears and "nose"\r\n\r\nthe end'),
        ('=HYPERLINK("http://example.org")', '\'=HYPERLINK("http://example.org")'),
        ("@cmd", "'@cmd"),
        ("-2", "-2"),
        ("Hörner; 耳", "Hörner; 耳"),
        ("", ""),
    ],
)
def test_free_text_is_kept_and_no_formula_survives(
    version: StudyVersion, tmp_path: Path, typed: str, stored: str
) -> None:
    make_answers(make_session(version), ["yes"] * 4, sensitive=typed)
    study_export(study=version.study, source="real", out_dir=tmp_path / "out")
    assert {row["sensitive"] for row in rows(tmp_path / "out" / "answers.csv")} == {stored}


@pytest.mark.skipif(
    connection.vendor == "postgresql", reason="PostgreSQL stores no half of a surrogate pair"
)
def test_text_that_utf8_cannot_hold_costs_no_export(version: StudyVersion, tmp_path: Path) -> None:
    session = make_session(version)
    make_answers(session, ["yes"] * 4, sensitive="ear \ud800 nose")
    session.events.create(kind="odd", data={"text": "\udfff"})
    study_export(study=version.study, source="real", out_dir=tmp_path / "out")
    answers = rows(tmp_path / "out" / "answers.csv")
    assert {row["sensitive"] for row in answers} == {r"ear \ud800 nose"}
    assert any(r"\udfff" in row["data"] for row in rows(tmp_path / "out" / "events.csv"))


def test_panel_ids_are_in_no_file(study: Study, tmp_path: Path) -> None:
    identity = identity_open(study_slug=study.slug, person="5f0c0ffee0ddba11ca11ab1e")
    session = Session.objects.get(public_id="first0000000")
    session.identity = identity
    session.save()
    study_export(study=study, source="all", out_dir=tmp_path / "out")
    content = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert b"first0000000" in content
    for secret in (b"5f0c0ffee0ddba11ca11ab1e", identity.person_hmac.encode(),
                   str(identity.pk).encode(), session.cookie_sha256.encode()):  # fmt: skip
        assert secret not in content


def test_who_withdrew_leaves_a_row_and_no_answers(study: Study, tmp_path: Path) -> None:
    Session.objects.filter(public_id="first0000000").update(status="withdrawn")
    export = study_export(study=study, source="real", out_dir=tmp_path / "out")
    assert export.rows == {
        "participants.csv": 3, "answers.csv": 4, "other_answers.csv": 0, "events.csv": 1,
        "faithfulness.csv": 0,
    }  # fmt: skip


def test_checksums_are_those_of_the_files_and_same_data_give_the_same_hash(
    study: Study, tmp_path: Path
) -> None:
    export = study_export(study=study, source="real", out_dir=tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    for name, digest in manifest["files_sha256"].items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
    assert set(manifest["files_sha256"]) | {"manifest.json"} == {
        path.name for path in (tmp_path / "out").iterdir()
    }
    again = study_export(study=study, source="real", out_dir=tmp_path / "again")
    assert again.sha256 == export.sha256 == manifest["sha256"]
    make_answers(make_session(study.versions.get()), ["yes"] * 4)
    assert study_export(study=study, source="real", out_dir=tmp_path / "new").sha256 != again.sha256


def test_a_failed_export_leaves_nothing_behind(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_export(study=study, source="real", out_dir=tmp_path / "out")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.csv")}

    def fail(done: int, total: int) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        study_export(study=study, source="real", out_dir=tmp_path / "out", progress=fail)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.csv")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_somebody_elses_is_left_alone(study: Study, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(ExportError, match="no earlier export"):
        study_export(study=study, source="real", out_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_a_manifest_of_somebody_elses_makes_no_export(study: Study, tmp_path: Path) -> None:
    """Web apps and extensions have a manifest.json too; the last one even has our keys."""
    (tmp_path / "thesis.txt").write_text("years")
    listed = {"files_sha256": {"thesis.txt": "0" * 64}, "sha256": "1" * 64}
    for text in ("{}", "[1]", "no JSON", "[" * 100_000, json.dumps(listed)):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ExportError, match="no earlier export"):
            study_export(study=study, source="real", out_dir=tmp_path)
    (tmp_path / "manifest.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ExportError, match="no earlier export"):
        study_export(study=study, source="real", out_dir=tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years"


def test_an_export_with_a_file_added_by_hand_is_kept(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    study_export(study=study, source="real", out_dir=out)
    (out / "codes.csv").write_text("mine")
    with pytest.raises(ExportError, match=r"holds codes\.csv, which the earlier export"):
        study_export(study=study, source="bot", out_dir=out)
    assert (out / "codes.csv").read_text() == "mine"
    assert json.loads((out / "plan.json").read_text())["simulated"] is False
    (out / "codes.csv").unlink()
    study_export(study=study, source="bot", out_dir=out)
    assert json.loads((out / "plan.json").read_text())["simulated"] is True


def test_a_file_that_comes_during_the_export_is_kept(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    study_export(study=study, source="real", out_dir=out)

    def write(done: int, total: int) -> None:
        (out / "codes.csv").write_text("mine")

    with pytest.raises(ExportError, match=r"holds codes\.csv"):
        study_export(study=study, source="real", out_dir=out, progress=write)
    assert (out / "codes.csv").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_behind_a_link_the_folder_is_replaced_and_the_link_stays(
    study: Study, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    for _ in range(2):
        study_export(study=study, source="real", out_dir=tmp_path / "link")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link"]
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "disk" / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("x" * 300, "cannot be written: File name too long"),
        ("a\0b", "expected one without a NUL"),
        ("round", "is no folder"),
        ("file", "is no folder"),
        ("file/out", "cannot be written: "),
    ],
)
def test_a_path_that_cannot_be_is_one_sentence(
    study: Study, tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CommandError, match=sentence):
        call_command("export_study", "demo", "--out", str(tmp_path / name))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "round"]
    assert (tmp_path / "file").read_text() == "mine"


def test_wrong_requests_are_told(study: Study, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no study 'nope'"):
        call_command("export_study", "nope", "--out", str(tmp_path / "out"))
    with pytest.raises(DatasetError, match="no source 'robots'"):
        study_export(study=study, source="robots", out_dir=tmp_path / "out")
    text = PRESET.read_text().replace("slug: demo", "slug: draft")
    draft = study_create(team=study.team, spec_text=text)
    with pytest.raises(DatasetError, match="never published"):
        study_export(study=draft.study, source="real", out_dir=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_the_same_folder(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("export_study", "demo", "--out", str(tmp_path / "out"))
    assert "answers.csv: 8 rows" in capsys.readouterr().out
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_cells_are_written_one_way() -> None:
    assert [as_text(value) for value in (None, True, 1, 0.5, [1, 2], {"b": 1, "a": "é"})] == [
        "", "true", "1", "0.5", "1;2", '{"a": "é", "b": 1}',
    ]  # fmt: skip
