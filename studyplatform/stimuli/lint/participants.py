"""What participants are owed: pay, and questions on the instructions that can be answered."""

from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import urlsplit

from studyplatform.studies import when
from studyplatform.studies.spec import Spec

from .finding import Rule, Severity, Trouble
from .material import Material

# Prolific's minimum; what may come on top (a bonus) does not count.
HOURLY_MINIMUM = {"GBP": Decimal(6), "USD": Decimal(8)}
_PLATFORM = "prolific.com"


def _pay(material: Material) -> Iterator[Trouble]:
    pay = material.spec.pay
    minimum = HOURLY_MINIMUM.get(pay.currency)
    hourly = pay.base * 60 / pay.expected_minutes
    if minimum is not None and hourly < minimum:
        needed = (minimum * pay.expected_minutes / 60).quantize(Decimal("0.01"), "ROUND_UP")
        yield Trouble(
            f"{pay.base:.2f} {pay.currency} for {pay.expected_minutes} minutes are {hourly:.2f} "
            f"{pay.currency} an hour; Prolific's minimum is {minimum:.2f}, without any bonus.",
            f"Raise pay.base to at least {needed}, or shorten the study (pay.expected_minutes).",
            where="pay",
            severity=_by_platform(material.spec),
        )


def _tries(material: Material) -> Iterator[Trouble]:
    screening = material.spec.screening
    if screening.items and screening.on_failure == "screen_out" and screening.tries < 2:
        yield Trouble(
            "Whoever fails the questions on the instructions once is turned away; Prolific asks "
            "for two tries.",
            "Set screening.tries to 2 or more, or let them go on (on_failure: flag).",
            where="screening.tries",
            severity=_by_platform(material.spec),
        )


def _screened_out(material: Material) -> Iterator[Trouble]:
    screening = material.spec.screening
    if screening.items and screening.on_failure == "screen_out":
        code = material.spec.exits.screened_out.code
        yield Trouble(
            "Whoever fails the questions on the instructions is turned away, and has worked for "
            f"it until then. They leave with the code {code}, and nothing is paid by this site.",
            f"Set up a fixed payment for the code {code} on the platform and say so as your "
            "reason, or let them go on (on_failure: flag).",
            where="screening.on_failure",
        )


def _regions_seen(material: Material) -> Iterator[Trouble]:
    """An item on a frame in a heatmap, asked where no heatmap is shown."""
    for item in material.spec.screening.items:
        blind = [
            levels
            for levels in material.spec.conditions()
            if levels.get("heatmap", "none") == "none" and when.holds(item.when, levels)
        ]
        if item.region and blind:
            yield Trouble(
                f"screening.items.{item.key} asks about a frame in a heatmap, but the condition "
                f"{', '.join(blind[0].values())} shows none: there it has no right answer.",
                'Add when: "heatmap != none" to the item.',
                where=f"screening.items.{item.key}",
            )


def _regions_clear(material: Material) -> Iterator[Trouble]:
    """Items on a heatmap that is red all over have no right answer either."""
    shown = {(one.label, one.outcome): one.image.sha256 for one in material.illustrations}
    unclear = {
        (row.level, row.heatmap.label, row.heatmap.image.sha256)
        for row in material.needed
        if row.overlay_sha256 and row.strongest is None
    }
    for item in material.spec.screening.items:
        figure = item.figure
        for level in material.spec.heatmaps if item.region else ():
            image = shown.get((figure.label, figure.outcome))
            for label in (figure.label, ""):  # "": of a class-agnostic method
                if (level, label, image) in unclear:
                    yield Trouble(
                        f"screening.items.{item.key}: the {level} heatmap of the "
                        f"{figure.outcome} image of {figure.label!r} has no part that is clearly "
                        "weaker than its strongest.",
                        f"Take another figure, or set the threshold of {figure.label!r} so that "
                        "another image is chosen.",
                        where=f"screening.items.{item.key}",
                        evidence=(level, str(image)),
                    )


def _contradictions(material: Material) -> Iterator[Trouble]:
    """The same question on the same figure with two right answers."""
    asked: dict[object, str] = {}
    for item in material.spec.screening.items:
        figure = item.figure
        question = (item.prompt, figure.label, figure.outcome, item.region)
        if asked.setdefault(question, item.answer) != item.answer:
            yield Trouble(
                f"screening.items.{item.key} asks what another item asks, on the same figure, "
                "and expects the other answer.",
                "Correct one of the two answers.",
                where=f"screening.items.{item.key}",
            )


def _by_platform(spec: Spec) -> Severity:
    """A rule of the platform is no matter of taste where everybody comes from it."""
    host = urlsplit(spec.recruitment.return_url).hostname or ""
    from_there = host == _PLATFORM or host.endswith(f".{_PLATFORM}")
    only = from_there and not spec.recruitment.plain_links
    return Severity.ERROR if only else Severity.WARNING


PAY = Rule("pay-too-low", Severity.WARNING, _pay)
TRIES = Rule("screening-one-try", Severity.WARNING, _tries)
SCREENED_OUT = Rule("screened-out-unpaid", Severity.WARNING, _screened_out)
REGIONS_SEEN = Rule("screening-no-heatmap", Severity.ERROR, _regions_seen)
REGIONS_CLEAR = Rule("screening-unclear", Severity.ERROR, _regions_clear)
CONTRADICTIONS = Rule("screening-contradiction", Severity.ERROR, _contradictions)
