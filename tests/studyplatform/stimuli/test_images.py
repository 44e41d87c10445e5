"""Importing image sets: whole or not at all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from studyplatform.stimuli import services
from studyplatform.stimuli.models import Image, ImageSet

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media_root")]
RNG = np.random.default_rng(7)


def voc(folder: Path, images: dict[str, list[str]], val: tuple[str, ...] = ()) -> Path:
    """Write a data set in VOC layout: name -> labels of its objects."""
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / part).mkdir(parents=True)
    for name, labels in images.items():
        pixels = RNG.integers(0, 255, (40, 60, 3), dtype=np.uint8)
        PillowImage.fromarray(pixels).save(folder / "JPEGImages" / f"{name}.jpg")
        objects = "".join(f"<object><name>{label}</name></object>" for label in labels)
        (folder / "Annotations" / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")
    train = "".join(f"{name}\n" for name in images if name not in val)
    (folder / "ImageSets" / "Main" / "train.txt").write_text(train)
    (folder / "ImageSets" / "Main" / "val.txt").write_text("".join(f"{name}\n" for name in val))
    return folder


def load(folder: Path) -> services.ImportReport:
    return services.image_set_import_voc(name="photos", folder=folder, size=32)


def test_voc_layout_is_read_with_labels_and_splits(tmp_path: Path):
    folder = voc(tmp_path / "v", {"1": ["horse", "person", "horse"], "2": [], "3": ["cat"]}, ("3",))
    seen: list[tuple[int, int]] = []
    report = services.image_set_import_voc(
        name="photos",
        folder=folder,
        size=32,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert report.images == 3
    assert report.duplicates == []
    assert report.image_set.labels == ["cat", "horse", "person"]
    found = {image.name: (image.split, image.labels) for image in Image.objects.all()}
    assert found == {
        "1": ("train", ["horse", "person"]),
        "2": ("train", []),
        "3": ("val", ["cat"]),
    }
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_every_bad_file_is_named_and_nothing_is_kept(tmp_path: Path):
    folder = voc(tmp_path / "v", {"1": ["cat"], "2": ["cat"], "3": ["cat"], "4": ["cat"]})
    (folder / "JPEGImages" / "2.jpg").write_text("none")
    (folder / "JPEGImages" / "3.jpg").unlink()
    with pytest.raises(services.StimuliError) as caught:
        load(folder)
    assert caught.value.problems == [
        "2: it is no image; expected JPEG, PNG or WebP.",
        "3: the file is missing.",
    ]
    assert not ImageSet.objects.exists()
    assert not Image.objects.exists()


def test_the_same_pixels_twice_are_kept_once_and_reported(tmp_path: Path):
    folder = voc(tmp_path / "v", {"1": ["cat"], "2": ["cat"]})
    first = (folder / "JPEGImages" / "1.jpg").read_bytes()
    (folder / "JPEGImages" / "2.jpg").write_bytes(first)
    report = load(folder)
    assert report.duplicates == [("2", "1")]
    assert report.images == Image.objects.count() == 1


def test_a_name_is_taken_once(tmp_path: Path):
    folder = voc(tmp_path / "v", {"1": ["cat"]})
    load(folder)
    with pytest.raises(services.StimuliError, match="already an image set 'photos' with 1 images"):
        load(folder)


def declare(encoding: str) -> Callable[[Path], int]:
    """Return what makes the first annotation declare an encoding."""
    text = f'<?xml version="1.0" encoding="{encoding}"?><annotation/>'
    return lambda folder: (folder / "Annotations" / "1.xml").write_text(text)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: (f / "Annotations" / "1.xml").unlink(), "1.xml is missing"),
        (lambda f: (f / "Annotations" / "1.xml").write_text("<a>"), "1.xml is no XML"),
        (
            lambda f: (f / "Annotations" / "1.xml").write_text("<annotation/>"),
            "names an object",
        ),
        (
            lambda f: (f / "ImageSets/Main/train.txt").write_text("../../secret\n"),
            "without folders",
        ),
        (lambda f: (f / "ImageSets/Main/train.txt").write_text("1\n1\n"), "a second time"),
        (lambda f: (f / "ImageSets/Main/train.txt").write_text(""), "names no image"),
        (
            lambda f: [p.unlink() for p in (f / "ImageSets/Main").iterdir()],
            "neither train.txt nor val.txt",
        ),
        (lambda f: (f / "Annotations").rename(f / "Labels"), "has no folder Annotations"),
        (declare("gb2312"), r"1\.xml declares an encoding that cannot be read"),
        (declare("foo"), r"1\.xml declares an encoding that cannot be read"),
        (lambda f: (f / "ImageSets/Main/train.txt").write_text("1\0\n"), "printable names"),
        (lambda f: (f / "ImageSets/Main/train.txt").write_text("1" * 201), "at most 200 char"),
        (lambda f: (f / "ImageSets/Main/train.txt").write_text("1", "utf-16"), "no UTF-8 text"),
        (lambda f: (f / "ImageSets/Main/train.txt").write_text("\xe4", "latin-1"), "no UTF-8 text"),
    ],
)
def test_a_broken_layout_is_one_sentence(tmp_path: Path, spoil, sentence: str):
    folder = voc(tmp_path / "v", {"1": ["cat"]})
    spoil(folder)
    with pytest.raises(services.StimuliError, match=sentence) as caught:
        load(folder)
    assert len(caught.value.problems) == 1
    assert not ImageSet.objects.exists()


def test_a_byte_order_mark_and_space_around_labels_are_no_part_of_names(tmp_path: Path):
    folder = voc(tmp_path / "v", {"1": ["\n cat \n", "cat", "  "]})
    (folder / "ImageSets/Main/train.txt").write_text("1\n", encoding="utf-8-sig")
    report = load(folder)
    assert report.image_set.labels == ["cat"]
    assert [(image.name, image.labels) for image in Image.objects.all()] == [("1", ["cat"])]


@pytest.mark.parametrize("name", ["", "My Photos", "a/b", "1st", "a" * 41, "a" * 200, "a\n"])
def test_a_name_that_no_spec_can_refer_to_is_refused(tmp_path: Path, name: str):
    folder = voc(tmp_path / "v", {"1": ["cat"]})
    for load_named in (
        lambda: services.image_set_import_voc(name=name, folder=folder, size=32),
        lambda: services.image_set_import_demo(name=name, count=1),
    ):
        with pytest.raises(services.StimuliError, match="as a spec names it") as caught:
            load_named()
        assert len(caught.value.problems) == 1
    assert not ImageSet.objects.exists()
    report = services.image_set_import_voc(name="a" * 40, folder=folder, size=32)
    assert report.images == 1


def test_scenes_are_imported_with_their_labels():
    from explainers import demo
    from studyplatform.stimuli import pictures

    report = services.image_set_import_demo(count=3)
    assert report.images == 6
    scene = demo.scene(1, split="val")
    image = Image.objects.get(name=scene.name)
    assert image.labels == list(scene.labels)
    assert image.split == "val"
    assert image.display_size > demo.SIZE
    assert (pictures.pixels_of(image.sha256) == scene.image).all()


def test_an_object_cut_away_with_the_margins_is_no_label(tmp_path: Path):
    """60 x 40 pixels keep x from 10 to 50. Of boxes 20 wide, the square keeps 0, 4, 6 and 20."""
    folder = voc(tmp_path / "v", {"1": []})

    def one(name: str, xmin: int) -> str:
        box = f"<xmin>{xmin}</xmin><ymin>5</ymin><xmax>{xmin + 20}</xmax><ymax>25</ymax>"
        return f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"

    objects = one("gone", -10) + one("sliver", -6) + one("part", -4) + one("whole", 20)
    size = "<size><width>60</width><height>40</height></size>"
    (folder / "Annotations" / "1.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    load(folder)
    assert Image.objects.get().labels == ["part", "whole"]


def test_a_box_without_numbers_is_named(tmp_path: Path):
    folder = voc(tmp_path / "v", {"1": []})
    (folder / "Annotations" / "1.xml").write_text(
        "<annotation><size><width>60</width><height>40</height></size>"
        "<object><name>cat</name><bndbox><xmin>a</xmin></bndbox></object></annotation>"
    )
    with pytest.raises(services.StimuliError, match=r"1\.xml has a bndbox without four numbers"):
        load(folder)
