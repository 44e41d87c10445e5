"""Made-up exports for the tests: a stated model of participants, the platform's file format.

Tests take `frames` (a maker of the export's tables) and `export` (which writes them to a folder).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Frames = dict[str, pd.DataFrame]
HEATMAPS = ("none", "lrp", "multiscale")
SCORES = ("hidden", "shown")
OUTCOMES = ("TP",) * 4 + ("FP",) * 3 + ("FN",) * 7
SALIENCY = ("eyes", "ears", "nose", "mouth", "legs", "neck")
GENERAL = ("background", "image quality", "colour")
PLAN: dict[str, Any] = {
    "title": "Which explanation helps?",
    "study": "forward-simulation",
    "factors": {"heatmap": list(HEATMAPS), "scores": list(SCORES)},
    "participant": "participant_id",
    "alpha": 0.05,
    "equivalence_bounds": {"accuracy": 0.1},
    "preregistered": [
        {
            "key": "h1",
            "text": "Heatmaps change accuracy",
            "outcome": "accuracy",
            "factor": "heatmap",
        }
    ],
    "n_tasks": 14,
    "labels": {"lrp": "LRP", "multiscale": "multi-scale", "none": "no heatmap"},
    "simulated": False,
    "version_sha256": "ab" * 32,
}


def make_frames(
    participants: int = 96,
    *,
    seed: int = 1,
    source: str = "real",
    effect: dict[str, float] | None = None,
) -> Frames:
    """participants, answers and codes of a balanced study; `effect` adds to P(correct) by level."""
    rng = np.random.default_rng(seed)
    chance = {"TP": 0.72, "FP": 0.4, "FN": 0.45}
    cells = list(product(HEATMAPS, SCORES))
    people, answers, codes = [], [], []
    for i in range(participants):
        heatmap, scores = cells[i % len(cells)]
        who = f"p{i:03d}"
        skill = rng.normal(0, 0.08)
        n_correct = 0
        for task, outcome in enumerate(OUTCOMES):
            assigned = outcome in ("TP", "FP")
            p = np.clip(chance[outcome] + skill + (effect or {}).get(heatmap, 0), 0.02, 0.98)
            correct = bool(rng.random() < p)
            n_correct += correct
            answers.append(
                {
                    "participant_id": who,
                    "task": f"t{task:02d}",
                    "position": task + 1,
                    "block": "cat" if task % 2 else "horse",
                    "task_label": "cat" if task % 2 else "horse",
                    "outcome": outcome,
                    "assigned": str(assigned).lower(),
                    "object_present": str(outcome in ("TP", "FN")).lower(),
                    "predicted": str(assigned == correct).lower(),
                    "correct": str(correct).lower(),
                    "confidence": int(np.clip(round(rng.normal(2.7 + 0.3 * correct, 0.8)), 1, 4)),
                    "sensitive": "eyes, =cmd()",
                    "ignores": "grass",
                    "submitted_at": "2024-03-01T10:00:00Z",
                    "seconds": round(float(rng.gamma(4, 8)), 1),
                }
            )
            share = {"none": 0.55, "lrp": 0.84, "multiscale": 0.71}[heatmap]
            for code in {
                str(rng.choice(SALIENCY if rng.random() < share else GENERAL)) for _ in range(2)
            }:
                group = "saliency" if code in SALIENCY else "general"
                codes.append(
                    {"participant_id": who, "task": f"t{task:02d}", "code": code, "group": group}
                )
        people.append(
            {
                "participant_id": who,
                "source": source,
                "status": "completed",
                "condition": f"{heatmap}-{scores}",
                "heatmap": heatmap,
                "scores": scores,
                "block_order": "cat-horse" if i % 2 else "horse-cat",
                "screening_passed": "false" if i % 9 == 0 else "true",
                "excluded": "false",
                "exclusion_reason": "",
                "arrived_at": "2024-03-01T09:50:00Z",
                "consented_at": "2024-03-01T09:52:00Z",
                "completed_at": "2024-03-01T10:20:00Z",
                "n_tasks": 14,
                "n_correct": n_correct,
                "version_sha256": "ab" * 32,
            }
        )
    return {
        "participants": pd.DataFrame(people),
        "answers": pd.DataFrame(answers),
        "codes": pd.DataFrame(codes),
    }


def write_export(folder: Path, frames: Frames, plan: dict[str, Any] | None = PLAN) -> Path:
    """Write frames (and a plan, unless None) as an export folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    if plan is not None:
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return folder


@pytest.fixture
def plan() -> dict[str, Any]:
    """The plan of the made-up study, free to change."""
    return json.loads(json.dumps(PLAN))


@pytest.fixture
def frames() -> Callable[..., Frames]:
    """`frames(participants, seed=..., source=..., effect=...)` makes an export's tables."""
    return make_frames


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    """`export(frames, plan)` writes them to a folder and returns it."""

    def write(tables: Frames, plan: dict[str, Any] | None = PLAN) -> Path:
        return write_export(tmp_path / "export", tables, plan)

    return write


@pytest.fixture
def human_studies() -> Path:
    """Published raw data of other people's studies; skips where they are absent."""
    folder = Path(__file__).parents[3] / "shared" / "data" / "human-studies"
    if not folder.is_dir():
        pytest.skip("the human-studies data are not on this machine")
    return folder
