import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from explainers import (
    CLASS_AGNOSTIC,
    Classifier,
    MultiScaleOcclusion,
    available,
    create,
    registry,
)
from explainers.__main__ import _setting, main
from explainers.images import load_image
from explainers.render import above, overlay

from .methods import cheap


@pytest.fixture(scope="module")
def folder(tmp_path_factory, network):
    path = tmp_path_factory.mktemp("command-line")
    network.save(path / "network.keras")
    (path / "labels.txt").write_text("cat\ndog\n\nhorse\n")
    (path / "marked.txt").write_text("cat\ndog\nhorse\n", encoding="utf-8-sig")
    (path / "latin.txt").write_text("cat\nchien\nfen\u00eatre\n", encoding="latin-1")
    picture = np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(picture).save(path / "picture.png")
    return path


@pytest.fixture
def explain(folder, tmp_path):
    """Run `explain` with some options changed, or left out (None)."""

    def run(**changes):
        options = {
            "image": str(folder / "picture.png"),
            "model": str(folder / "network.keras"),
            "method": "multiscale",
            "target": "dog",
            "labels": str(folder / "labels.txt"),
            "preprocess": "unit",
            "out": str(tmp_path / "overlay.png"),
            "raw": str(tmp_path / "map.npy"),
            **{key: value for key, value in changes.items() if key != "settings"},
        }
        arguments = ["explain", options.pop("image")]
        for key, value in options.items():
            arguments += [] if value is None else [f"--{key}", *([value] if value else [])]
        for setting in changes.get("settings", ["depth=2", "best=3"]):
            arguments += ["--set", setting]
        return main(arguments)

    return run


def test_list_names_methods_and_parameters(capsys):
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    for text in ("multiscale:", "occlusion:", "lrp:", "depth = 4", "needs the network"):
        assert text in shown


def test_who_has_read_enough_of_a_list_hears_no_complaint():
    """As `list | head -1`, at its hardest: nobody reads at all."""
    listing = subprocess.Popen(
        [sys.executable, "-u", "-m", "explainers", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    listing.stdout.close()
    assert listing.stderr.read() == ""
    assert listing.wait() == 0
    listing.stderr.close()


@pytest.mark.parametrize("columns", range(60, 100, 7))
def test_help_tears_no_name_in_two(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    words = capsys.readouterr().out.replace(",", " ").split()
    assert set(available()) <= set(words)


def test_list_as_a_table_with_the_columns_of_the_paper(capsys):
    """000's Table 2: family, model-agnostic, class-agnostic, ground truth, hierarchical."""
    assert main(["list", "--markdown"]) == 0
    head, rule, *rows = capsys.readouterr().out.splitlines()
    columns = [cell.strip() for cell in head.strip("|").split("|")]
    assert columns[2:] == [
        "family",
        "model-agnostic",
        "class-agnostic",
        "needs ground truth",
        "hierarchical",
    ]
    assert rule == "|" + "---|" * len(columns)
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0].strip("`") for row in cells] == list(available())
    known = {row[0].strip("`"): row[2:] for row in cells}
    assert known["lrp"] == ["gradient", "", "", "", ""]
    assert known["multiscale"] == ["occlusion", "yes", "", "", "yes"]


def test_explain_writes_the_overlay_and_the_map(explain, folder, tmp_path, network, capsys):
    assert explain() == 0
    image = load_image(folder / "picture.png", (24, 24, 3))
    classifier = Classifier.from_keras(network, labels=["cat", "dog", "horse"], preprocess="unit")
    expected = MultiScaleOcclusion(classifier, depth=2, best=3).explain(image, "dog")
    heatmap = np.load(tmp_path / "map.npy")
    np.testing.assert_allclose(heatmap, expected, atol=1e-6)
    assert heatmap.dtype == np.float32
    with Image.open(tmp_path / "overlay.png") as picture:
        assert picture.format == "PNG"
        assert (np.asarray(picture) == overlay(image, heatmap)).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.npy", "overlay.png"]
    assert "overlay.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("labels", "target"),
    [
        ("cat,dog,horse", "dog"),
        (None, "1"),
        ("cat,dog,horse", "1"),
        ("cat,-1,horse", "-1"),
        ("St. Bernard,a/b.txt,horse", "a/b.txt"),
        ("FOLDER/marked.txt", "1"),
    ],
)
def test_labels_and_targets(explain, folder, tmp_path, labels, target):
    assert explain() == 0
    expected = np.load(tmp_path / "map.npy")
    (tmp_path / "map.npy").unlink()
    assert explain(labels=labels and labels.replace("FOLDER", str(folder)), target=target) == 0
    assert (np.load(tmp_path / "map.npy") == expected).all()


def test_the_mark_at_the_beginning_of_a_file_is_no_part_of_a_label(explain, folder):
    assert explain(labels=str(folder / "marked.txt"), target="cat") == 0


def test_the_score_that_is_explained_and_the_three_highest(explain, make_network, tmp_path, capsys):
    network = scored(make_network(outputs=4), [0.0, np.log(3), -np.log(3), np.log(9)])
    network.save(tmp_path / "network.keras")
    chosen = {"model": str(tmp_path / "network.keras"), "labels": "cat,dog,horse,cow"}
    assert explain(**chosen, target="horse") == 0
    shown = capsys.readouterr()
    highest = "highest: cow 0.9, dog 0.75, cat 0.5\n"
    assert shown.out.startswith(f"explained: horse 0.25; {highest}")
    assert shown.err == ""
    assert explain(**chosen, method="edges", target=None, settings=[]) == 0
    assert capsys.readouterr().out.startswith(f"explained: the whole prediction; {highest}")


@pytest.mark.parametrize(
    ("activation", "target", "cautious"),
    [("sigmoid", "dog", True), ("sigmoid", "cat", False), ("linear", "dog", False)],
)
def test_a_caution_where_there_is_next_to_nothing_to_explain(
    explain, make_network, tmp_path, capsys, activation, target, cautious
):
    scored(make_network(activation=activation), [0, -6, -9]).save(tmp_path / "network.keras")
    assert explain(model=str(tmp_path / "network.keras"), target=target) == 0
    caution = "caution: the network gives dog a score of 0.00247, so the map explains next to"
    assert (caution in capsys.readouterr().err) is cautious


def scored(network, scores):
    """The network with the same scores, before its activation, for every image."""
    network.layers[-1].set_weights([network.layers[-1].get_weights()[0] * 0, np.array(scores)])
    return network


def test_a_note_where_no_preprocessing_was_asked_for(explain, network, tmp_path, capsys):
    """Not where it was, be it "none", nor where the network scales its pixels itself."""
    import keras

    own = keras.Sequential([keras.Input((24, 24, 3)), keras.layers.Rescaling(1 / 255), network])
    own.save(tmp_path / "own.keras")
    for changes, noted in (
        ({"preprocess": None}, True),
        ({"preprocess": "none"}, False),
        ({"preprocess": None, "model": str(tmp_path / "own.keras")}, False),
    ):
        assert explain(**changes) == 0
        assert ("note: no preprocessing was asked for" in capsys.readouterr().err) is noted


def test_as_many_labels_as_there_are_outputs(explain, tmp_path, make_network):
    make_network(outputs=80).save(tmp_path / "eighty.keras")
    labels = ",".join(f"class {i}" for i in range(80))
    assert len(labels) > 255  # longer than a file's name can be
    assert explain(model=str(tmp_path / "eighty.keras"), labels=labels, target="class 79") == 0


def test_a_file_may_have_the_longest_name_there_is(explain, tmp_path):
    out = tmp_path / ("o" * 251 + ".png")
    assert explain(out=str(out)) == 0
    assert out.is_file()


def test_settings_reach_the_method(explain, tmp_path):
    assert explain(method="occlusion", settings=["box=12", "fill=255,0,0"], raw=None) == 0
    assert not (tmp_path / "map.npy").exists()
    assert explain(settings=["depth=2", "best=all", "signed=true", "min_importance=0.5"]) == 0


@pytest.mark.parametrize("name", available())
def test_every_method(explain, folder, tmp_path, network, name):
    """Its raw map, and a picture of what supports the label, from the method's baseline."""
    settings = cheap(name)
    target = None if registry.method(name).class_agnostic else "dog"
    assert explain(method=name, target=target, settings=written(settings)) == 0
    image = load_image(folder / "picture.png", (24, 24, 3))
    classifier = Classifier.from_keras(network, labels=["cat", "dog", "horse"], preprocess="unit")
    explainer = create(name, classifier, **settings)
    raw = np.load(tmp_path / "map.npy")
    expected = explainer.explain(image, "dog")
    assert raw.shape == expected.shape
    np.testing.assert_allclose(raw, expected, atol=1e-5 * np.abs(expected).max())
    shown = above(explainer.support(raw), registry.method(name).baseline)
    with Image.open(tmp_path / "overlay.png") as picture:
        assert (np.asarray(picture) == overlay(image, shown)).all()


def written(settings):
    return [f"{key}={value}" for key, value in settings.items()]


def test_the_colours_of_mc_rise(explain, tmp_path):
    settings = [*written(cheap("mc-rise")), "colours=red,black"]
    assert explain(method="mc-rise", settings=settings) == 0
    assert np.load(tmp_path / "map.npy").shape == (2, 24, 24)
    assert explain(method="mc-rise", settings=[*written(cheap("mc-rise")), "colours=red,"]) == 0
    assert np.load(tmp_path / "map.npy").shape == (1, 24, 24)


def test_the_whole_prediction_instead_of_a_label(explain, folder, tmp_path, network):
    assert explain(target=None, settings=["depth=2", "best=3"], **{"class-agnostic": ""}) == 0
    image = load_image(folder / "picture.png", (24, 24, 3))
    classifier = Classifier.from_keras(network, labels=["cat", "dog", "horse"], preprocess="unit")
    expected = MultiScaleOcclusion(classifier, depth=2, best=3).explain(image, CLASS_AGNOSTIC)
    np.testing.assert_allclose(np.load(tmp_path / "map.npy"), expected, atol=1e-6)


def test_none_and_lists_in_settings():
    """`None` as `list` prints it; "none" is one of multiscale's offsets."""
    assert _setting("stride=None") == ("stride", None)
    assert _setting("offsets=none") == ("offsets", "none")
    assert _setting("fill=255,0,0.5") == ("fill", (255, 0, 0.5))
    assert _setting("colours=red,white") == ("colours", ("red", "white"))
    assert _setting("colours=red,") == ("colours", ("red",))
    assert _setting("signed=True") == ("signed", True)


def test_a_stride_of_none_and_offsets_of_none_reach_the_method(explain):
    assert explain(method="occlusion", settings=["box=12", "stride=None"]) == 0
    assert explain(settings=["depth=2", "offsets=none"]) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": None}, "--target is missing: multiscale explains one label"),
        ({"image": "absent.jpg"}, "There is no image file absent.jpg"),
        ({"image": "absent.jpg", "model": "absent.keras"}, "There is no image file absent.jpg"),
        ({"image": "FOLDER/network.keras"}, "cannot be read as an image"),
        ({"model": "FOLDER/picture.png"}, "cannot be read as a Keras model"),
        ({"model": "absent.keras"}, "There is no model file"),
        ({"method": "magic"}, "There is no method 'magic'"),
        ({"target": "cow"}, "no label 'cow'; it has cat, dog, horse"),
        ({"target": "7"}, "no output 7"),
        ({"target": "-1"}, "no output -1; the classifier has 3, from 0"),
        ({"target": "-" + "9" * 12}, "--target is a number of 12 digits"),
        ({"labels": "cat,dog"}, "2 labels are given for a network with 3 outputs"),
        ({"labels": "FOLDER/network.keras"}, "cannot be read as a list of labels"),
        ({"labels": "FOLDER/latin.txt"}, "latin.txt cannot be read as a list of labels, one per"),
        ({"labels": "FOLDER/latin.txt"}, "it is no UTF-8 text; save it as UTF-8."),
        ({"labels": "FOLDER"}, " is a folder; expected a file with one per line"),
        ({"labels": "lables.txt"}, "There is no file of labels lables.txt; expected"),
        ({"labels": "FOLDER/labels"}, "There is no file of labels"),
        ({"labels": "..\\labels"}, "There is no file of labels"),
        ({"preprocess": "magic"}, "no preprocessing 'magic'"),
        ({"settings": ["size=3"]}, "multiscale has no parameter 'size'; it has depth"),
        ({"settings": ["depth"]}, "expected KEY=VALUE"),
        ({"settings": ["depth=0"]}, "depth is 0"),
        ({"settings": ["depth=9"]}, "under one pixel"),
        ({"out": "FOLDER/absent/overlay.png"}, "There is no folder"),
        ({"out": "FOLDER/overlay.jpg"}, "ends in .png"),
        ({"raw": "FOLDER/map.txt"}, "ends in .npy"),
        ({"image": "FOLDER/" + "a" * 300}, "cannot be read as an image"),
        ({"model": "a" * 300}, "There is no model file"),
        ({"out": "FOLDER/" + "a" * 300 + ".png"}, "cannot be written: File name too long"),
        ({"out": "FOLDER/" + "a" * 300 + "/overlay.png"}, "There is no folder"),
        ({"out": "FOLDER/a\0.png"}, "cannot be written: embedded null"),
        ({"raw": "FOLDER/" + "a" * 300 + ".npy"}, "cannot be written: File name too long"),
        ({"target": "9" * 5000}, "--target is a number of 5000 digits"),
        ({"labels": ",".join(f"class {i}" for i in range(80))}, "80 labels are given"),
        ({"settings": ["batch_size=99999999999"]}, "expected 1 to 4096"),
        ({"method": "lrp", "settings": ["epsilon=" + "9" * 400]}, "epsilon is 999"),
    ],
)
def test_unusable_input_is_one_line_and_leaves_nothing(
    explain, folder, tmp_path, capsys, changes, message
):
    before = sorted(folder.iterdir())
    fixed = {
        key: value.replace("FOLDER", str(folder)) if isinstance(value, str) else value
        for key, value in changes.items()
    }
    assert explain(**fixed) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert shown.startswith("error: ")
    assert list(tmp_path.iterdir()) == []
    assert sorted(folder.iterdir()) == before


def test_when_one_of_two_files_cannot_be_written_neither_is(explain, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "overlay.png").write_bytes(b"before")
    monkeypatch.setattr(np, "save", full)
    assert explain() == 2
    assert "map.npy cannot be written: No space left on device" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.png"]
    assert (tmp_path / "overlay.png").read_bytes() == b"before"


def test_missing_options_exit_with_2(capsys):
    with pytest.raises(SystemExit) as error:
        main(["explain", "picture.png"])
    assert error.value.code == 2
    assert "--model" in capsys.readouterr().err
