"""Reading a data set in PASCAL VOC layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explainers import ExplainerError, voc

MINI = Path(__file__).parents[3] / "shared" / "data" / "voc-mini" / "VOC2007"


def an_object(label, xmin, ymin, xmax, ymax, difficult=0):
    """As VOC writes it: pixels from 1, both ends included."""
    return (
        f"<object><name>{label}</name><difficult>{difficult}</difficult><bndbox>"
        f"<xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
        "</bndbox></object>"
    )


def annotate(folder, name, objects="", size=(40, 60)):
    height, width = size
    (folder / "Annotations" / f"{name}.xml").write_text(
        f"<annotation><size><width>{width}</width><height>{height}</height></size>"
        f"{objects}</annotation>"
    )


@pytest.fixture
def folder(tmp_path):
    """Photographs a and b, 40 rows x 60 columns: the x-th column is of grey 4 * x."""
    root = tmp_path / "VOC2007"
    for part in voc.FOLDERS:
        (root / part).mkdir(parents=True)
    pixels = np.tile(np.arange(60, dtype=np.uint8) * 4, (40, 1))
    for name in ("a", "b"):
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{name}.png")
        annotate(root, name)
    (root / "ImageSets/Main/val.txt").write_text("b\na\n")
    (root / "ImageSets/Main/train.txt").write_text("")
    (root / "ImageSets/Main/cat_val.txt").write_text("b -1\na  1\n")
    return root


def test_photographs_come_in_the_order_of_their_list(folder):
    annotate(folder, "a", an_object(" cat\n", 1, 1, 60, 40))
    found = voc.photographs(folder, "val")
    assert [one.name for one in found] == ["b", "a"]
    assert found[1].size == (40, 60)
    assert found[1].objects == (voc.Object("cat", (0.0, 0.0, 40.0, 60.0)),)
    assert found[0].objects == ()
    assert voc.splits(folder) == ("train", "val")
    assert [one.name for one in voc.photographs(folder, "cat_val")] == ["b", "a"]


def test_boxes_lie_where_the_network_sees_the_object(folder):
    """Columns 25 to 34 (counted from 1) are bright; so are the pixels inside the scaled box."""
    pixels = np.zeros((40, 60), np.uint8)
    pixels[10:30, 24:34] = 255
    Image.fromarray(pixels).save(folder / "JPEGImages" / "a.png")
    annotate(folder, "a", an_object("cat", 25, 11, 34, 30))
    photograph = voc.photographs(folder, "val")[1]
    whole = photograph.boxes("cat", (None, None, 3))
    np.testing.assert_array_equal(whole, [[10, 24, 30, 34]])
    # The centred square is columns 10 to 50; resized from 40 to 80 pixels.
    square = photograph.boxes("cat", (80, 80, 3))
    np.testing.assert_array_equal(square, [[20, 28, 60, 48]])
    seen = photograph.load((80, 80, 1))[..., 0].copy()
    assert seen.shape == (80, 80)
    assert (seen[22:58, 30:46] > 250).all()
    seen[18:62, 26:50] = 0
    assert (seen < 5).all()


def test_boxes_are_cropped_with_the_photograph(folder):
    """Of columns 1 to 14 the square keeps 4 (of 14, over a quarter); of 1 to 13, 3: too few."""
    annotate(folder, "a", an_object("cat", 1, 1, 14, 40) + an_object("dog", 1, 1, 13, 40))
    photograph = voc.photographs(folder, "val")[1]
    assert photograph.labels((40, 40, 3)) == ("cat",)
    assert photograph.labels((None, None, 3)) == ("cat", "dog")
    np.testing.assert_array_equal(photograph.boxes("cat", (40, 40, 3)), [[0, 0, 40, 4]])
    assert photograph.boxes("dog", (40, 40, 3)).shape == (0, 4)
    assert photograph.boxes("horse", (40, 40, 3)).shape == (0, 4)


def test_difficult_objects_count_when_asked(folder):
    one, other = an_object("cat", 21, 1, 30, 10, difficult=1), an_object("cat", 31, 1, 40, 10)
    annotate(folder, "a", one + an_object("dog", 21, 1, 30, 10, difficult=1) + other)
    photograph = voc.photographs(folder, "val")[1]
    shape = (None, None, 3)
    assert photograph.labels(shape) == ("cat",)
    assert photograph.labels(shape, difficult=True) == ("cat", "dog")
    assert photograph.boxes("cat", shape).tolist() == [[0, 30, 10, 40]]
    assert photograph.boxes("cat", shape, difficult=True).shape == (2, 4)


def test_an_object_without_a_box_is_there_without_a_place(folder):
    annotate(folder, "a", "<object><name>cat</name></object><object><name> </name></object>")
    photograph = voc.photographs(folder, "val")[1]
    assert photograph.labels((40, 40, 3)) == ("cat",)
    assert photograph.boxes("cat", (40, 40, 3)).shape == (0, 4)


def test_a_photograph_turned_by_the_camera_is_measured_upright(folder):
    turned = Image.Exif()
    turned[0x0112] = 6
    stored = Image.fromarray(np.zeros((60, 40), np.uint8))
    (folder / "JPEGImages" / "a.png").unlink()
    stored.save(folder / "JPEGImages" / "a.jpg", exif=turned)
    photograph = voc.photographs(folder, "val")[1]
    assert photograph.size == (40, 60)
    assert photograph.load((None, None, 1)).shape == (40, 60, 1)


def remove(path):
    return lambda folder: (folder / path).unlink()


def write(path, text, encoding="utf-8"):
    return lambda folder: (folder / path).write_text(text, encoding)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: (f / "JPEGImages").rename(f / "Images"), "has no folder JPEGImages; expected"),
        (remove("ImageSets/Main/val.txt"), r"no list .*val\.txt; there are: train\."),
        (write("ImageSets/Main/val.txt", "\n \n"), r"val\.txt names no image"),
        (write("ImageSets/Main/val.txt", "a\nb\na"), "names a a second time"),
        (write("ImageSets/Main/val.txt", "../a"), "without folders"),
        (write("ImageSets/Main/val.txt", "a\0"), "printable names"),
        (write("ImageSets/Main/val.txt", "a", "utf-16"), "no UTF-8 text"),
        (write("ImageSets/Main/val.txt", "a" * 300), r"xml cannot be read: File name too long"),
        (remove("Annotations/a.xml"), r"a\.xml is missing"),
        (write("Annotations/a.xml", "<a>"), r"a\.xml is no XML"),
        (write("Annotations/a.xml", '<?xml version="1.0" encoding="foo"?><a/>'), "an encoding"),
        (remove("JPEGImages/a.png"), r"no image file .*a\.jpg"),
        (write("JPEGImages/a.png", "none"), r"a\.png cannot be read as an image"),
        (lambda f: annotate(f, "a", size=(60, 40)), "has 60 x 40 pixels.* says 40 x 60"),
        (lambda f: annotate(f, "a", an_object("cat", "x", 1, 9, 9)), "without four numbers"),
        (lambda f: annotate(f, "a", an_object("cat", "nan", 1, 9, 9)), "without four numbers"),
        (lambda f: annotate(f, "a", an_object("cat", 9, 1, 8, 9)), "from x 9 to 8 and y 1 to 9"),
    ],
)
def test_a_damaged_data_set_is_one_sentence(folder, spoil, sentence):
    assert len(voc.photographs(folder, "val")) == 2  # sound until spoilt
    spoil(folder)
    with pytest.raises(ExplainerError, match=sentence) as caught:
        voc.photographs(folder, "val")
    assert str(caught.value).endswith(".")


def test_an_empty_folder_says_what_was_expected(tmp_path):
    with pytest.raises(ExplainerError, match="no folder JPEGImages; expected PASCAL VOC layout"):
        voc.photographs(tmp_path, "val")


def test_a_photograph_damaged_further_in_is_refused_when_loaded(folder):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    (folder / "JPEGImages" / "a.png").unlink()
    path = folder / "JPEGImages" / "a.jpg"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-1000])
    photograph = voc.photographs(folder, "val")[1]
    with pytest.raises(ExplainerError, match=r"a\.jpg cannot be read as an image"):
        photograph.load((40, 40, 3))


@pytest.mark.photographs
@pytest.mark.skipif(not MINI.is_dir(), reason=f"needs the data in {MINI}")
def test_a_published_data_set():
    found = voc.photographs(MINI, "val")
    assert len(found) == 128
    shape = (224, 224, 3)
    people = [one for one in found if "person" in one.labels(shape)]
    assert 40 < len(people) < 128
    for one in people:
        boxes = one.boxes("person", shape)
        assert len(boxes)
        assert (boxes >= 0).all()
        assert (boxes <= 224).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert people[0].load(shape).shape == shape
