"""The ledger follows the stimuli: what they newly show is asked for, what they no longer show goes.

Rendered heatmaps stay in the ledger for whoever shows them again.
"""

from ..models import NeededHeatmap, StimulusSet
from .preparation import needed_heatmaps_ensure, shown_heatmaps

_Group = tuple[str, str]


def needed_heatmaps_follow(*, stimulus_set: StimulusSet) -> None:
    """Enter the heatmaps that are missing and take out those that are shown no more.

    Where overlays share a scale, all that share it are composed anew: one map more or less can
    change it.
    """
    before = _rows(stimulus_set)
    needed_heatmaps_ensure(stimulus_set=stimulus_set)
    shown = {(level, image.sha256, label) for level, image, label in shown_heatmaps(stimulus_set)}
    gone = [pk for key, pk in before.items() if key not in shown]
    NeededHeatmap.objects.filter(pk__in=gone).delete()
    scale = stimulus_set.version.spec.stimuli.overlay_scale
    if scale == "map":
        return
    changed = {_group(key, scale) for key in shown ^ before.keys()}
    stale = [
        pk
        for key, pk in _rows(stimulus_set).items()
        if key in before and _group(key, scale) in changed
    ]
    NeededHeatmap.objects.filter(pk__in=stale).update(
        overlay_sha256="", strongest=None, weakest=None
    )


def _rows(stimulus_set: StimulusSet) -> dict[tuple[str, str, str], int]:
    rows = stimulus_set.needed_heatmaps.values_list(
        "level", "heatmap__image__sha256", "heatmap__label", "pk"
    )
    return {(level, image, label): pk for level, image, label, pk in rows}


def _group(key: tuple[str, str, str], scale: str) -> _Group:
    level, _, label = key
    return level, label if scale == "label" else ""
