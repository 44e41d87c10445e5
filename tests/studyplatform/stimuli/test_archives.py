"""Zip files at the door: what may be unpacked, and what is refused before anything is written."""

import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from studyplatform.stimuli.services import StimuliError, archives

from .photographs import by_label, photograph, zipped


def unpack(path: Path, folder: Path) -> list[str]:
    """Return the names of what was unpacked."""
    folder.mkdir(exist_ok=True)
    archives.archive_unpack(path=path, folder=folder, name="photos.zip")
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


def refused(path: Path, tmp_path: Path, sentence: str) -> None:
    folder = tmp_path / "unpacked"
    with pytest.raises(StimuliError, match=sentence):
        unpack(path, folder)
    assert list(folder.rglob("*")) == [], "nothing was written"


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def test_photographs_are_unpacked_with_progress(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", by_label())
    folder, steps = tmp_path / "unpacked", []
    folder.mkdir()
    archives.archive_unpack(
        path=path, folder=folder, name="a.zip", progress=lambda *step: steps.append(step)
    )
    assert (folder / "cat" / "0.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_operating_systems_add_is_left_out(tmp_path: Path):
    added = ("__MACOSX/cat/._0.jpg", "cat/.DS_Store", "cat/Thumbs.db", ".git/config")
    path = zipped(tmp_path / "a.zip", {"cat/0.jpg": b"0", **dict.fromkeys(added, b"x")})
    assert unpack(path, tmp_path / "unpacked") == ["cat/0.jpg"]


@pytest.mark.parametrize(
    "name", ["../out.jpg", "cat/../../out.jpg", "/etc/out.jpg", "cat\\..\\out.jpg"]
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str):
    path = zipped(tmp_path / "a.zip", {"cat/0.jpg": b"0", name: b"1"})
    refused(path, tmp_path, "its path leaves the folder")


def test_without_the_guard_it_would_be_written_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Negative control of the test above."""
    monkeypatch.setattr(archives, "_problem", lambda entry: "")
    unpack(zipped(tmp_path / "a.zip", {"../out.jpg": b"1"}), tmp_path / "unpacked")
    assert (tmp_path / "out.jpg").exists()


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        (entry("cat/0.jpg", stat.S_IFLNK | 0o777), "cat/0.jpg: it is a link or a device"),
        (entry("cat/0.jpg", stat.S_IFCHR | 0o644), "cat/0.jpg: it is a link or a device"),
        (entry("cat/more.zip"), "cat/more.zip: it is an archive inside the archive"),
        (entry("more.tar.gz"), "it is an archive inside the archive"),
        (entry("cat/\x07.jpg"), "expected a printable name"),
        (entry("a" * 301), "at most 300 characters"),
    ],
)
def test_an_entry_that_is_no_plain_file_is_refused(tmp_path: Path, info, sentence: str):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(path, tmp_path, sentence)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry("cat/0.jpg"), "0")
    assert unpack(path, tmp_path / "unpacked") == ["cat/0.jpg"]


def test_a_locked_archive_is_refused(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {"cat/0.jpg": b"0"})
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)
    refused(path, tmp_path, "locked with a password")


def test_one_file_that_grows_a_hundredfold_is_refused(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {"cat/0.png": b"\0" * 2**21, "x": os.urandom(2**16)})
    refused(path, tmp_path, r"cat/0\.png: it would unpack to over 100 times its size")


def test_many_that_grow_together_are_refused(tmp_path: Path):
    """Each is too small to be suspected alone."""
    entries = {f"cat/{n}.png": b"\0" * 2**19 for n in range(4)}
    refused(zipped(tmp_path / "a.zip", entries), tmp_path, r"\d+ times its size; expected photo")


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ("MAX_ENTRIES", 3, "holds 4 files; expected at most 3"),
        ("MAX_TOTAL", 1000, "would unpack to .* expected at most"),
        ("MAX_SINGLE", 500, r"cat/0\.jpg: it would unpack to"),
        ("_SPARE", 2**60, "too little to unpack"),
    ],
)
def test_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, sentence: str
):
    path = zipped(tmp_path / "a.zip", by_label())
    monkeypatch.setattr(archives, limit, value)
    refused(path, tmp_path, sentence)
    monkeypatch.undo()
    assert len(unpack(path, tmp_path / "unpacked")) == 4


def test_a_table_of_millions_of_entries_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    entries = {f"{n}.jpg": b"" for n in range(50)}
    path = zipped(tmp_path / "a.zip", entries)
    monkeypatch.setattr(archives, "_MAX_TABLE", 2000)
    refused(path, tmp_path, "lists far more files than 50,000")


def test_the_size_an_entry_declares_is_the_most_that_is_written(tmp_path: Path):
    """Both headers say 10 bytes, what is packed are 100,000."""
    path = zipped(tmp_path / "a.zip", {"cat/0.jpg": b"x" * 100_000})
    content = path.read_bytes().replace(struct.pack("<L", 100_000), struct.pack("<L", 10))
    path.write_bytes(content)
    folder = tmp_path / "unpacked"
    with pytest.raises(StimuliError, match=r"cat/0\.jpg in it is damaged"):
        unpack(path, folder)
    assert sum(one.stat().st_size for one in folder.rglob("*.jpg")) <= 10


def test_damage_is_named(tmp_path: Path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 and no more")
    refused(path, tmp_path, "photos.zip is no zip file")
    zipped(path, {})
    refused(path, tmp_path, "photos.zip is empty")
    picture = photograph()
    zipped(path, {"cat/0.jpg": picture})
    content = bytearray(path.read_bytes())
    content[60:90] = b"\0" * 30
    path.write_bytes(content)
    with pytest.raises(StimuliError, match=r"photos\.zip: cat/0\.jpg in it is damaged"):
        unpack(path, tmp_path / "unpacked")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_stands_for_one_thing(tmp_path: Path):
    path = tmp_path / "a.zip"
    for name, sentence in (
        ("cat/0", "holds cat/0 twice"),
        ("cat/0/1", "as a file and as a folder"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("cat/0", "0")
            archive.writestr(name, "1")
        refused(path, tmp_path, sentence)


def test_the_first_twenty_are_listed_and_how_many_more(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {f"{n}.zip": b"" for n in range(25)})
    folder = tmp_path / "unpacked"
    folder.mkdir()
    with pytest.raises(StimuliError) as caught:
        archives.archive_unpack(path=path, folder=folder, name="photos.zip")
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "And 5 more like these."
