"""Whole evaluations of a small network: what they write, and how they go on when interrupted."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explainers import CLASS_AGNOSTIC, ExplainerError, create
from explainers.__main__ import _setting, main
from explainers.evaluation import command
from explainers.evaluation.columns import parse
from explainers.evaluation.lock import WriteError
from explainers.evaluation.plan import Plan
from explainers.evaluation.run import Watch, run
from explainers.evaluation.store import Store, write
from explainers.metrics import metric
from explainers.metrics.curves import deletion_curve
from explainers.voc import photographs

METHODS = "occlusion:box=4,occlusion-thresholded,rise:masks=20,mc-rise:masks=20,random"
METRICS = "dauc,is,sparsity,deletion,ca-deletion,pointing-game,scg,ccg"
WRITTEN = {
    "settings.json", "values.csv", "summary.csv", "table-000.md", "table-000.tex", "table-002.md",
    "table-002.tex", "table-004.md", "table-004.tex", "curves.csv", "curves.svg", "curves.png",
    "contact-sheet.png",
}  # fmt: skip


def command_line(data, model, out, **changes):
    """The arguments of an evaluation, some changed or left out (None)."""
    options = {
        "data": data, "model": model, "labels": "cat,dog,horse", "preprocess": "unit",
        "methods": METHODS, "metrics": METRICS, "agreement": "occlusion,rise", "steps": 8,
        "seed": 3, "limit": 3, "out": out, **changes,
    }  # fmt: skip
    given = [(f"--{key}", str(value)) for key, value in options.items() if value is not None]
    return ["evaluate", *(text for pair in given for text in pair)]


@pytest.fixture(scope="module")
def complete(tmp_path_factory, saved, voc_at):
    """The folder of the photographs, that of their complete evaluation, and what it returned."""
    folder = tmp_path_factory.mktemp("complete")
    voc = voc_at(folder / "VOC")
    return voc, folder / "out", main(command_line(voc, saved, folder / "out"))


@pytest.fixture
def plan(voc, small):
    """Make a plan of two cheap methods and metrics, or others."""

    def make(methods="occlusion:box=4,random", metrics="dauc,deletion", **more):
        columns = parse(methods, setting=_setting, seed=more.get("seed", 0))
        chosen = tuple(metric(name) for name in metrics.split(","))
        return Plan(small, photographs(voc, "val"), columns, chosen, **{"steps": 8, **more})

    return make


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def files(folder):
    """Everything written but the maps, whose files carry a time; the lock holds nothing."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {str(name): path.read_bytes() for name, path in found.items() if name.parts[0] != "maps"}


def begin(folder, settings):
    with Store(folder, settings).open():
        pass


class Stops(command._Progress):
    """A progress bar in whose middle somebody presses Ctrl-C."""

    def step(self, column, image, done, total):
        if (column, image) == ("rise", "b"):
            raise KeyboardInterrupt


def test_a_complete_evaluation(complete, small):
    voc, out, code = complete
    assert code == 0
    assert {path.name for path in out.iterdir() if path.is_file()} == WRITTEN | {".lock"}
    rows = read(out / "values.csv")
    assert list(rows[0]) == [
        "image", "method", "target", "metric", "setting", "value", "reason"
    ]  # fmt: skip
    # Five methods, seven plain values each and two under four settings; the agreement's two under
    # four; one each of the two controls: of three images.
    assert len(rows) == 3 * (5 * (6 + 2 * 4) + 2 * 4 + 2)
    assert all(bool(row["value"]) != bool(row["reason"]) for row in rows)
    image = photographs(voc, "val")[1].load((16, 16, 3))
    heatmap = create("occlusion", small, box=4).explain(image, CLASS_AGNOSTIC)
    expected = metric("dauc").function(deletion_curve(small, image, heatmap, steps=8, seed=3))
    (found,) = (
        row
        for row in rows
        if (row["image"], row["method"], row["metric"]) == ("b", "occlusion", "dauc")
    )
    assert float(found["value"]) == pytest.approx(expected, rel=1e-5)
    top = small.labels[int(small.predict(image[np.newaxis])[0].argmax())]
    assert {row["target"] for row in rows if row["image"] == "b"} == {"", top}


def test_killed_in_the_middle_it_goes_on_to_the_same_files(complete, saved, tmp_path, capsys):
    voc, whole, _ = complete
    killed = tmp_path / "killed"
    arguments = command_line(voc, saved, killed)
    code = (
        "import os, sys\n"
        "from explainers.__main__ import main\n"
        "from explainers.evaluation import command\n"
        "class Killed(command._Progress):\n"
        "    def step(self, column, image, done, total):\n"
        "        if (column, image) == ('rise', 'b'): os.kill(os.getpid(), 9)\n"
        "command._Progress = Killed\n"
        "main(sys.argv[1:])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert ended.returncode == -9, ended.stderr
    done = {str(path.relative_to(killed / "units")) for path in (killed / "units").rglob("*.json")}
    assert "rise/a.json" in done
    assert "occlusion-thresholded/b.json" in done
    assert "rise/b.json" not in done
    assert not (killed / "values.csv").exists()
    assert main(arguments) == 0
    assert files(killed) == files(whole)
    shown = capsys.readouterr().out.split()
    assert {Path(name).name for name in shown} == WRITTEN - {"settings.json"}


def test_interrupted_it_says_how_far_it_came(voc, saved, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "_Progress", Stops)
    assert main(command_line(voc, saved, tmp_path / "out")) == 130
    # Image a: five methods, the agreement, two controls; of b the first two.
    assert capsys.readouterr().err.strip() == (
        "interrupted; 10 of 24 are done, the same command goes on."
    )


class Notes(Watch):
    """Writes down what was predicted, and what was stored."""

    def __init__(self):
        self.steps, self.ends = [], []

    def step(self, column, image, done, total):
        self.steps.append((column, image, total))

    def finished(self, column, image):
        self.ends.append((column, image))


def test_what_is_done_is_not_done_again(plan, tmp_path):
    one, first, second = plan(), Notes(), Notes()
    store = Store(tmp_path / "out", one.settings())
    assert run(one, store, one.explainers(), watch=first, sheet=2) == []
    assert ("occlusion", "d", 17) in first.steps
    assert first.ends == [(column, image) for image in "abcd" for column in ("occlusion", "random")]
    before = files(tmp_path / "out")
    assert run(one, Store(tmp_path / "out", one.settings()), one.explainers(), watch=second) == []
    assert second.steps == second.ends == []
    assert files(tmp_path / "out") == before
    kept = {path.parent.name + path.stem for path in (tmp_path / "out/maps").rglob("*.npz")}
    assert kept == {"occlusiona", "occlusionb", "randoma", "randomb"}


def test_methods_and_images_may_be_added(plan, tmp_path):
    one = plan("occlusion:box=4", limit=1)
    run(one, Store(tmp_path / "out", one.settings()), one.explainers())
    more = plan("occlusion:box=4,gradient", limit=2)
    notes = Notes()
    run(more, Store(tmp_path / "out", more.settings()), more.explainers(), watch=notes)
    assert notes.ends == [("gradient", "a"), ("occlusion", "b"), ("gradient", "b")]
    again = plan("occlusion:box=4", limit=1)
    with Store(tmp_path / "out", again.settings()).open():  # fewer are asked for
        pass  # and the others stay
    Store(tmp_path / "out", more.settings())
    other = plan("gradient:dilations=1")
    with pytest.raises(ExplainerError, match="gradient, parameters, dilations: 0, now 1"):
        Store(tmp_path / "out", other.settings())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 4}, r"\(seed: 0, now 4\); choose another folder"),
        ({"steps": 9}, r"\(steps: 8, now 9\)"),
        ({"target": "annotated"}, r'\(target: "top", now "annotated"\)'),
        ({"metrics": "dauc"}, r'\(metrics: \["dauc", "deletion"\], now \["dauc"\]\)'),
        ({"methods": "occlusion:box=5"}, r"\(occlusion, parameters, box: 4, now 5\)"),
        ({"methods": "occlusion=random"}, r"other settings \(occlusion, method: "),
    ],
)
def test_other_settings_are_refused(plan, tmp_path, changes, message):
    begin(tmp_path / "out", plan().settings())
    with pytest.raises(ExplainerError, match=message):
        Store(tmp_path / "out", plan(**changes).settings())


def test_other_photographs_or_networks_are_refused(plan, tmp_path, voc, small_network):
    begin(tmp_path / "out", plan().settings())
    weights = small_network.get_weights()
    small_network.set_weights([one + 0.1 for one in weights])
    try:
        with pytest.raises(ExplainerError, match="model: "):
            Store(tmp_path / "out", plan().settings())
    finally:
        small_network.set_weights(weights)
    Store(tmp_path / "out", plan().settings())
    Image.new("RGB", (16, 16)).save(voc / "JPEGImages/d.png")
    with pytest.raises(ExplainerError, match="image d: "):
        Store(tmp_path / "out", plan().settings())
    Store(tmp_path / "out", plan(limit=3).settings())  # what is not asked for is not looked at


def test_a_photograph_that_cannot_be_read_does_not_stop_the_others(voc, saved, tmp_path, capsys):
    (voc / "JPEGImages" / "a.png").unlink()
    path = voc / "JPEGImages" / "a.jpg"
    Image.effect_noise((64, 64), 90).save(path)
    path.write_bytes(path.read_bytes()[:-1000])  # its head is whole
    few = {"methods": "occlusion:box=4,random", "metrics": "dauc", "agreement": None}
    assert main(command_line(voc, saved, tmp_path / "out", **few)) == 1
    shown = capsys.readouterr()
    assert shown.err.count("not evaluated: a: ") == 1
    assert {row["image"] for row in read(tmp_path / "out/values.csv")} == {"b", "c"}
    table = (tmp_path / "out/table-000.md").read_text()
    assert "Not evaluated: a." in table
    assert "2 images" in table


def test_which_labels_are_explained(plan, small, voc):
    image = photographs(voc, "val")[1]
    scores = small.predict(image.load((16, 16, 3))[np.newaxis])[0]
    assert plan(target="top").scene(image).targets == (int(scores.argmax()),)
    above = tuple(int(index) for index in np.flatnonzero(scores > 0.5))
    assert plan(target="predicted").scene(image).targets == above
    assert plan(target="annotated").scene(image).targets == (1,)
    mask = plan().scene(image).mask(1)
    assert mask[:8, :8].all()
    assert mask.sum() == 64
    assert not plan().scene(image).mask(0).any()


def test_every_map_can_be_kept(plan, tmp_path, small, voc):
    one = plan("gradient", limit=1)
    store = Store(tmp_path / "out", one.settings())
    run(one, store, one.explainers(), keep_maps=True)
    maps = store.maps("gradient", "a")
    scene = one.scene(photographs(voc, "val")[0])
    expected = create("gradient", small).explain(scene.pixels, scene.targets)[0]
    np.testing.assert_allclose(maps.targets[scene.targets[0]], expected, rtol=1e-5, atol=1e-9)
    assert maps.prediction.shape == (16, 16)
    assert maps.colours == {}
    assert store.maps("gradient", "b") is None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda found: found["versions"].update(numpy="1.0"), r'versions, numpy: "1.0", now'),
        (lambda found: found["versions"].pop("tensorflow"), "versions, tensorflow: null, now"),
        (lambda found: found["thresholds"].update(cat=0.75), r"thresholds, cat: 0.75, now 0.5"),
        (lambda found: found.update(edition=1), "edition: 1, now"),
        (lambda found: found.pop("edition"), "edition: null, now"),
    ],
)
def test_numbers_of_other_thresholds_packages_or_metrics_are_refused(
    plan, tmp_path, spoil, message
):
    begin(tmp_path / "out", plan().settings())
    path = tmp_path / "out" / "settings.json"
    known = json.loads(path.read_text())
    Store(tmp_path / "out", plan().settings())  # the control
    spoil(known)
    path.write_text(json.dumps(known))
    with pytest.raises(ExplainerError, match=message):
        Store(tmp_path / "out", plan().settings())


@pytest.mark.parametrize("content", ["[]", "3", '{"methods": []}', '{"images": 3}', "{"])
def test_a_file_that_holds_no_settings_is_one_sentence(plan, tmp_path, content):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "settings.json").write_text(content)
    with pytest.raises(ExplainerError, match=r"settings\.json (holds no settings|cannot be read)"):
        Store(tmp_path / "out", plan().settings())


def test_images_may_be_added_to_the_data_set(plan, tmp_path, voc, voc_at):
    one = plan("random")
    run(one, Store(tmp_path / "out", one.settings()), one.explainers())
    shutil.rmtree(voc)
    voc_at(voc, ("a", "b", "c", "d", "e"))
    names = voc / "ImageSets/Main/val.txt"
    names.write_text("e\n" + names.read_text().replace("e\n", ""))
    more, notes = plan("random"), Notes()
    run(more, Store(tmp_path / "out", more.settings()), more.explainers(), watch=notes)
    assert notes.ends == [("random", "e")]


# -- one at a time, and whole files -----------------------------------------------------------


def test_a_second_process_is_kept_out_while_the_first_lives(voc, saved, tmp_path, capsys):
    out = tmp_path / "out"
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from explainers.evaluation.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    few = {"methods": "random", "metrics": "sparsity", "agreement": None, "limit": 1, "sheet": 0}
    arguments = command_line(voc, saved, out, **few)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout.readline() == b"held\n"
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert said == (
            f"error: Another evaluation is running in {out}; wait for its end, or choose another "
            "folder.\n"
        )
        assert [path.name for path in out.iterdir()] == [".lock"]
        first.kill()
    assert main(arguments) == 0


def test_settings_are_compared_again_once_the_folder_is_held(plan, tmp_path):
    """Both found the folder empty; the second comes when the first has begun."""
    first = Store(tmp_path / "out", plan(seed=1).settings())
    second = Store(tmp_path / "out", plan(seed=2).settings())
    with first.open():
        with pytest.raises(ExplainerError, match="Another evaluation is running"), second.open():
            pass
        with first.open():  # by itself it may come in again
            pass
        with pytest.raises(ExplainerError, match="Another evaluation is running"), second.open():
            pass
    with pytest.raises(ExplainerError, match=r"other settings \(seed: 1, now 2\)"), second.open():
        pass


def test_what_a_killed_process_was_writing_is_removed(plan, tmp_path):
    out, one = tmp_path / "out", plan("random", limit=1)
    out.mkdir()
    (out / ".new.abc").write_text("half of the settings")
    run(one, Store(out, one.settings()), one.explainers())
    left = out / "units" / "random" / ".new.def"
    left.write_text("half of a unit")
    begin(out, one.settings())
    assert not list(out.rglob(".new.*"))
    assert (out / "units/random/a.json").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".newer").write_text("mine")
    with pytest.raises(ExplainerError, match="holds files but no evaluation"):
        Store(tmp_path / "mine", one.settings())


def test_who_reads_a_file_reads_the_old_or_the_new_one_whole(tmp_path):
    path = tmp_path / "values.csv"
    write(path, "old")
    with path.open() as reader:
        write(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert [one.name for one in tmp_path.iterdir()] == ["values.csv"]


def test_the_first_file_that_cannot_be_written_ends_the_run(plan, tmp_path):
    one, notes = plan("random"), Notes()
    begin(tmp_path / "out", one.settings())
    (tmp_path / "out" / "units").write_text("where a folder is to be")
    with pytest.raises(WriteError, match=r"units/random/a\.json cannot be written"):
        run(one, Store(tmp_path / "out", one.settings()), one.explainers(), watch=notes)
    assert [image for _, image, _ in notes.steps] == ["a"]


def test_damaged_files_are_made_anew(plan, tmp_path):
    """A kept map, and values beside it; the other image's stay as they are."""
    one = plan("occlusion:box=4,occlusion-thresholded", limit=2)
    out = tmp_path / "out"
    run(one, Store(out, one.settings()), one.explainers())
    before = files(out)
    unit, kept = out / "units/occlusion-thresholded/a.json", out / "maps/occlusion/a.npz"
    unit.write_text(unit.read_text()[:40])
    whole, middle = kept.read_bytes(), kept.stat().st_size // 2
    for damaged in (b"", b"no map", whole[:middle], whole[:60] + b"damage" + whole[66:]):
        kept.write_bytes(damaged)
        assert Store(out, one.settings()).maps("occlusion", "a") is None
    notes = Notes()
    run(one, Store(out, one.settings()), one.explainers(), watch=notes)
    assert notes.ends == [("occlusion-thresholded", "a")]
    assert {column for column, *_ in notes.steps} == {"occlusion"}
    assert files(out) == before
    assert Store(out, one.settings()).maps("occlusion", "a") is not None


# -- asking for less, or for plain pictures ---------------------------------------------------


def test_tables_are_not_overwritten_by_those_of_less(voc, saved, tmp_path, capsys):
    few = {"metrics": "sparsity", "agreement": None, "sheet": 0}
    more = {"methods": "random,other=random:seed=9", "limit": 3, **few}
    less = {"methods": "random", "limit": 2, **few}
    assert main(command_line(voc, saved, tmp_path / "out", **more)) == 0
    before = files(tmp_path / "out")
    capsys.readouterr()
    assert main(command_line(voc, saved, tmp_path / "out", **less)) == 2
    said = capsys.readouterr().err
    assert "of more than is asked for now (other on 3 images, random on 1 image); ask" in said
    assert files(tmp_path / "out") == before
    # Without tables nothing is overwritten: what an interrupted evaluation did can be summed up.
    (tmp_path / "out" / "values.csv").unlink()
    assert main(command_line(voc, saved, tmp_path / "out", **less)) == 0
    assert {row["image"] for row in read(tmp_path / "out/values.csv")} == {"a", "b"}


def test_a_folder_of_pictures_needs_no_annotations(voc, saved, tmp_path, capsys):
    folder = voc / "JPEGImages"
    (folder / "notes.txt").write_text("not a picture")
    few = {"methods": "random", "metrics": "sparsity", "agreement": None, "limit": None}
    assert main(command_line(folder, saved, tmp_path / "out", **few)) == 0
    found = [row["image"] for row in read(tmp_path / "out/values.csv")]
    assert found == ["a.png", "b.png", "c.png", "d.png"]
    capsys.readouterr()
    asks = {**few, "metrics": "pointing-game"}
    assert main(command_line(folder, saved, tmp_path / "other", **asks)) == 2
    assert "pointing-game needs annotations" in capsys.readouterr().err
    (tmp_path / "bare").mkdir()
    assert main(command_line(tmp_path / "bare", saved, tmp_path / "other", **few)) == 2
    assert "bare holds no picture (.jpg, .jpeg, .png, .webp)" in capsys.readouterr().err


def test_a_value_with_commas_comes_by_set(voc, saved, tmp_path):
    few = {"methods": "red=occlusion:box=8", "metrics": "sparsity", "agreement": None, "limit": 1}
    arguments = command_line(voc, saved, tmp_path / "out", **few, set="red.fill=255,0,0", sheet=0)
    assert main(arguments) == 0
    known = json.loads((tmp_path / "out/settings.json").read_text())
    assert known["methods"]["red"]["parameters"]["fill"] == [255, 0, 0]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 second"),
        (40, "40 seconds"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (3000, "50 minutes"),
        (5400, "2 hours"),
        (36_000, "10 hours"),
    ],
)
def test_times_as_people_say_them(seconds, words):
    assert command.in_words(seconds) == words
