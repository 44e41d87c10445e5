"""The page that `benchmarks.explainers` writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.networks import NETWORKS

Cell = dict[str, Any]

SLOW = 0.005  # seconds per image from which on overhead hardly shows
GOALS = {"slow": 0.95, "quick": 0.85}
GOALS_ARE_FOR = ("h2o", "multiscale", "occlusion", "rise")
MEMORY_GOAL = 500.0
PASSES_GOAL = 2.0

ABOUT = """\
# How fast the methods are

A heatmap costs predictions times the price of one prediction, plus overhead. To choose a method,
read the column of seconds for the network most like yours; all else says how near that is to what
the bare network itself needs, and is for whoever works on the methods. This page is written by

    python -m benchmarks.explainers --out var/benchmark

**Machine.** {machine}

**How it was measured.**

- *The bare network*: forward passes over one prepared batch in memory, at whichever of the
  sizes named with it is fastest, the smallest of those that are all but as fast. Methods that
  predict masked images use the same batch size.
- *Share of the bare speed*: the time the bare network needs for the same batches, divided by the
  time of the explanation; both run in turns, and the median of the ratios counts. Preparing the
  masks, making the masked images, preprocessing them and working out the map are all in it. Padding
  of the last batch is not held against a method: the network has the same number of batches to do.
  Tracing the graphs, once per classifier, is left out.
- *≈*: extrapolated from a part of the explanation, with what is done once per image added.
- *Naive*: predictions of a program that predicts every masked image it meets, though it met the
  same one before.
- *Times a pass*: for methods that go back through the network, the time divided by that of a
  forward and a backward pass to the input, of as many images as there are maps: for one image and
  one target, for {images} images, and for {images} images and {targets} targets at once.
- *Memory*: the peak of a fresh process that explains, minus the peak of one that only runs the bare
  network at the same batch size, both from when the network is ready. A figure below zero means no
  more than the bare network.
- *Difference*: largest difference to the map of a naive program that makes every masked image
  whole and predicts it alone, relative to the map's largest value; with small settings, since the
  naive program is slow. Rounding only.
"""


def page(cells: list[Cell]) -> str:
    """All tables, in Markdown."""
    from benchmarks.measure import IMAGES, TARGETS

    machine = _machine(cells[0]["machine"]) if cells else "None yet."
    parts = [ABOUT.format(machine=machine, images=IMAGES, targets=TARGETS)]
    for name, network in NETWORKS.items():
        here = [cell for cell in cells if cell["network"] == name]
        alone = next((cell for cell in here if cell["method"] is None), None)
        if alone is not None:
            parts += [f"## {network.title[0].upper()}{network.title[1:]}", _alone(alone)]
            parts += _tables([cell for cell in here if cell["method"]], alone)
    return "\n\n".join(part.strip() for part in parts) + "\n"


def goal(alone: Cell) -> float:
    """The share of the bare network's speed that a method should reach."""
    return GOALS["slow" if 1 / alone["images_per_second"] > SLOW else "quick"]


def _machine(facts: dict[str, Any]) -> str:
    return (
        f"{facts['cores']} cores of an {facts['cpu']}, {facts['system']}; Python "
        f"{facts['python']}, TensorFlow {facts['tensorflow']}, Keras {facts['keras']}."
    )


def _alone(cell: Cell) -> str:
    rate = cell["images_per_second"]
    others = ", ".join(f"{size}: {_number(found)}" for size, found in cell["by_batch"].items())
    return (
        f"Bare network: {_number(rate)} images per second ({_number(1000 / rate)} ms per image) at "
        f"batch {cell['batch']} (images per second by batch size: {others})."
    )


def _tables(cells: list[Cell], alone: Cell) -> list[str]:
    masked = sorted((cell for cell in cells if "share" in cell), key=_title)
    through = sorted((cell for cell in cells if "images" in cell), key=_title)
    parts = []
    if masked:
        wanted = goal(alone)
        head = "| method | predictions | padding | naive | seconds | share of the bare speed "
        head += "| memory, MB | difference |\n|---|--:|--:|--:|--:|--:|--:|--:|"
        parts.append("\n".join([head, *map(_masked_row, masked)]))
        meant = [cell for cell in masked if cell["method"] in GOALS_ARE_FOR]
        wanted_text = (
            f"at least {wanted:.0%} for {', '.join(f'`{name}`' for name in GOALS_ARE_FOR)}"
        )
        parts.append(_verdict(meant, _share, wanted_text, lambda v: v >= wanted))
    if through:
        head = "| method | times a pass: one map | images | images and targets | seconds, one map "
        head += "| memory, MB |\n|---|--:|--:|--:|--:|--:|"
        parts.append("\n".join([head, *map(_through_row, through)]))
        wanted_text = f"at most {PASSES_GOAL:g} passes for several images"
        parts.append(_verdict(through, _batched, wanted_text, lambda v: v <= PASSES_GOAL))
    if cells:
        wanted_text = f"under {MEMORY_GOAL:g} MB"
        parts.append(_verdict(masked + through, _megabytes, wanted_text, lambda v: v < MEMORY_GOAL))
    return parts


def _masked_row(cell: Cell) -> str:
    about = "≈ " if cell["extrapolated"] else ""
    off = "–"
    if cell["difference"] is not None:
        off = f"{cell['difference'] / (cell['largest'] or 1):.0e}"
    columns = (
        _title(cell),
        f"{cell['predictions']:,}",
        f"{cell['padding']:,}",
        f"{cell['naive_predictions']:,}",
        about + _number(cell["seconds"]),
        f"{about}{cell['share']:.1%}",
        _memory(cell),
        off,
    )
    return f"| {' | '.join(columns)} |"


def _through_row(cell: Cell) -> str:
    columns = (
        _title(cell),
        f"{cell['one']['multiple']:.2f}",
        f"{cell['images']['multiple']:.2f}",
        f"{cell['targets']['multiple']:.2f}" if "targets" in cell else "–",
        _number(cell["one"]["seconds"]),
        _memory(cell),
    )
    return f"| {' | '.join(columns)} |"


def _batched(cell: Cell) -> float:
    """Passes per map, the worse of the two ways to ask for several."""
    return max(float(cell[name]["multiple"]) for name in ("images", "targets") if name in cell)


def _title(cell: Cell) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in cell["settings"].items())
    return f"`{cell['method']}`" + (f" {settings}" if settings else "")


def _memory(cell: Cell) -> str:
    return f"{'' if cell['memory_of_all'] else '≈ '}{round(cell['memory'])}"


def _share(cell: Cell) -> float:
    return float(cell["share"])


def _megabytes(cell: Cell) -> float:
    return float(cell["memory"])


def _verdict(
    cells: list[Cell],
    value: Callable[[Cell], float],
    wanted: str,
    reached: Callable[[float], bool],
) -> str:
    """The goal, and which methods miss it."""
    missed = [_title(cell) for cell in cells if not reached(value(cell))]
    return f"Goal: {wanted}. " + (
        f"Missed by {', '.join(missed)}." if missed else "Reached by all of these."
    )


def _number(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
