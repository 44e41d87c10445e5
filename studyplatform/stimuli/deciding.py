"""Which parts of a spec decide about stimuli: while they stay, tasks and heatmaps stay."""

import json
from typing import Literal

from studyplatform.studies.spec import Spec

Effect = Literal["none", "heatmaps", "tasks"]
"""What another spec asks for: nothing new, other heatmaps of the same images, other tasks."""


def effect_of(old: Spec, new: Spec) -> Effect:
    """Return what of the stimuli made from `old` has to be made anew for `new`."""
    if of_tasks(old) != of_tasks(new):
        return "tasks"
    return "none" if of_heatmaps(old) == of_heatmaps(new) else "heatmaps"


def of_tasks(spec: Spec) -> str:
    """Return, as JSON, the parts that decide about thresholds, tasks, examples, illustrations."""
    whole = spec.model_dump(mode="json")
    for key in ("overlay_scale", "overlay_percentile"):
        del whole["stimuli"][key]
    del whole["tasks"]["counterbalance"]
    figures = sorted({(figure.label, figure.outcome) for _, figure in spec.figures()})
    # The order of the labels numbers the tasks, so keys are not sorted.
    return json.dumps([whole["stimuli"], whole["tasks"], spec.seed, figures])


def of_heatmaps(spec: Spec) -> str:
    """Return, as JSON, the parts that decide which heatmaps are shown, and how they are drawn."""
    whole = spec.model_dump(mode="json")
    for method in whole["heatmaps"].values():
        method.pop("meaning", None)  # what participants read beside it
    drawn = [whole["stimuli"][key] for key in ("overlay_scale", "overlay_percentile")]
    figures = sorted(figures_with_heatmap(spec))
    return json.dumps([whole["heatmaps"], drawn, figures], sort_keys=True)


def figures_with_heatmap(spec: Spec) -> set[tuple[str, str]]:
    """Return label and outcome of every figure that is shown with its heatmap."""
    framed = {(i.figure.label, i.figure.outcome) for i in spec.screening.items if i.region}
    return framed | {(f.label, f.outcome) for _, f in spec.figures() if f.heatmap}
