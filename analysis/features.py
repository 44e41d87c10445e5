"""Which features do participants say the classifier is sensitive to?"""

from __future__ import annotations

import pandas as pd

from . import factorial, figures
from .load import CODE_GROUPS
from .plan import Plan
from .sample import Sample
from .section import Section, Table

# How codes of the group "both" are counted: the default first, the others as a check.
TREATMENTS = {
    "neither": "in neither group",
    "saliency": "as saliency features",
    "general": "as general attributes",
}
TITLE = "Mentioned features: saliency-feature ratio"


def saliency_ratio(
    codes: pd.DataFrame, participants: pd.DataFrame, both: str = "neither"
) -> pd.DataFrame:
    """Each participant's share of saliency features among their codes.

    The ratio is saliency codes / (saliency + general codes); codes of the group `both` count in
    neither unless `both` says `saliency` or `general`. Returns `participants` with the counts
    saliency, general, both and with ratio, which is NaN for whoever has no code that counts.
    """
    counts = (
        codes.groupby(["participant_id", "group"])
        .size()
        .unstack(fill_value=0)
        .reindex(columns=list(CODE_GROUPS), fill_value=0)
    )
    frame = participants.drop(columns=[c for c in CODE_GROUPS if c in participants]).join(
        counts, on="participant_id"
    )
    frame[list(CODE_GROUPS)] = frame[list(CODE_GROUPS)].fillna(0)
    saliency, general = frame["saliency"], frame["general"]
    if both == "saliency":
        saliency = saliency + frame["both"]
    elif both == "general":
        general = general + frame["both"]
    total = saliency + general
    frame["ratio"] = saliency / total.where(total > 0)
    return frame


def section_without_codes() -> Section:
    """The section's place where a hypothesis asks for it and no codes were given."""
    section = Section("saliency_ratio", TITLE)
    section.not_computed["all tests"] = (
        "A preregistered hypothesis is about the saliency-feature ratio, but the typed answers are "
        "not coded: the export has no codes.csv and none was given by --codes."
    )
    return section


def feature_section(codes: pd.DataFrame, sample: Sample, plan: Plan) -> Section:
    """The saliency-feature ratio per participant, with a variance-robust ANOVA."""
    section = Section(
        "saliency_ratio",
        TITLE,
        "Each participant's codes for localised (saliency) features, divided by all their codes "
        "for localised features and general attributes. The text reports the analysis of variance "
        "with HC3 covariance, which allows unequal variances.",
    )
    people = sample.participants
    if people.empty:
        section.not_computed["all tests"] = "There are no completed participants to analyse."
        return section
    strangers = int((~codes["participant_id"].isin(sample.arrived["participant_id"])).sum())
    if strangers:
        section.notes.append(f"Codes of nobody in this source, left out: {strangers}.")
    frame = saliency_ratio(codes, people)
    without = int(frame["ratio"].isna().sum())
    section.extra["participants_without_codes"] = without
    section.sentences.append(
        f"Analysed participants left out because they have no code that counts: {without}."
        if without
        else "Every analysed participant has codes."
    )
    factorial.analyse(
        section,
        frame,
        outcome="ratio",
        words="saliency-feature ratio",
        factors=sample.factors,
        plan=plan,
        anovas=factorial.CORRECTED,
    )
    counted = frame.dropna(subset=["ratio"])
    if counted.empty:
        return section
    _both(section, codes, sample)
    if sample.factors:
        section.charts.append(
            figures.means_by_factor(
                counted,
                "ratio",
                sample.factors,
                plan,
                name="figure_26_saliency_ratio",
                axis="Saliency-feature ratio per participant",
                limits=(0, 1),
            )
        )
    return section


def _both(section: Section, codes: pd.DataFrame, sample: Sample) -> None:
    """How the mean ratio depends on where codes that fit both groups are counted."""
    mine = codes[codes["participant_id"].isin(sample.participants["participant_id"])]
    n_both = int((mine["group"] == "both").sum())
    section.extra["codes_both"] = n_both
    if not n_both:
        return
    rows = []
    for treatment, words in TREATMENTS.items():
        ratios = saliency_ratio(codes, sample.participants, treatment)["ratio"].dropna()
        rows.append({"both": words, "n": len(ratios), "mean": ratios.mean(), "sd": ratios.std()})
    section.tables.append(
        Table(
            "saliency_ratio_both",
            f"Where the {n_both} codes marked “both” are counted, and what it does to the ratio.",
            pd.DataFrame(rows),
            [("Codes marked both count", "both"), ("n", "n"), ("Mean", "mean"), ("SD", "sd")],
        )
    )
