"""The contact sheet: images down, methods across, each map over its photograph."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers.evaluation.columns import Column
from explainers.evaluation.judging import Maps
from explainers.evaluation.plan import Plan
from explainers.evaluation.statistics import Results
from explainers.render import above, overlay

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE, GAP, HEAD, FOOT = 160, 6, 30, 22  # pixels


def contact_sheet(results: Results, images: int) -> bytes | None:
    """PNG of the first images whose maps were kept; None where none was.

    The maps are of the whole prediction where some metric judges that, else of the first label.
    """
    from PIL import Image, ImageDraw, ImageFont

    plan = results.plan
    columns = [one for one in plan.columns if one.kind in ("method", "thresholded")]
    rows = []
    for photograph in plan.photographs[:images]:
        kept = [results.store.maps(one.name, photograph.name) for one in columns]
        if any(kept):
            pixels = photograph.load(plan.classifier.input_shape)
            drawn = (_overlaid(pixels, *both) for both in zip(columns, kept, strict=True))
            rows.append((caption(plan, photograph.name, kept), [pixels, *drawn]))
    if not rows:
        return None
    across, down = SIDE + GAP, SIDE + FOOT
    size = (GAP + (1 + len(columns)) * across, HEAD + len(rows) * down)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for place, name in enumerate(("photograph", *(one.name for one in columns))):
        pen.text((GAP + place * across, 9), name, fill="black", font=font)
    for row, (words, cells) in enumerate(rows):
        pen.text((GAP, HEAD + row * down + SIDE + 2), words, fill="black", font=font)
        for place, cell in enumerate(cells):
            if cell is not None:
                sheet.paste(_small(cell), (GAP + place * across, HEAD + row * down))
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    return buffer.getvalue()


def caption(plan: Plan, image: str, kept: Sequence[Maps | None]) -> str:
    """The image's name, and what its maps are of."""
    for maps in kept:
        if maps is not None and maps.prediction is None and maps.targets:
            return f"{image}: {plan.classifier.labels[next(iter(maps.targets))]}"
    return f"{image}: whole prediction"


def _overlaid(pixels: NDArray[np.uint8], column: Column, maps: Maps | None) -> Any:
    if maps is None:
        return None
    found = next(
        (one for one in (maps.prediction, *maps.targets.values()) if one is not None), None
    )
    return None if found is None else overlay(pixels, above(found, column.baseline))


def _small(pixels: NDArray[np.uint8]) -> Image:
    from PIL import Image, ImageOps

    colours = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return ImageOps.contain(Image.fromarray(colours).convert("RGB"), (SIDE, SIDE))
