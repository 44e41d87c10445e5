"""faithfulness.csv: how faithful the heatmaps were that a study shows, to join with answers."""

from collections.abc import Iterator
from dataclasses import dataclass

from studyplatform.stimuli.faithfulness import metrics, selectors
from studyplatform.stimuli.faithfulness.selectors import Outcome, Outcomes, ShownPlace
from studyplatform.stimuli.models import StimulusSet
from studyplatform.studies.models import StudyVersion

from .columns import Column


@dataclass(frozen=True)
class Measured:
    """A row of faithfulness.csv: one metric of one heatmap, or ("" for level) of a random map."""

    version: StudyVersion
    place: ShownPlace
    level: str
    method: str
    label: str
    metric: str
    outcome: Outcome
    recipe: str


def rows(stimulus_set: StimulusSet) -> Iterator[Measured]:
    """Yield what is measured of each heatmap where it is shown, then of the random map there."""
    version = stimulus_set.version
    for place in selectors.shown_places(stimulus_set):
        random: dict[str, tuple[Outcomes, str]] = {}
        for one in place.maps:
            label, method = one.heatmap.label, one.heatmap.method
            random.setdefault(label, (one.random, one.random_recipe))
            for metric, outcome in sorted(one.outcomes.items()):
                of = (place, one.level, method, label, metric, outcome, one.recipe)
                yield Measured(version, *of)
        for label, (outcomes, recipe) in random.items():
            for metric, outcome in sorted(outcomes.items()):
                of = (place, "", metrics.RANDOM, label, metric, outcome, recipe)
                yield Measured(version, *of)


def columns() -> list[Column[Measured]]:
    """Return the columns of faithfulness.csv."""
    return [
        Column(
            "version_number",
            "whole number",
            "version of the study, as in participants.csv; only heatmaps that are rendered and "
            "measured have rows: none where nobody asked for it in the console",
            lambda r: r.version.number,
        ),
        Column(
            "task",
            "whole number",
            "number of the task among whose examples the heatmap is shown, as in answers.csv; "
            "empty for an illustration of the instructions or of screening",
            lambda r: r.place.task.number if r.place.task else None,
        ),
        Column(
            "position",
            "text",
            "place of the example among the task's, from 1; or illustration",
            lambda r: r.place.position or "illustration",
        ),
        Column("task_label", "text", "label in question there", lambda r: r.place.label),
        Column(
            "outcome",
            "text",
            "what the classifier did on the image shown, for that label",
            lambda r: r.place.outcome,
            "TP, FP, FN, TN",
        ),
        Column(
            "image_sha256", "text", "SHA-256 of the image shown", lambda r: r.place.image_sha256
        ),
        Column(
            "label",
            "text",
            "label the heatmap explains; empty where it explains the whole prediction",
            lambda r: r.label,
        ),
        Column(
            "level",
            "text",
            "level of the factor heatmap under which it is shown, as in participants.csv; empty "
            "for the random map, which nobody sees",
            lambda r: r.level,
        ),
        Column(
            "method",
            "text",
            f"heatmap method; {metrics.RANDOM} for a map of chance, the yardstick for the others",
            lambda r: r.method,
        ),
        Column("metric", "text", "what was measured", lambda r: r.metric, _metrics()),
        Column(
            "value",
            "number",
            "its value; empty where there is none",
            lambda r: None if isinstance(r.outcome, str) else r.outcome,
        ),
        Column(
            "reason",
            "text",
            "why there is no value",
            lambda r: r.outcome if isinstance(r.outcome, str) else None,
        ),
        Column(
            "steps",
            "whole number",
            "steps of the curves it was measured with; values of other numbers of steps are not to "
            "be compared",
            lambda r: metrics.steps_of(r.recipe),
        ),
        Column(
            "recipe",
            "text",
            "how it was measured: edition of the metrics, steps, seed, packages; the console shows "
            "values of one recipe only, and measures the others anew when it is asked to",
            lambda r: r.recipe,
        ),
    ]


def _metrics() -> str:
    return "; ".join(f"{one.name} = {one.label}, {one.direction}" for one in metrics.all_words())
