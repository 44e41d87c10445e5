"""What somebody sent: kept for its job, refused where it is something else, removed afterwards."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.utils import timezone

from studyplatform.stimuli import media
from studyplatform.stimuli.models import Job
from studyplatform.stimuli.services import StimuliError, uploads
from studyplatform.studies.services import team_get_or_create

from .photographs import by_label, zipped

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media_root")]


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return zipped(tmp_path / "a.zip", by_label()).read_bytes()


def kept() -> list[Path]:
    return sorted(media.upload_path("x").parent.glob("*"))


def test_a_small_and_a_large_file_are_kept_whole(content: bytes):
    large = TemporaryUploadedFile("b.ZIP", "application/zip", len(content), None)
    large.write(content)
    for file in (SimpleUploadedFile("a.zip", content), large):
        token = uploads.upload_keep(file=file)
        assert uploads.upload_find(token).read_bytes() == content
        assert token.endswith(".zip")
    assert not os.path.exists(large.temporary_file_path()), "moved, not copied"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.tar", "a.tar ends in .tar; expected .zip or .keras"),
        ("a", "a ends in nothing"),
        ("a.zip", "a.zip is no zip file"),
        ("a.keras", "a.keras is no Keras file"),
    ],
)
def test_another_kind_of_file_is_refused_and_not_kept(name: str, sentence: str):
    with pytest.raises(StimuliError, match=sentence):
        uploads.upload_keep(file=SimpleUploadedFile(name, b"neither"))
    assert kept() == []


def test_what_is_gone_is_said():
    with pytest.raises(StimuliError, match="no longer kept; upload it once more"):
        uploads.upload_find("0.zip")


def test_what_no_open_job_needs_goes_after_a_day(content: bytes):
    team = team_get_or_create(name="Alice's team")
    tokens = [uploads.upload_keep(file=SimpleUploadedFile(f"{n}.zip", content)) for n in range(3)]
    states = ("running", "cancelled")
    for token, state in zip(tokens, states, strict=False):
        job = Job.objects.create(
            team=team, kind="import", subject="a", state=state, parameters={"upload": token}
        )
        media.work_path(job.pk).mkdir(parents=True)
        (media.work_path(job.pk) / "half").write_text("")
    now = timezone.now()
    assert uploads.uploads_sweep(now=now + timedelta(hours=23)) == 0
    assert uploads.uploads_sweep(now=now + timedelta(hours=25)) == 3
    assert [path.name for path in kept()] == [tokens[0]]
    assert len(list((media.root() / "work").iterdir())) == 1
