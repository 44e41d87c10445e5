"""What follows from a spec as it is typed: texts as read, conditions, the analysis, what it costs.

All of it is computed from the text alone; nothing is stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.safestring import SafeString

from studyplatform.participation import texts
from studyplatform.stimuli.lint.participants import HOURLY_MINIMUM
from studyplatform.studies.spec import ExclusionRule, Hypothesis, InstructionPage, Spec

MAXIMUM_FEE = Decimal(1000)  # per cent
_TESTS = {
    "accuracy": (
        "Analysis of variance of each participant's share of right predictions (Type III, all "
        "factors): the main effect of {factor}."
    ),
    "confidence": (
        "Kruskal-Wallis test of each participant's median confidence over all conditions, then "
        "Dunn's test with Holm's correction. It asks about the conditions as a whole."
    ),
    "saliency_ratio": (
        "Analysis of variance of each participant's saliency-feature ratio, with a covariance that "
        "allows unequal variances (HC3, all factors): the main effect of {factor}. It needs the "
        "typed answers to be coded."
    ),
}
_OUTCOMES = {
    "accuracy": "share of right predictions",
    "confidence": "confidence",
    "saliency_ratio": "saliency-feature ratio",
}
_TERMS = {
    "TP": "true positive",
    "FP": "false positive",
    "FN": "false negative",
    "TN": "true negative",
}


@dataclass(frozen=True)
class PageChoice:
    """A page of texts one can look at: its key in the form, its name in the list."""

    key: str
    name: str


@dataclass(frozen=True)
class ReadPage:
    """A page's texts as participants read them; `notes` say what else it shows, and to whom."""

    title: str
    body: SafeString
    lines: tuple[SafeString, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConditionRow:
    levels: tuple[str, ...]
    target: int


@dataclass(frozen=True)
class HypothesisRow:
    hypothesis: Hypothesis
    test: str


@dataclass(frozen=True)
class PayRow:
    """What somebody earns with so many right predictions, and what all places cost then."""

    name: str
    n_correct: int
    total: str
    hourly: str
    below_minimum: bool
    all_places: str


@dataclass(frozen=True)
class Costs:
    """What the study pays; `minimum` is the platform's per hour, "" where none is known."""

    rows: tuple[PayRow, ...]
    minutes: int
    places: int
    minimum: str
    fee: str
    fee_problem: str


@dataclass(frozen=True)
class Consequences:
    """All that the page beside the text shows."""

    choices: tuple[PageChoice, ...]
    shown: PageChoice
    page: ReadPage
    factors: tuple[str, ...]
    conditions: tuple[ConditionRow, ...]
    places: int
    alpha: float
    hypotheses: tuple[HypothesisRow, ...]
    exclusions: tuple[str, ...]
    bounds: tuple[str, ...]
    costs: Costs


def consequences_of(spec: Spec, labels: Sequence[str], shown: str, fee: str) -> Consequences:
    """Return what follows from a spec.

    labels: those the classifier knows, for the texts that name them. shown: the key of the page to
    read, the first for an unknown one. fee: the platform's share in per cent, as it was typed.
    """
    choices = tuple(_choices(spec))
    chosen = next((choice for choice in choices if choice.key == shown), choices[0])
    conditions = tuple(
        ConditionRow(tuple(levels.values()), spec.target(levels)) for levels in spec.conditions()
    )
    places = sum(row.target for row in conditions)
    return Consequences(
        choices=choices,
        shown=chosen,
        page=_page(spec, list(labels), chosen.key),
        factors=tuple(spec.factors),
        conditions=conditions,
        places=places,
        alpha=spec.analysis.alpha,
        hypotheses=tuple(
            HypothesisRow(one, _TESTS[one.outcome].format(factor=one.factor))
            for one in spec.analysis.hypotheses
        ),
        exclusions=tuple(_exclusion(rule) for rule in spec.exclusions),
        bounds=tuple(_bounds(spec)),
        costs=_costs(spec, places, fee),
    )


def fee_read(fee: str) -> Decimal | None:
    """Return a fee in per cent as it was typed, 0 for nothing, None for what is none."""
    text = fee.strip().removesuffix("%").strip().replace(",", ".")
    if not text:
        return Decimal(0)
    try:
        found = Decimal(text)
    except ArithmeticError:
        return None
    return found if found.is_finite() and 0 <= found <= MAXIMUM_FEE else None


def _choices(spec: Spec) -> Iterator[PageChoice]:
    for language in spec.languages:
        mark = f" ({language})" if len(spec.languages) > 1 else ""
        pages = spec.in_language(language).instructions
        yield PageChoice(f"{language}/information", f"Information sheet{mark}")
        yield PageChoice(f"{language}/consent", f"Consent{mark}")
        for number, page in enumerate(pages, start=1):
            when = f", {page.when}" if page.when else ""
            name = f"Instructions {number}{mark}: {page.title}{when}"
            yield PageChoice(f"{language}/instructions/{number}", name)


def _page(spec: Spec, labels: list[str], key: str) -> ReadPage:
    language, _, rest = key.partition("/")
    spoken = spec.in_language(language)
    values = texts.placeholders(spoken, labels)
    if rest == "information":
        lines = tuple(texts.markdown_line(line, values) for line in spoken.eligibility)
        return ReadPage("About this study", texts.markdown(spoken.information, values), lines)
    if rest == "consent":
        statements = tuple(texts.markdown_line(text, values) for text in spoken.consent.statements)
        tick = texts.markdown(spoken.consent.tick, values)
        return ReadPage("Your consent", tick, statements)
    page = spoken.instructions[int(rest.rpartition("/")[2]) - 1]
    return ReadPage(
        texts.filled(page.title, values),
        texts.markdown(page.body, values),
        tuple(texts.markdown_line(figure.caption, values) for figure in page.figures),
        tuple(_notes(page)),
    )


def _notes(page: InstructionPage) -> Iterator[str]:
    if page.when:
        yield f"Seen where {page.when}."
    for figure in page.figures:
        extras = [name for name in ("heatmap", "scores") if getattr(figure, name)]
        also = f", with its {' and its '.join(extras)}" if extras else ""
        when = f"; where {figure.when}" if figure.when else ""
        yield f"Picture: a {_TERMS[figure.outcome]} for {figure.label}{also}{when}."
    if page.task_preview:
        yield "Shows what a task looks like."


def _exclusion(rule: ExclusionRule) -> str:
    who = "Whoever fails the screening"
    if rule.rule == "faster_than_minutes":
        who = f"Whoever takes less than {rule.value:g} minutes from consent to the end"
    then = "is left out of the analysis" if rule.applies else "is marked, and stays in the analysis"
    return f"{rule.key}: {who} {then}."


def _bounds(spec: Spec) -> Iterator[str]:
    for outcome, bound in spec.analysis.equivalence_bounds.items():
        name = _OUTCOMES.get(outcome, outcome)
        points = "" if outcome == "confidence" else f" ({100 * bound:g} percentage points)"
        yield (
            f"{name[0].upper()}{name[1:]}: two conditions count as alike where they differ by less "
            f"than {bound:g}{points}."
        )


def _costs(spec: Spec, places: int, fee: str) -> Costs:
    pay, n = spec.pay, spec.tasks.total
    rate = fee_read(fee)
    minimum = HOURLY_MINIMUM.get(pay.currency)
    rows = []
    for name, right in (("all wrong", 0), ("half right", n // 2), ("all right", n)):
        total = pay.total(right)
        hourly = total * 60 / pay.expected_minutes
        whole = places * total * (1 + (rate or Decimal(0)) / 100)
        rows.append(
            PayRow(
                name=name,
                n_correct=right,
                total=texts.money(total, pay.currency),
                hourly=texts.money(hourly, pay.currency),
                below_minimum=minimum is not None and hourly < minimum,
                all_places=texts.money(whole, pay.currency),
            )
        )
    return Costs(
        rows=tuple(rows),
        minutes=pay.expected_minutes,
        places=places,
        minimum=texts.money(minimum, pay.currency) if minimum is not None else "",
        fee=fee,
        fee_problem=""
        if rate is not None
        else f"expected a percentage from 0 to {MAXIMUM_FEE}, such as 33.3; none is added now",
    )
