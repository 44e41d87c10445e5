"""What a folder of photographs is, and which labels and splits its files have."""

from collections import Counter
from pathlib import Path

import pytest

from studyplatform.stimuli.services import StimuliError, layouts


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


VOC = ("JPEGImages/1.jpg", "Annotations/1.xml", "ImageSets/Main/train.txt")


@pytest.mark.parametrize("around", ["", "VOC2007/", "VOCdevkit/VOC2012/", "a/VOCdevkit/VOC2012/"])
def test_a_voc_tree_is_found_in_folders_around_it(tmp_path: Path, around: str):
    tree(tmp_path, *(around + name for name in VOC))
    assert layouts.layout_of(tmp_path) == ("voc", tmp_path / around)


def test_a_voc_tree_without_images_is_still_one(tmp_path: Path):
    """So that what is missing of it can be named."""
    assert layouts.layout_of(tree(tmp_path, *VOC[1:])) == ("voc", tmp_path)


def test_two_voc_trees_are_one_too_many(tmp_path: Path):
    for year in ("VOC2007", "VOC2012"):
        tree(tmp_path, *(f"VOCdevkit/{year}/{name}" for name in VOC))
    with pytest.raises(StimuliError, match=r"several data sets \(VOCdevkit/VOC2007, .*2012\)"):
        layouts.layout_of(tmp_path)


@pytest.mark.parametrize("around", ["", "photos/", "a/photos/"])
def test_a_folder_per_label_is_found_in_folders_around_it(tmp_path: Path, around: str):
    tree(tmp_path, f"{around}cat/1.jpg", f"{around}horse/1.jpg", f"{around}README.txt")
    assert layouts.layout_of(tmp_path) == ("folders", tmp_path / around)


def files(root: Path) -> dict[str, tuple[str, str]]:
    return {one.name: (one.split, one.label) for one in layouts.files_by_label(root).files}


@pytest.mark.parametrize("around", ["", "photos/"])
def test_train_and_val_on_top_are_the_splits(tmp_path: Path, around: str):
    tree(tmp_path, *(f"{around}{name}" for name in ("train/cat/1.jpg", "val/cat/1.jpg")))
    tree(tmp_path, *(f"{around}{name}" for name in ("train/horse/2.jpg", "val/horse/.hidden")))
    tree(tmp_path, f"{around}val/horse/3.jpg", f"{around}LICENSE")
    _, root = layouts.layout_of(tmp_path)
    assert files(root) == {
        "train/cat/1.jpg": ("train", "cat"),
        "train/horse/2.jpg": ("train", "horse"),
        "val/cat/1.jpg": ("val", "cat"),
        "val/horse/3.jpg": ("val", "horse"),
    }
    assert not layouts.files_by_label(root).drawn
    tree(root, "stray.jpg")
    assert layouts.files_by_label(root).problems == ["stray.jpg: it lies in no label's folder."]


def test_train_alone_is_a_split_too(tmp_path: Path):
    tree(tmp_path, "train/cat/1.jpg", "train/horse/1.jpg")
    _, root = layouts.layout_of(tmp_path)
    assert {split for split, _ in files(root).values()} == {"train"}


def test_train_is_a_label_where_it_holds_images(tmp_path: Path):
    tree(tmp_path, "train/1.jpg", "car/1.jpg")
    assert {label for _, label in files(tmp_path).values()} == {"train", "car"}


def test_undivided_half_of_each_label_is_drawn_always_the_same(tmp_path: Path):
    names = [f"{label}/{n}.jpg" for label in ("cat", "horse") for n in range(9)]
    tree(tmp_path, *names)
    found = layouts.files_by_label(tmp_path)
    assert found.drawn
    counts = Counter((one.label, one.split) for one in found.files)
    assert counts == {
        ("cat", "train"): 5,
        ("cat", "val"): 4,
        ("horse", "train"): 5,
        ("horse", "val"): 4,
    }
    before = files(tmp_path)
    # Drawn, not cut off at the end; and another label changes nothing of these.
    assert {name for name, (split, _) in before.items() if split == "val"} != {
        f"{label}/{n}.jpg" for label in ("cat", "horse") for n in range(5, 9)
    }
    tree(tmp_path, "bird/1.jpg")
    assert before.items() <= files(tmp_path).items()


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["cat/1.jpg"], "There is only the folder 'cat'; expected a folder for each label"),
        (["1.jpg", "2.jpg"], "There is no folder of images"),
        (["README.txt"], "There are no images"),
        (["train/1.jpg", "val/1.jpg"], "train and val hold images; expected a folder for each"),
    ],
)
def test_what_is_no_folder_per_label_is_said(tmp_path: Path, names: list[str], sentence: str):
    tree(tmp_path, *names)
    with pytest.raises(StimuliError, match=sentence):
        layouts.files_by_label(layouts.layout_of(tmp_path)[1])


def test_what_lies_in_the_wrong_place_is_listed(tmp_path: Path):
    tree(tmp_path, "cat/1.jpg", "cat/more/2.jpg", "horse/1.jpg", "stray.jpg", "a\tb/1.jpg")
    (tmp_path / "empty").mkdir()
    problems = layouts.files_by_label(tmp_path).problems
    assert problems == [
        "a\tb: 'a\\tb' is no label; expected 1 to 80 printable characters.",
        "cat/more: it is a folder in a label's folder; expected images.",
        "empty: the folder is empty; expected images.",
        "stray.jpg: it lies in no label's folder.",
    ]


def test_links_and_too_many_files_are_refused(tmp_path: Path):
    tree(tmp_path, "cat/1.jpg", "horse/1.jpg")
    layouts.folder_check(tmp_path, at_most=2)
    with pytest.raises(StimuliError, match="over 1 files"):
        layouts.folder_check(tmp_path, at_most=1)
    (tmp_path / "cat" / "2.jpg").symlink_to("/etc/hostname")
    (tmp_path / "dog").symlink_to("/etc")
    with pytest.raises(StimuliError) as caught:
        layouts.folder_check(tmp_path, at_most=10)
    assert sorted(caught.value.problems) == [
        "cat/2.jpg: it is a link or a device; expected files and folders.",
        "dog: it is a link or a device; expected files and folders.",
    ]
