"""Do the main results hang on who is counted? Main tests with and without screening failures."""

from __future__ import annotations

from functools import partial

import pandas as pd

from . import features
from .anova import anova_table, fit_model
from .confidence import medians
from .errors import NotComputableError
from .plan import Plan
from .posthoc import kruskal_wallis
from .sample import Sample
from .section import Columns, Section, Table

COLUMNS: Columns = [
    ("Outcome", "outcome"),
    ("Test", "test"),
    ("Term", "term"),
    ("n", "n_all"),
    ("Statistic", "statistic_all"),
    ("p", "p_all"),
    ("n without", "n_without"),
    ("Statistic without", "statistic_without"),
    ("p without", "p_without"),
]


def without_failures(sample: Sample) -> Sample:
    """The sample less those who failed the screening."""
    people = sample.participants[~sample.participants["screening_passed"].eq(0)]
    answers = sample.answers[sample.answers["participant_id"].isin(people["participant_id"])]
    return Sample(sample.source, sample.simulated, sample.factors, sample.arrived, people, answers)


def main_tests(
    section: Section, sample: Sample, codes: pd.DataFrame | None, group: str
) -> list[pd.DataFrame]:
    """The one test per outcome that the report's sentences rest on, kept in `section`.

    `group` (everyone, passed) ends the name each test is kept under.
    """
    people = sample.participants

    def accuracy() -> pd.DataFrame:
        model = fit_model(people.dropna(subset=["accuracy"]), "accuracy", sample.factors)
        return anova_table(model).assign(outcome="accuracy", n=model.n)

    def ratio() -> pd.DataFrame:
        frame = features.saliency_ratio(codes, people) if codes is not None else people
        model = fit_model(frame.dropna(subset=["ratio"]), "ratio", sample.factors)
        return anova_table(model, robust="hc3").assign(outcome="saliency_ratio", n=model.n)

    tests = {f"anova_type_iii_{group}.accuracy": accuracy}
    if "confidence" in sample.answers and sample.answers["confidence"].notna().any():
        frame = medians(sample)
        tests[f"kruskal_wallis_{group}.confidence"] = lambda: partial(
            kruskal_wallis, frame, "confidence", "cell"
        )().assign(outcome="confidence", term="condition")
    if codes is not None:
        tests[f"anova_type_iii_hc3_{group}.saliency_ratio"] = ratio
    frames = [section.attempt(name, test) for name, test in tests.items()]
    return [frame for frame in frames if frame is not None]


def sensitivity_section(sample: Sample, plan: Plan, codes: pd.DataFrame | None) -> Section:
    """The main tests on all analysed participants and on those who passed the screening."""
    section = Section(
        "sensitivity",
        "Sensitivity: without screening failures",
        "The main tests on everyone analysed, and again without those who failed the screening.",
    )
    if sample.participants.empty:
        section.not_computed["all tests"] = "There are no completed participants to analyse."
        return section
    failed = int(sample.participants["screening_passed"].eq(0).sum())
    section.extra["screening_failures"] = failed
    if sample.participants["screening_passed"].isna().all():
        section.not_computed["all tests"] = "Nobody's screening result is known."
        return section
    if failed == 0:
        section.sentences.append("Nobody analysed failed the screening, so there is one result.")
        return section
    section.sentences.append(f"{failed} of {len(sample.participants)} failed the screening.")
    try:
        return _compare(section, sample, plan, codes)
    except NotComputableError as reason:
        section.not_computed["all tests"] = str(reason)
        return section


def _compare(section: Section, sample: Sample, plan: Plan, codes: pd.DataFrame | None) -> Section:
    everyone = main_tests(section, sample, codes, "everyone")
    passed = main_tests(section, without_failures(sample), codes, "passed")
    if not everyone or not passed:
        return section
    keys = ["outcome", "test", "term"]
    kept = [*keys, "n", "symbol", "df1", "df2", "statistic", "p"]
    both = pd.concat(everyone)[kept].merge(
        pd.concat(passed)[kept], on=keys, how="left", suffixes=("_all", "_without")
    )
    flips = both[(both["p_all"] < plan.alpha) != (both["p_without"] < plan.alpha)].dropna(
        subset=["p_all", "p_without"]
    )
    for _, row in flips.iterrows():
        section.notes.append(
            f"{plan.label(row['outcome'])}, {plan.label(row['term'])}: significance depends on "
            f"whether screening failures are counted (p = {row['p_all']:.3f} with, "
            f"{row['p_without']:.3f} without)."
        )
    section.tables.append(
        Table(
            "sensitivity_screening",
            "The main tests with and without participants who failed the screening.",
            both,
            COLUMNS,
        )
    )
    return section
