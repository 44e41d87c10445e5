"""Overlays: a raw heatmap laid over the picture people see, and its strongest and weakest part."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from django.db import DatabaseError
from django.db.models import QuerySet
from PIL import Image as PillowImage

from .. import media, pictures
from ..models import Heatmap, Image, NeededHeatmap

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Box = list[float]


def overlays_compose(*, needed: QuerySet[NeededHeatmap]) -> int:
    """Compose the overlays among `needed` that can be made and are not yet; returns how many.

    With `overlay_scale: map` an overlay needs its own heatmap only; with `label` or `study` all
    heatmaps that share its scale must be rendered. Twice does no harm: files are named by content.

    A heatmap no overlay can be made of has failed, with the reason, and the others go on: left as
    rendered, it would stand in the way of every later call. A retry renders and composes it anew.
    """
    composed = 0
    for _, group in groupby(composable(needed), key=_scale_group):
        members = list(group)
        scale = None
        if _mode(members[0]) != "map":
            sharing, scales = list(_sharing(members[0])), []
            for one in sharing:
                with _or_failed(one):
                    scales.append(_own_scale(one))
            if not scales or len(scales) < len(sharing):
                continue
            scale = max(scales)
        for one in members:
            with _or_failed(one):
                _compose(one, scale)
                composed += 1
    return composed


def composable(needed: QuerySet[NeededHeatmap]) -> list[NeededHeatmap]:
    """Return those of `needed` without an overlay whose heatmaps (all of one scale) are there.

    For a scale shared by several, the whole group, whichever of them `needed` holds.
    """
    missing = needed.filter(overlay_sha256="", heatmap__state=Heatmap.State.DONE)
    rows = missing.select_related("stimulus_set__version", "heatmap__image").order_by(
        "stimulus_set", "level", "heatmap__label", "pk"
    )
    found: list[NeededHeatmap] = []
    for _, group in groupby(rows, key=_scale_group):
        members = list(group)
        if _mode(members[0]) == "map":
            found += members
        elif not _sharing(members[0]).exclude(heatmap__state=Heatmap.State.DONE).exists():
            found += _sharing(members[0]).filter(overlay_sha256="")
    return found


def strongest_and_weakest(heatmap: "NDArray[np.float32]") -> tuple[Box, Box] | None:
    """Return the windows of largest and smallest mean positive relevance: x, y, width, height.

    In fractions of the sides of the map (H, W), a quarter of them large; the two do not overlap.
    Among equally weak windows, the one farthest from the strongest. None where the weakest has
    more than half of the strongest's relevance (ours): nobody could tell them apart.
    """
    height, width = heatmap.shape
    high, wide = max(round(height / 4), 1), max(round(width / 4), 1)
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = np.maximum(heatmap, 0).astype(np.float64).cumsum(0).cumsum(1)
    means = (
        sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    ) / (high * wide)
    top, left = np.unravel_index(int(means.argmax()), means.shape)
    rows, columns = np.indices(means.shape)
    apart = (np.abs(rows - top) >= high) | (np.abs(columns - left) >= wide)
    distance = np.hypot(rows - top, columns - left)
    # Differences of sums leave rounding behind: what is below it counts as equally weak.
    weakest = means <= means[apart].min() + 1e-9 * float(means.max())
    if means[apart].min() >= means.max() / 2:
        return None
    choice = np.where(apart & weakest, distance, -1.0)
    low_top, low_left = np.unravel_index(int(choice.argmax()), choice.shape)

    def box(y: int, x: int) -> Box:
        return [x / width, y / height, wide / width, high / height]

    return box(int(top), int(left)), box(int(low_top), int(low_left))


@contextmanager
def _or_failed(needed: NeededHeatmap) -> Iterator[None]:
    """Let the heatmap have failed, with the reason, where the block does."""
    try:
        yield
    except DatabaseError:
        raise  # no fault of the heatmap
    except Exception as error:
        logger.exception("Heatmap %s: no overlay can be made", needed.heatmap_id)
        Heatmap.objects.filter(pk=needed.heatmap_id, state=Heatmap.State.DONE).update(
            state=Heatmap.State.FAILED,
            error=f"No overlay can be made of it: {type(error).__name__}: {error}",
        )


def _own_scale(needed: NeededHeatmap) -> float:
    from explainers import render

    return render.positive_scale(_map(needed.heatmap), _percentile(needed))


def _compose(needed: NeededHeatmap, scale: float | None) -> None:
    from explainers import render

    image = _shown_image(needed)
    drawn = _map(needed.heatmap)
    if scale is None:
        scale = render.positive_scale(drawn, _percentile(needed))
    with PillowImage.open(media.display_path(image.display_sha256)) as opened:
        photograph = np.asarray(opened.convert("RGB"))
    enlarged = PillowImage.fromarray(drawn).resize(
        (photograph.shape[1], photograph.shape[0]), PillowImage.Resampling.BILINEAR
    )
    picture = render.overlay(photograph, np.asarray(enlarged), scale=scale)
    strongest, weakest = strongest_and_weakest(drawn) or (None, None)
    NeededHeatmap.objects.filter(pk=needed.pk).update(
        overlay_sha256=pictures.store_display(PillowImage.fromarray(picture)),
        strongest=strongest,
        weakest=weakest,
    )


def _sharing(needed: NeededHeatmap) -> QuerySet[NeededHeatmap]:
    # Methods have units of their own, so a scale never spans two levels.
    sharing = NeededHeatmap.objects.filter(
        stimulus_set=needed.stimulus_set, level=needed.level
    ).select_related("stimulus_set__version", "heatmap__image")
    if _mode(needed) == "label":
        sharing = sharing.filter(heatmap__label=needed.heatmap.label)
    return sharing.order_by("pk")


def _scale_group(needed: NeededHeatmap) -> tuple[int, str, str]:
    label = "" if _mode(needed) == "study" else needed.heatmap.label
    return needed.stimulus_set_id, needed.level, label


def _mode(needed: NeededHeatmap) -> str:
    return needed.stimulus_set.version.spec.stimuli.overlay_scale


def _percentile(needed: NeededHeatmap) -> float:
    return needed.stimulus_set.version.spec.stimuli.overlay_percentile


def _map(heatmap: Heatmap) -> "NDArray[np.float32]":
    """Return the map to draw: the raw one, counted from its method's baseline."""
    from explainers import registry, render

    path = media.heatmap_path(heatmap.key, heatmap.content_sha256)
    raw = np.load(path, allow_pickle=False)
    return render.above(raw, registry.method(heatmap.method).baseline).astype(np.float32)


def _shown_image(needed: NeededHeatmap) -> Image:
    """Return the study's own image: the row may have been entered for another set's."""
    image = needed.heatmap.image
    if image.image_set_id == needed.stimulus_set.image_set_id:
        return image
    return Image.objects.get(image_set_id=needed.stimulus_set.image_set_id, sha256=image.sha256)
