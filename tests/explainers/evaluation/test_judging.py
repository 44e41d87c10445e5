"""One column's map of one image: the same numbers as each metric by itself, made once."""

import numpy as np
import pytest

from explainers import ALL, CLASS_AGNOSTIC, Classifier, create
from explainers.evaluation.columns import Column
from explainers.evaluation.judging import Judge, Maps, Scene, explain, published
from explainers.metrics import Reason, metric
from explainers.metrics.agreement import intersection
from explainers.metrics.colours import ca_deletion_curve
from explainers.metrics.curves import deletion_curve, insertion_curve
from explainers.metrics.gain import best_pixels, gains
from explainers.metrics.outcomes import outcome
from explainers.metrics.sanity import cascading_mean, cascading_randomisation, random_logit
from explainers.render import thresholded

STEPS, SEED = 20, 4
SIDE = 24
BOX = np.zeros((SIDE, SIDE), bool)
BOX[4:12, 6:18] = True


def scene(classifier, picture, targets=(0, 2)):
    scores = classifier.predict(picture[np.newaxis], batch_size=1)[0]
    return Scene("a", picture, scores, targets, lambda target: BOX if target else ~BOX)


def judge(classifier, *names):
    return Judge(classifier, tuple(metric(name) for name in names), STEPS, SEED)


def quiet(done, total):
    pass


def maps_of(*seeds, targets=(0, 2)):
    """Maps of noise, one for the whole prediction and one per target."""
    random = np.random.default_rng(list(seeds)).normal(size=(1 + len(targets), SIDE, SIDE))
    prediction, *rest = random.astype(np.float32)
    return Maps(prediction, dict(zip(targets, rest, strict=True)))


def by_metric(judgement):
    return {(one.metric, one.target, one.setting): one.outcome for one in judgement.values}


class Counting:
    """A black box that counts what it is asked."""

    def __init__(self):
        self.images = 0

    def __call__(self, images):
        self.images += len(images)
        means = images.reshape(len(images), 2, -1).mean(axis=2) / 255
        return np.concatenate([means, means[:, :1] ** 2], axis=1)


@pytest.fixture
def bright():
    """Scores rise with brightness, so that a black image has lost them."""
    return Classifier.from_callable(Counting(), labels=["cat", "dog", "horse"])


METHODS = ("multiscale", "occlusion", "rise", "mc-rise", "lrp", "grad-cam", "gradient", "fem")
CHEAP = {
    "multiscale": {"depth": 2},
    "occlusion": {"box": 8},
    "rise": {"masks": 30},
    "mc-rise": {"masks": 30},
}


@pytest.mark.parametrize("name", METHODS)
def test_one_pass_gives_the_maps_of_targets_and_of_the_whole_prediction(classifier, picture, name):
    """As `explain` for each by itself: 000 §4.2's sum of score times map, and each label's map."""
    method = create(name, classifier, **CHEAP.get(name, {}))
    found = explain(method, scene(classifier, picture), whole=True, advance=quiet)
    expected = method.support(method.explain(picture, CLASS_AGNOSTIC))
    np.testing.assert_allclose(found.prediction, expected, rtol=1e-5, atol=1e-7)
    assert list(found.targets) == [0, 2]
    raw = method.explain(picture, ALL)
    for target, one in found.targets.items():
        np.testing.assert_allclose(one, method.support(raw[target]), rtol=1e-5, atol=1e-7)
    some = explain(method, scene(classifier, picture), whole=False, advance=quiet)
    np.testing.assert_allclose(some.targets[2], found.targets[2], rtol=1e-5, atol=1e-7)
    assert (some.prediction is None) == (not method.class_agnostic)


def test_a_method_with_one_map_per_colour_keeps_them(classifier, picture):
    method = create("mc-rise", classifier, masks=20)
    found = explain(method, scene(classifier, picture), whole=True, advance=quiet)
    raw = method.explain(picture, ["horse"])[0]
    np.testing.assert_allclose(found.colours[2], raw, rtol=1e-5, atol=1e-7)
    assert (found.targets[2] == -found.colours[2].min(axis=0)).all()


def test_without_targets_there_is_nothing_to_explain(classifier, picture):
    def refuse(done, total):
        raise AssertionError("nothing is to be predicted")

    method = create("occlusion", classifier, box=8)
    found = explain(method, scene(classifier, picture, ()), whole=False, advance=refuse)
    assert (found.prediction, found.targets) == (None, {})


def test_values_are_those_of_the_metrics(bright, picture):
    names = ("dauc", "is", "sparsity", "insertion", "deletion", "pointing-game", "ca-deletion")
    maps, at = maps_of(1), scene(bright, picture)
    column = Column("mine", method="occlusion")
    judgement = judge(bright, *names).judge(column, at, [maps])
    options = {"steps": STEPS, "seed": SEED}
    down = deletion_curve(bright, picture, maps.prediction, **options)
    up = insertion_curve(bright, picture, maps.prediction, **options)
    expected = {
        ("dauc", "", ""): metric("dauc").function(down),
        ("is", "", ""): metric("is").function(up),
        ("sparsity", "", ""): metric("sparsity").function(maps.prediction),
    }
    for target, label in ((0, "cat"), (2, "horse")):
        one = maps.targets[target]
        fall = deletion_curve(bright, picture, one, **options)
        rise = insertion_curve(bright, picture, one, **options)
        mask = at.mask(target)
        expected |= {
            ("insertion", label, ""): metric("insertion").function(rise, target),
            ("deletion", label, ""): metric("deletion").function(fall, target),
            ("ca-deletion", label, ""): metric("ca-deletion").function(fall, target),
            ("pointing-game", label, ""): metric("pointing-game").function(one, mask),
        }
    assert by_metric(judgement) == pytest.approx(expected)
    traces = {(one.target, one.kind): one.values for one in judgement.traces}
    assert traces["", "deletion"] == tuple(down.distances)
    assert traces["horse", "insertion"] == tuple(rise.scores[:, 2])


def test_what_is_undefined_comes_with_its_reason(classifier, picture):
    maps = Maps(np.ones((SIDE, SIDE)), {0: np.ones((SIDE, SIDE)), 2: maps_of(1).targets[2]})
    at = scene(classifier, picture)
    found = by_metric(
        judge(classifier, "dauc", "sparsity", "deletion", "scg").judge(
            Column("mine", method="occlusion"), at, [maps]
        )
    )
    reasons = {key for key, one in found.items() if one is Reason.CONSTANT_MAP}
    assert {key[:2] for key in reasons} == {
        ("dauc", ""),
        ("sparsity", ""),
        ("deletion", "cat"),
        ("scg", "cat"),
    }
    assert isinstance(found["deletion", "horse", ""], float)


def test_gains_under_every_base_and_share_of_pixels(bright, picture):
    maps, at = maps_of(2), scene(bright, picture, (2,))
    found = by_metric(judge(bright, "scg", "ccg").judge(Column("mine", method="lrp"), at, [maps]))
    assert {key[2] for key in found} == {
        "gaussian 0.05",
        "gaussian 0.25",
        "zeros 0.05",
        "zeros 0.25",
    }
    mask = best_pixels(maps.targets[2], 0.25, seed=SEED)
    gain = gains(bright, picture, 2, {"mine": mask}, base="zeros")["mine"]
    assert gain.original > gain.base  # so that it is no Reason
    assert found["scg", "horse", "zeros 0.25"] == pytest.approx(metric("scg").function(gain))


def tied(seed):
    """A map of three values, so that the order among equals decides."""
    return np.random.default_rng(seed).integers(0, 3, (SIDE, SIDE)).astype(np.float32)


def test_every_base_image_and_share_of_pixels_under_its_own_name(bright, picture):
    """Ties, so that the seed decides on the masks too."""
    heatmap, at = tied(2), scene(bright, picture, (2,))
    column, names = Column("mine", method="occlusion"), ("scg", "ccg")
    found = by_metric(judge(bright, *names).judge(column, at, [Maps(None, {2: heatmap})]))

    def expected(seed):
        values = {}
        for base in ("gaussian", "zeros"):
            for rho in (0.05, 0.25):
                masks = {"mine": best_pixels(heatmap, rho, seed=seed)}
                gain = gains(bright, picture, 2, masks, base=base)["mine"]
                for name in names:
                    value = outcome(metric(name).function, gain)
                    values[name, "horse", f"{base} {rho:g}"] = value
        return values

    assert found == pytest.approx(expected(SEED))
    scgs = [value for (name, *_), value in found.items() if name == "scg"]
    assert len(set(scgs)) == 4  # no two settings could be taken for each other
    assert found != pytest.approx(expected(0))  # nor the seed for another


def test_the_seed_decides_on_ties_along_curves(bright, picture):
    heatmap, at = tied(3), scene(bright, picture, (2,))
    column = Column("mine", method="occlusion")
    found = by_metric(
        judge(bright, "insertion", "deletion").judge(column, at, [Maps(None, {2: heatmap})])
    )

    def expected(seed):
        options = {"steps": STEPS, "seed": seed}
        up = insertion_curve(bright, picture, heatmap, **options)
        down = deletion_curve(bright, picture, heatmap, **options)
        return {
            ("insertion", "horse", ""): metric("insertion").function(up, 2),
            ("deletion", "horse", ""): metric("deletion").function(down, 2),
        }

    assert found == pytest.approx(expected(SEED))
    assert found != pytest.approx(expected(0))


def test_sanity_checks_follow_the_seed_and_one_cascade_serves_both(classifier, picture):
    at, column = scene(classifier, picture, (2,)), Column("mine", method="gradient")
    names = ("cascading-randomisation", "cascading-constant", "random-logit")
    method = create("gradient", classifier)
    maps = explain(method, at, whole=False, advance=quiet)

    def found(seed):
        judged = Judge(classifier, tuple(map(metric, names)), STEPS, seed)
        return by_metric(judged.judge(column, at, [maps], method))

    steps = list(cascading_randomisation(classifier, column.create, picture, 2, seed=SEED))
    assert found(SEED) == pytest.approx(
        {
            ("cascading-randomisation", "horse", ""): cascading_mean(steps),
            ("cascading-constant", "horse", ""): 0,
            ("random-logit", "horse", ""): random_logit(method, picture, 2, seed=SEED),
        }
    )
    others = [found(seed) for seed in range(4)]
    for name in ("cascading-randomisation", "random-logit"):
        assert len({round(one[name, "horse", ""], 6) for one in others}) > 1


def test_an_agreement_is_judged_by_the_pixels_in_common(bright, picture):
    one, other, at = maps_of(2), maps_of(3), scene(bright, picture, (2,))
    column = Column("one+other", "agreement", parents=("one", "other"))
    found = by_metric(judge(bright, "dauc", "scg").judge(column, at, [one, other]))
    assert {key[0] for key in found} == {"scg"}
    shared = intersection(*(best_pixels(m.targets[2], 0.25, seed=SEED) for m in (one, other)))
    gain = gains(bright, picture, 2, {"shared": shared}, base="zeros")["shared"]
    expected = pytest.approx(metric("scg").function(gain))
    assert found["scg", "horse", "zeros 0.25"] == expected
    apart = Maps(None, {2: -one.targets[2]})
    found = by_metric(judge(bright, "scg").judge(column, at, [one, apart]))
    assert set(found.values()) == {Reason.EMPTY_INTERSECTION}


def test_ca_deletion_and_its_two_controls(classifier, picture):
    method, at = create("mc-rise", classifier, masks=40), scene(classifier, picture, (2,))
    colours = explain(method, at, whole=False, advance=quiet)
    other, raw = maps_of(5), colours.colours[2]
    options = {"steps": STEPS, "seed": SEED}
    cases = {
        "method": ([colours], {}),
        "order": ([colours, other], {"order_by": other.targets[2]}),
        "colours": ([colours], {"random_colours": True}),
    }
    values = []
    for kind, (maps, more) in cases.items():
        column = Column("mine", kind, method="mc-rise" if kind == "method" else "")
        found = by_metric(judge(classifier, "ca-deletion").judge(column, at, maps, method))
        curve = ca_deletion_curve(classifier, picture, raw, method.palette(3), **more, **options)
        expected = metric("ca-deletion").function(curve, 2)
        assert found == {("ca-deletion", "horse", ""): pytest.approx(expected)}
        values.append(expected)
    assert len(set(values)) == 3


def test_the_published_view(classifier, picture):
    maps = maps_of(1)
    found = published(maps)
    assert (found.prediction == thresholded(maps.prediction)).all()
    assert (found.targets[2] == thresholded(maps.targets[2])).all()


def test_where_a_maps_values_count_from_its_median(classifier, picture):
    """RISE's maps have no zero: what lies above their median is what is positive."""
    maps, at = maps_of(1).each(lambda one: one + 100), scene(classifier, picture, (2,))
    share = judge(classifier, "relevance-inside")
    one = maps.targets[2]
    positive = np.maximum(one - np.median(one), 0)
    expected = positive[BOX].sum() / positive.sum()
    found = by_metric(share.judge(Column("mine", method="rise"), at, [maps]))
    assert found["relevance-inside", "horse", ""] == pytest.approx(expected)
    found = by_metric(share.judge(Column("mine", method="lrp"), at, [maps]))
    assert found["relevance-inside", "horse", ""] == pytest.approx(BOX.mean(), rel=0.01)


CURVE_METRICS = ("iauc", "dauc", "is", "ds", "ipgs", "dngs", "insertion", "deletion")


def test_one_prediction_per_step_and_map(bright, picture):
    function, at = bright._function, scene(bright, picture)
    one = judge(bright, *CURVE_METRICS, "sparsity", "ca-deletion")
    function.images = 0
    one.judge(Column("mine", method="occlusion"), at, [maps_of(1)])
    assert function.images == 2 * 3 * (STEPS + 1)  # two curves each of three maps
    function.images = 0
    same = maps_of(1).prediction
    one.judge(Column("mine", method="random"), at, [Maps(same, {0: same, 2: same.copy()})])
    assert function.images == 2 * (STEPS + 1)  # of one map
