"""The demo's scenes in the place of photographs: their truth is known to the pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from explainers import demo
from explainers.errors import ExplainerError
from explainers.images import Shape
from explainers.metrics import ground_truth

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEMO = "demo"
"""What `--data` calls the scenes."""


@dataclass(frozen=True)
class Drawing:
    """One scene, drawn at the size of the network's input when it is asked for."""

    split: str
    index: int

    @property
    def name(self) -> str:
        return demo.scene_name(self.split, self.index)

    def load(self, shape: Shape) -> NDArray[np.uint8]:
        return self._scene(shape).image

    def labels(self, shape: Shape) -> tuple[str, ...]:
        return self._scene(shape).labels

    def mask(self, label: str, shape: Shape) -> NDArray[np.bool_]:
        """The pixels `(H, W)` of the labelled thing."""
        return ground_truth.needed(self._scene(shape), label)

    def shortcut(self, label: str, shape: Shape) -> NDArray[np.bool_]:
        """The pixels `(H, W)` of what was planted for the label."""
        return ground_truth.shortcut(self._scene(shape), label)

    def _scene(self, shape: Shape) -> demo.Scene:
        height, width, channels = shape
        side = height or width or demo.SIZE
        if (height or side) != (width or side) or channels not in (None, 3):
            raise ExplainerError(
                f"The network takes images {shape}; the demo's scenes are square and in colour."
            )
        return _drawn(self.split, self.index, side)


def drawings(split: str) -> list[Drawing]:
    """All scenes of a split; ExplainerError for an unknown one."""
    if split not in demo.SPLITS:
        raise ExplainerError(f"The demo has no split {split!r}; it has {', '.join(demo.SPLITS)}.")
    return [Drawing(split, index) for index in range(demo.SPLITS[split])]


@lru_cache(maxsize=4)
def _drawn(split: str, index: int, size: int) -> demo.Scene:
    return demo.scene(index, split=split, size=size)
