"""Where the strongest and weakest parts lie, and which scale an overlay is drawn at."""

from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image as PillowImage

from studyplatform.stimuli import media
from studyplatform.stimuli.models import Heatmap, NeededHeatmap
from studyplatform.stimuli.services import ledger, overlays
from studyplatform.stimuli.services.overlays import (
    composable,
    overlays_compose,
    strongest_and_weakest,
)
from studyplatform.studies.models import StudyVersion


def test_strongest_is_where_the_relevance_lies_and_weakest_far_from_it():
    raw = np.zeros((16, 16), np.float32)
    raw[4:8, 8:12] = 5
    strongest, weakest = strongest_and_weakest(raw)
    assert strongest == [8 / 16, 4 / 16, 0.25, 0.25]
    assert weakest == [0, 12 / 16, 0.25, 0.25]  # of all empty windows, the farthest


def test_negative_relevance_counts_as_none():
    raw = np.zeros((16, 16), np.float32)
    raw[0:4, 0:4] = 1
    raw[12:16, 12:16] = -100
    raw[0:4, 12:16] = 0.5
    strongest, weakest = strongest_and_weakest(raw)
    assert strongest == [0, 0, 0.25, 0.25]
    assert weakest == [12 / 16, 12 / 16, 0.25, 0.25]


def test_the_two_agree_with_looking_at_every_window():
    rng = np.random.default_rng(11)
    for _ in range(5):
        raw = rng.normal(size=(12, 20)).astype(np.float32)
        raw[:, :10] *= 0.1  # so that one window is clearly weaker
        strongest, weakest = strongest_and_weakest(raw)
        means = {
            (y, x): np.maximum(raw, 0)[y : y + 3, x : x + 5].mean()
            for y in range(10)
            for x in range(16)
        }
        top = max(means, key=means.__getitem__)
        apart = {
            w: m for w, m in means.items() if abs(w[0] - top[0]) >= 3 or abs(w[1] - top[1]) >= 5
        }
        low = min(apart, key=apart.__getitem__)
        assert strongest[:2] == [top[1] / 20, top[0] / 12]
        assert weakest[:2] == [low[1] / 20, low[0] / 12]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_even_map_has_no_weakest_window(value: float):
    """What a root that outweighs its children leaves: nobody could answer the screening item."""
    assert strongest_and_weakest(np.full((96, 96), value, np.float32)) is None


def test_a_window_of_half_the_strength_is_no_clear_answer():
    raw = np.full((16, 16), 2.0, np.float32)
    raw[4:8, 8:12] = 4
    assert strongest_and_weakest(raw) is None
    raw[4:8, 8:12] = 4.1  # the counterpart
    assert strongest_and_weakest(raw) is not None


def redness(needed: NeededHeatmap) -> float:
    """Return how far red exceeds green, at its most: grows with the value drawn."""
    with PillowImage.open(media.display_path(needed.overlay_sha256)) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(float)
    return float((pixels[..., 0] - pixels[..., 1]).max())


@pytest.fixture
def three(published_study: StudyVersion, settings, tmp_path) -> list[NeededHeatmap]:
    """Three heatmaps of one label, uniform but of strength 1, 2 and 4, without overlays."""
    shared = media.root()
    settings.MEDIA_ROOT = tmp_path
    chosen = list(
        NeededHeatmap.objects.filter(level="lrp", heatmap__label="cat").select_related(
            "heatmap__image"
        )[:3]
    )
    NeededHeatmap.objects.exclude(pk__in=[one.pk for one in chosen]).delete()
    NeededHeatmap.objects.update(overlay_sha256="", strongest=None, weakest=None)
    for one, strength in zip(chosen, (1, 2, 4), strict=True):
        path = media.heatmap_path(one.heatmap.key, one.heatmap.content_sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.full((96, 96), strength, np.float32))
        sha256 = one.heatmap.image.display_sha256
        name = media.display_path(sha256)
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes((shared / name.relative_to(tmp_path)).read_bytes())
    return chosen


def use_scale(version: StudyVersion, scale: str) -> None:
    version.data["stimuli"]["overlay_scale"] = scale
    type(version).objects.filter(pk=version.pk).update(data=version.data)


def test_each_map_has_its_own_scale(three: list[NeededHeatmap]):
    assert overlays_compose(needed=NeededHeatmap.objects.all()) == 3
    for one in three:
        one.refresh_from_db()
    drawn = [redness(one) for one in three]
    assert max(drawn) - min(drawn) < 12  # alike but for the photographs beneath
    assert not any(one.strongest or one.weakest for one in three)  # even maps have neither


@pytest.mark.parametrize("scale", ["label", "study"])
def test_a_shared_scale_waits_for_all_and_shows_the_difference(
    published_study: StudyVersion, three: list[NeededHeatmap], scale: str
):
    use_scale(published_study, scale)
    last = three[-1].heatmap
    Heatmap.objects.filter(pk=last.pk).update(state="leased")
    assert composable(NeededHeatmap.objects.all()) == []
    assert overlays_compose(needed=NeededHeatmap.objects.all()) == 0
    Heatmap.objects.filter(pk=last.pk).update(state="done")
    # The last one to be rendered brings the whole group.
    assert overlays_compose(needed=NeededHeatmap.objects.filter(heatmap=last)) == 3
    for one in three:
        one.refresh_from_db()
    means = []
    for one in three:
        with PillowImage.open(media.display_path(one.overlay_sha256)) as opened:
            means.append(np.asarray(opened.convert("RGB")).astype(float)[..., 1].mean())
    # Darker red, less green: the stronger the map, the darker its overlay.
    assert all(weaker > stronger for weaker, stronger in pairwise(means))


def test_one_that_cannot_be_composed_has_failed_and_the_others_go_on(
    published_study: StudyVersion, three: list[NeededHeatmap]
):
    first = three[0].heatmap
    missing = media.display_path(first.image.display_sha256)
    content = missing.read_bytes()
    missing.unlink()
    assert overlays_compose(needed=NeededHeatmap.objects.all()) == 2
    first.refresh_from_db()
    assert first.state == Heatmap.State.FAILED
    assert first.error.startswith("No overlay can be made of it: FileNotFoundError: ")
    assert not ledger.ledger_has_work()
    # The file is put back, and somebody asks for another try.
    missing.write_bytes(content)
    assert ledger.heatmaps_retry(version=published_study) == 1
    again = ledger.heatmap_claim(version=published_study)
    assert again is not None
    ledger.heatmap_publish(heatmap=again, raw=np.ones((96, 96), np.float32), seconds=1)
    assert overlays_compose(needed=NeededHeatmap.objects.all()) == 1
    first.refresh_from_db()
    assert (first.state, first.error) == ("done", "")


def test_without_the_guard_it_would_stop_the_others(
    three: list[NeededHeatmap], monkeypatch: pytest.MonkeyPatch
):
    """Negative control of the test above."""
    monkeypatch.setattr(overlays, "_or_failed", lambda _: nullcontext())
    media.display_path(three[0].heatmap.image.display_sha256).unlink()
    with pytest.raises(FileNotFoundError):
        overlays_compose(needed=NeededHeatmap.objects.all())
    assert NeededHeatmap.objects.filter(overlay_sha256="").count() == 3


def test_one_that_spoils_a_shared_scale_has_failed_and_the_rest_waits_for_it(
    published_study: StudyVersion, three: list[NeededHeatmap]
):
    use_scale(published_study, "label")
    second = three[1].heatmap
    media.heatmap_path(second.key, second.content_sha256).unlink()
    assert overlays_compose(needed=NeededHeatmap.objects.all()) == 0
    failed = Heatmap.objects.filter(state=Heatmap.State.FAILED)
    assert [one.pk for one in failed] == [second.pk]
    assert composable(NeededHeatmap.objects.all()) == []


def test_composing_again_does_nothing(published_study: StudyVersion):
    assert overlays_compose(needed=NeededHeatmap.objects.all()) == 0
