"""Unusable input of `evaluate`: one sentence, before anything is predicted or written."""

import shutil

import pytest

from explainers.__main__ import main


def unlabelled(voc):
    for path in (voc / "Annotations").iterdir():
        path.write_text(path.read_text().replace("name>", "kind>"))


def unboxed(voc):
    for path in (voc / "Annotations").iterdir():
        path.write_text(path.read_text().replace("bndbox", "outline"))


def other_labels(voc):
    for path in (voc / "Annotations").iterdir():
        for label in ("cat", "dog", "horse"):
            path.write_text(path.read_text().replace(label, "boat"))


def empty(voc):
    (voc / "ImageSets/Main/val.txt").write_text("")


def bare(voc):
    shutil.rmtree(voc / "JPEGImages")


def used(voc):
    (voc.parent / "out").mkdir()
    (voc.parent / "out" / "notes.txt").write_text("mine")


def taken(voc):
    (voc.parent / "out").write_text("a file")


@pytest.mark.parametrize(
    ("spoil", "changes", "message"),
    [
        (empty, {}, "names no image"),
        (bare, {}, "has no folder JPEGImages"),
        (None, {"data": "absent"}, "absent has no folder JPEGImages"),
        (None, {"split": "test"}, "There is no list"),
        (None, {"model": "absent.keras"}, "There is no model file"),
        (None, {"labels": "cat,dog"}, "2 labels are given for a network with 3 outputs"),
        (None, {"methods": "magic"}, "There is no method 'magic'"),
        (None, {"methods": "occlusion:box=99"}, "box is 99 pixels, more than the image"),
        (None, {"metrics": "auc"}, "There is no metric 'auc'"),
        (None, {"metrics": ","}, "--metrics names none"),
        (None, {"metrics": "dauc,dauc"}, "--metrics names dauc twice"),
        (None, {"metrics": "sim"}, "sim needs where people look: a map (H, W); photographs in"),
        (None, {"metrics": "relevance-on-shortcut"}, "photographs in VOC layout come without"),
        (None, {"metrics": "dauc", "agreement": "occlusion,random"}, "says anything about"),
        (unboxed, {"metrics": "pointing-game"}, "pointing-game needs boxes; no annotation of"),
        (other_labels, {"metrics": "pointing-game"}, "(cat, dog, horse); the data set has boat"),
        (other_labels, {"target": "annotated"}, "--target annotated needs annotations of the"),
        (unlabelled, {"target": "annotated"}, "the data set has nothing"),
        (None, {"limit": "0"}, "--limit is 0; expected 1 or more"),
        (None, {"limit-for": "lime=3"}, "--limit-for names 'lime', which is none of --methods"),
        (None, {"limit-for": "random"}, "'random' is no limit; expected NAME=N"),
        (None, {"limit-for": "random=0"}, "--limit is 0; expected 1 or more"),
        (None, {"sheet": "-1"}, "--sheet is -1; expected 0 or more"),
        (None, {"steps": "0"}, "--steps is 0; expected 1 or more"),
        (None, {"steps": "1000"}, "--steps is 1000, more than the 256 pixels there are"),
        (None, {"seed": "-1"}, "--seed is -1"),
        (used, {}, "holds files but no evaluation; expected a new or empty folder"),
        (taken, {}, "is a file; expected a folder to write"),
    ],
)
def test_unusable_input_is_one_sentence(voc, saved, capsys, spoil, changes, message):
    if spoil:
        spoil(voc)
    before = sorted(voc.parent.rglob("*"))
    options = {
        "data": voc, "model": saved, "labels": "cat,dog,horse", "methods": "occlusion:box=4,random",
        "metrics": "dauc", "out": voc.parent / "out", **changes,
    }  # fmt: skip
    arguments = ["evaluate"]
    for key, value in options.items():
        arguments += [f"--{key}", str(value)]
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert shown.startswith("error: ")
    assert sorted(voc.parent.rglob("*")) == before


def test_two_limits_for_one_method(voc, saved, capsys):
    limits = ["--limit-for", "random=1", "--limit-for", "random=2"]
    asked = ["--data", str(voc), "--model", str(saved), "--methods", "random"]
    written = ["--metrics", "sparsity", "--out", str(voc.parent / "out")]
    assert main(["evaluate", *asked, *written, *limits]) == 2
    assert "--limit-for is given twice for random" in capsys.readouterr().err


def test_help_shows_how_to_make_the_tables(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for text in ("--limit-for h2o=16", "occ-10=occluding-patches:box=10", "--agreement"):
        assert text in shown
