import numpy as np
import pytest

from explainers import ExplainerError
from explainers.__main__ import _setting
from explainers.evaluation import columns
from explainers.evaluation.columns import Noise
from explainers.metrics import metric


def parse(methods, **more):
    return {one.name: one for one in columns.parse(methods, setting=_setting, **more)}


def test_methods_by_name_and_under_other_names():
    found = parse("occlusion, small=occlusion:box=4:stride=2,random", seed=7)
    assert list(found) == ["occlusion", "small", "random"]
    assert found["occlusion"].settings == {}
    assert (found["small"].method, found["small"].settings) == (
        "occlusion",
        {"box": 4, "stride": 2},
    )
    assert found["random"].settings == {"seed": 7}
    assert found["small"].parameters()["fill"] == "black"
    assert "batch_size" not in found["small"].parameters()


def test_parameters_with_commas_come_by_set():
    found = parse("mc-rise:masks=50", settings=["mc-rise.colours=red,white"], seed=3)
    assert found["mc-rise"].settings == {"colours": ("red", "white"), "masks": 50, "seed": 3}
    assert parse("rise:seed=5", seed=3)["rise"].settings == {"seed": 5}


def test_the_published_view_of_a_column():
    found = parse("mine=occlusion:box=4,mine-thresholded")["mine-thresholded"]
    assert (found.kind, found.parents, found.baseline) == ("thresholded", ("mine",), "zero")


def test_agreements_are_all_pairs_and_the_three_together():
    found = parse("occlusion,gradient,lrp", agreement="occlusion,gradient,lrp")
    assert list(found)[3:] == [
        "occlusion+gradient",
        "occlusion+lrp",
        "gradient+lrp",
        "occlusion+gradient+lrp",
    ]
    assert list(parse("occlusion,lrp", agreement="lrp,occlusion"))[2:] == ["lrp+occlusion"]


def test_colour_maps_bring_the_controls_of_their_metric():
    colours, dauc = metric("ca-deletion"), metric("dauc")
    found = parse("rise,mc-rise", metrics=[colours, dauc])
    assert [(one.kind, one.parents) for one in list(found.values())[2:]] == [
        ("order", ("mc-rise", "rise")),
        ("colours", ("mc-rise",)),
    ]
    assert list(parse("rise,mc-rise", metrics=[dauc])) == ["rise", "mc-rise"]
    assert len(parse("mc-rise", metrics=[colours])) == 2


def test_what_a_column_can_be_judged_by():
    found = parse("rise,mc-rise,rise-thresholded", agreement="rise,mc-rise", metrics=[])
    method, view, both = found["rise"], found["rise-thresholded"], found["rise+mc-rise"]
    assert [method.takes(metric(name)) for name in ("dauc", "scg", "random-logit")] == [True] * 3
    assert [view.takes(metric(name)) for name in ("dauc", "scg", "random-logit")] == [
        True,
        True,
        False,
    ]
    assert [both.takes(metric(name)) for name in ("dauc", "scg", "ca-deletion")] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("methods", "more", "message"),
    [
        ("magic", {}, "There is no method 'magic'; there are .*random, and NAME-thresholded"),
        ("mine=magic", {}, "There is no method 'magic'"),
        ("", {}, "--methods names none"),
        ("rise,rise", {}, "names rise twice"),
        ("../rise=rise", {}, "cannot be a method's name"),
        ("a+b=rise", {}, "cannot be a method's name"),
        ("rise-thresholded", {}, "name rise before it"),
        ("rise:masks", {}, "expected KEY=VALUE"),
        ("rise:speed=3", {}, "rise has no parameter 'speed'; it has"),
        ("random:speed=3", {}, "random has no parameter 'speed'; it has seed"),
        ("rise:masks=3:masks=4", {}, "masks is set twice for rise"),
        ("rise:masks=3", {"settings": ["rise.masks=4"]}, "masks is set twice for rise"),
        ("rise", {"settings": ["masks=4"]}, "expected NAME.KEY=VALUE"),
        ("rise", {"settings": ["lime.masks=4"]}, "'lime', which is no method of --methods: rise"),
        (
            "x=occlusion:fill=255,0,0",
            {},
            r"no method '0' \(after x=occlusion:fill=255\); a value "
            r"with commas is given by --set x\.KEY=A,B,C",
        ),
        (
            "rise,mc-rise,mc-rise-in-random-colours=rise",
            {"metrics": [metric("ca-deletion")]},
            "names mc-rise-in-random-colours, as a control of CA-deletion is called",
        ),
        ("rise", {"agreement": "rise,lrp"}, "names 'lrp', which is none of --methods"),
        ("rise", {"agreement": "rise"}, "at least two names, each once"),
        ("rise,lrp", {"agreement": "rise,lrp,rise"}, "at least two names, each once"),
    ],
)
def test_unusable_methods(methods, more, message):
    with pytest.raises(ExplainerError, match=message):
        parse(methods, **more)


def test_noise_depends_on_seed_and_pixels_alone(classifier, picture):
    found = Noise(classifier, seed=1).explain(picture, "cat")
    assert found.shape == picture.shape[:2]
    assert (Noise(classifier, seed=1).explain(picture, "dog") == found).all()
    assert (Noise(classifier, seed=2).explain(picture, "cat") != found).any()
    assert (Noise(classifier, seed=1).explain(255 - picture, "cat") != found).any()
    assert abs(found.mean() - 0.5) < 0.1
    assert len(np.unique(found)) > 0.99 * found.size
