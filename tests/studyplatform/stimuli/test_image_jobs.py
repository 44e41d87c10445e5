"""Importing as a job: from a zip file or a server's folder, cancelled, gone on with, refused."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from studyplatform.stimuli import media, pictures
from studyplatform.stimuli.models import Image, ImageSet, Job
from studyplatform.stimuli.services import StimuliError, image_jobs, job_retry, jobs
from studyplatform.stimuli.services import images as importing
from studyplatform.studies.models import Team
from studyplatform.studies.services import team_get_or_create

from .photographs import by_label, photograph, zipped
from .test_images import voc

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media_root")]


@pytest.fixture
def team() -> Team:
    return team_get_or_create(name="Alice's team")


def upload(tmp_path: Path, entries: dict[str, bytes]) -> SimpleUploadedFile:
    return SimpleUploadedFile("photos.zip", zipped(tmp_path / "a.zip", entries).read_bytes())


def ask(team: Team, **values: Any) -> Job:
    return image_jobs.image_import_request(team=team, **{"name": "photos", "size": 32} | values)


def run(job: Job) -> Job:
    jobs.job_run(job_id=job.pk)
    job.refresh_from_db()
    return job


def left_behind() -> list[Path]:
    return [path for part in ("uploads", "work") for path in (media.root() / part).glob("*")]


def test_a_zip_file_becomes_the_teams_image_set(team: Team, tmp_path: Path):
    job = run(ask(team, file=upload(tmp_path, by_label(around="photos/"))))
    assert (job.state, job.step) == ("done", "Reading the images")
    image_set = ImageSet.objects.get(pk=job.result["image_set"])
    assert (image_set.team, image_set.name, image_set.size) == (team, "photos", 32)
    assert image_set.labels == ["cat", "horse"]
    assert image_set.origin == {
        "layout": "folders",
        "split": "drawn",
        "source": "photos.zip",
        "job": job.pk,
        "left_out": 0,
    }
    assert sorted(image_set.images.values_list("name", "split")) == sorted(
        (f"{label}/{n}.jpg", split)
        for label in ("cat", "horse")
        for n, split in enumerate(_splits(image_set, label))
    )
    assert left_behind() == []


def _splits(image_set: ImageSet, label: str) -> list[str]:
    found = image_set.images.filter(name__startswith=label).order_by("name")
    splits = list(found.values_list("split", flat=True))
    assert sorted(splits) == ["train", "val"]
    return splits


def test_a_voc_tree_in_a_zip_file(team: Team, tmp_path: Path):
    root = voc(tmp_path / "v", {"1": ["cat"], "2": ["horse"]}, ("2",))
    entries = {
        f"VOCdevkit/VOC2007/{path.relative_to(root)}": path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    job = run(ask(team, file=upload(tmp_path, entries)))
    assert job.state == "done"
    assert sorted(Image.objects.values_list("name", "split")) == [("1", "train"), ("2", "val")]


def test_every_unusable_file_is_named_without_the_servers_paths(team: Team, tmp_path: Path):
    root = voc(tmp_path / "v", {"1": ["cat"], "2": ["cat"], "3": ["cat"]})
    (root / "Annotations" / "1.xml").unlink()
    (root / "Annotations" / "2.xml").write_text("<broken>")
    (root / "JPEGImages" / "3.jpg").unlink()
    entries = {
        f"VOC/{path.relative_to(root)}": path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    job = run(ask(team, file=upload(tmp_path, entries)))
    assert job.state == "failed"
    missing, broken, picture = job.problems
    assert missing == "VOC/Annotations/1.xml is missing; expected an annotation per image."
    assert broken.startswith("VOC/Annotations/2.xml is no XML")
    assert picture == "3: the file is missing."
    assert not ImageSet.objects.exists()
    assert left_behind() == [], "what was refused is not kept"


def test_svg_text_and_oversized_pictures_are_refused(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1200)
    from PIL import Image as PillowImage

    large = io.BytesIO()
    PillowImage.new("RGB", (1000, 10)).save(large, "PNG")
    entries = by_label() | {
        "cat/drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "cat/drawing.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "cat/large.png": large.getvalue(),
        "horse/notes.txt": b"brown",
        "horse/animated.gif": b"GIF89a",
    }
    job = run(ask(team, file=upload(tmp_path, entries)))
    assert sorted(job.problems) == [
        "cat/drawing.png: it is an SVG drawing; expected JPEG, PNG or WebP.",
        "cat/drawing.svg: it is an SVG drawing; expected JPEG, PNG or WebP.",
        "cat/large.png: it is 1000 x 10 pixels; expected at most 0 megapixels.",
        "horse/animated.gif: it is no image; expected JPEG, PNG or WebP.",
        "horse/notes.txt: it is no image; expected JPEG, PNG or WebP.",
    ]
    assert not ImageSet.objects.exists()


def test_a_hundred_bad_files_are_twenty_sentences_and_a_count(team: Team, tmp_path: Path):
    entries = by_label() | {f"cat/{n:03}.txt": b"" for n in range(100)}
    job = run(ask(team, file=upload(tmp_path, entries)))
    assert len(job.problems) == 21
    assert job.problems[-1] == "And 80 more like these."


def test_a_bomb_is_refused_and_removed(team: Team, tmp_path: Path):
    job = run(ask(team, file=upload(tmp_path, {"cat/0.png": b"\0" * 2**22})))
    assert job.state == "failed"
    assert "photos.zip would unpack to" in job.error
    assert left_behind() == []


def test_a_photograph_in_two_folders_carries_both_labels(team: Team, tmp_path: Path):
    both = photograph()
    job = run(
        ask(team, file=upload(tmp_path, by_label() | {"cat/b.jpg": both, "horse/b.jpg": both}))
    )
    image_set = ImageSet.objects.get(pk=job.result["image_set"])
    assert image_set.origin["left_out"] == 1
    (one,) = [image for image in image_set.images.all() if len(image.labels) > 1]
    assert one.labels == ["cat", "horse"]


def test_cancelled_it_keeps_what_was_sent_and_goes_on(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = ask(team, file=upload(tmp_path, by_label()))
    entire = pictures.store
    seen: list[str] = []

    def store(image: Any, *, size: int) -> pictures.Stored:
        seen.append("")
        if len(seen) == 2:
            raise jobs.JobCancelledError
        return entire(image, size=size)

    monkeypatch.setattr(importing.pictures, "store", store)
    assert run(job).state == "cancelled"
    assert not ImageSet.objects.exists()
    assert [path.suffix for path in (media.root() / "uploads").iterdir()] == [".zip"]
    assert list(media.work_path(job.pk).iterdir()) == [], "nothing unpacked stays"
    monkeypatch.undo()
    job_retry(job=job)
    assert run(job).state == "done"
    assert left_behind() == []


def test_a_worker_lost_at_the_very_end_has_done_it(team: Team, tmp_path: Path):
    job = run(ask(team, file=upload(tmp_path, by_label())))
    Job.objects.filter(pk=job.pk).update(state="pending", result={})
    assert run(job).result == {"image_set": ImageSet.objects.get().pk}


def test_a_name_is_taken_once_per_team(team: Team, tmp_path: Path):
    other = team_get_or_create(name="Charlie's team")
    ImageSet.objects.create(name="photos", labels=["cat"], size=8)
    first = ask(team, file=upload(tmp_path, by_label()))
    with pytest.raises(StimuliError, match="'photos' is being made already"):
        ask(team, file=upload(tmp_path, by_label()))
    run(first)
    with pytest.raises(StimuliError, match="already an image set 'photos' with 4 images"):
        ask(team, file=upload(tmp_path, by_label()))
    assert run(ask(other, file=upload(tmp_path, by_label()))).state == "done"
    assert ImageSet.objects.filter(name="photos").count() == 3
    assert len(left_behind()) == 0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": "My Photos"}, "as a spec names it"),
        ({"size": 8}, "16 to 1024 px"),
        ({}, "one of the two"),
        ({"folder": "photos"}, "There is no folder 'photos' to import from"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(team: Team, values, sentence: str):
    with pytest.raises(StimuliError, match=sentence):
        ask(team, **values)
    assert not Job.objects.exists()


@pytest.fixture
def server(settings: Any, tmp_path: Path) -> Path:
    """A folder on the server with one data set, and a link that leads out of it."""
    settings.IMPORT_ROOT = str(tmp_path / "server")
    for name, content in by_label().items():
        path = tmp_path / "server" / "animals" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "server" / "elsewhere").symlink_to(tmp_path)
    return tmp_path / "server"


def test_a_folder_on_the_server(team: Team, server: Path):
    assert image_jobs.server_folders() == ["animals"]
    job = run(ask(team, folder="animals"))
    assert job.state == "done"
    assert ImageSet.objects.get().origin["source"] == "animals"
    assert (server / "animals" / "cat" / "0.jpg").exists(), "it is the server's own"


@pytest.mark.parametrize("folder", ["elsewhere", "..", "../server/animals", "animals/cat", "/etc"])
def test_no_other_folder_is_reached(team: Team, server: Path, folder: str):
    with pytest.raises(StimuliError, match="There is no folder"):
        ask(team, folder=folder)
    job = ask(team, folder="animals")
    Job.objects.filter(pk=job.pk).update(parameters=job.parameters | {"folder": folder})
    assert run(job).state == "failed", "looked at once more when it is done"


def test_a_link_in_the_servers_folder_is_refused(team: Team, server: Path):
    (server / "animals" / "cat" / "9.jpg").symlink_to("/etc/hostname")
    job = run(ask(team, folder="animals"))
    assert job.problems == ["cat/9.jpg: it is a link or a device; expected files and folders."]


def test_too_many_files_in_the_servers_folder(
    team: Team, server: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(image_jobs, "MAX_ENTRIES", 3)
    assert run(ask(team, folder="animals")).problems == [
        "The folder holds over 3 files, the most allowed."
    ]


def test_without_a_folder_of_the_administrators_there_is_none(team: Team, settings: Any):
    settings.IMPORT_ROOT = ""
    assert image_jobs.server_folders() == []
    settings.IMPORT_ROOT = "/no-such-folder"
    assert image_jobs.server_folders() == []
