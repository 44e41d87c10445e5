"""Puts the questions together: statistics, figures, tables and the page, moved into place whole."""

from __future__ import annotations

import json
import math
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import accuracy, baselines, confidence, factorial, features, figures, flow, wording
from .errors import AnalysisError
from .load import Study, TidyData, read_export, read_tidy
from .page import Page
from .plan import Plan
from .sample import Sample, draw_sample
from .section import Section
from .sensitivity import sensitivity_section

Progress = Callable[[float, str], None]

PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "scikit-posthocs", "matplotlib")
OWN_FILES = {"report.html", "results.json", "figures", "tables"}


def build(
    export_dir: Path | str,
    out_dir: Path | str,
    *,
    codes: Path | str | None = None,
    source: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Analyse an export folder and write the report to `out_dir`.

    `codes` replaces the export's codes.csv; `source` (real, preview, pilot, bot) chooses who is
    analysed, by default the real participants, or the simulated ones where no real one has
    completed; `progress` is called with a share from 0 to 1 and a few words. Returns what
    results.json holds. Raises `AnalysisError` when the input cannot be read or the output folder
    holds something else; nothing is left behind then.
    """
    tell = progress or _silent
    _check_out(Path(out_dir), Path(export_dir))
    tell(0.0, "reading the export")
    study = read_export(export_dir, codes)
    sample = draw_sample(study, source)
    sections = _study_sections(study, sample, tell)
    notes = [*study.notes, *sample.notes, *_versions(study, sample)]
    results = _header(study.plan, study.files, notes)
    results |= {
        "source": sample.source,
        "simulated": sample.simulated,
        "n_analysed": len(sample.participants),
    }
    people = f"{len(sample.participants)} participants analysed"
    banner = (
        "Simulated data: these answers were made by a model of a participant, not by people. "
        "The numbers show that the analysis works, and nothing about explanations."
        if sample.simulated
        else ""
    )
    _publish(
        study.plan, sections, results, Path(out_dir), f"{people}.", banner, _brief(sections), tell
    )
    return results


def build_tidy(
    path: Path | str,
    out_dir: Path | str,
    *,
    outcome: str,
    factors: list[str],
    participant: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Analyse one numeric outcome of anybody's tidy file; see `load.read_tidy` and `build`."""
    tell = progress or _silent
    _check_out(Path(out_dir), Path(path))
    tell(0.0, "reading the file")
    data = read_tidy(path, outcome=outcome, factors=factors, participant=participant)
    tell(0.2, outcome)
    section = outcome_section(data, factors)
    results = _header(data.plan, data.files, data.notes)
    results |= {"outcome_column": outcome, "n_analysed": len(data.frame)}
    lead = f"{len(data.frame)} participants analysed, from {Path(path).name}."
    brief = section.sentences[:1] + [s for s in section.sentences if s.startswith("Exploratory")]
    brief = [*brief, wording.CAUTION] if len(brief) > 1 else brief or _nothing()
    _publish(data.plan, [section], results, Path(out_dir), lead, "", brief, tell)
    return results


def outcome_section(data: TidyData, factors: list[str]) -> Section:
    """The factorial analysis of a tidy file's outcome."""
    section = Section("outcome", f"{data.outcome}", "One value per participant.")
    factorial.analyse(
        section,
        data.frame,
        outcome=data.outcome,
        words=data.outcome,
        factors=factors,
        plan=data.plan,
    )
    if len(data.frame):
        section.charts.append(
            figures.means_by_factor(
                data.frame,
                data.outcome,
                factors,
                data.plan,
                name="outcome_by_factor",
                axis=data.outcome,
            )
        )
        section.charts.append(
            figures.cell_means(
                data.frame,
                data.outcome,
                factors,
                data.plan,
                name="outcome_by_cell",
                axis=f"Mean {data.outcome}",
            )
        )
    return section


def _silent(_share: float, _words: str) -> None:
    return None


def _study_sections(study: Study, sample: Sample, tell: Progress) -> list[Section]:
    plan = study.plan
    tell(0.1, "flow and baselines")
    asked = study.answers if sample.answers.empty else sample.answers
    base = baselines.baseline_section(asked if asked is not None else pd.DataFrame())
    scores = {
        baselines.STRATEGIES[name]: values["accuracy"]
        for name, values in base.extra.get("strategies", {}).items()
    }
    sections = [flow.flow_section(sample, plan), base]
    tell(0.2, "accuracy")
    sections.append(accuracy.accuracy_section(sample, plan, scores))
    sections.append(accuracy.task_outcome_section(sample, plan))
    tell(0.45, "confidence")
    sections.append(confidence.confidence_section(sample, plan))
    if study.codes is not None:
        tell(0.65, "mentioned features")
        sections.append(features.feature_section(study.codes, sample, plan))
    elif plan.is_preregistered("saliency_ratio"):
        sections.append(features.section_without_codes())
    tell(0.75, "sensitivity")
    sections.append(sensitivity_section(sample, plan, study.codes))
    return sections


def _versions(study: Study, sample: Sample) -> list[str]:
    """Notes on study versions: several in one sample, or another than the plan's."""
    if "version_sha256" not in sample.participants or sample.participants.empty:
        return []
    found = sorted(set(sample.participants["version_sha256"]) - {""})
    notes = []
    if len(found) > 1:
        notes.append(f"The analysed participants took {len(found)} different study versions.")
    expected = study.plan.version_sha256
    if expected and found and expected not in found:
        notes.append("No analysed participant took the study version the plan belongs to.")
    return notes


def _header(plan: Plan, files: dict[str, str], notes: Sequence[str]) -> dict[str, Any]:
    return {
        "title": plan.title,
        "study": plan.study,
        "version_sha256": plan.version_sha256,
        "alpha": plan.alpha,
        "factors": {name: list(levels) for name, levels in plan.factors.items()},
        "preregistered": [vars(hypothesis) for hypothesis in plan.preregistered],
        "notes": list(notes),
        "made": {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "packages": {name: metadata.version(name) for name in PACKAGES},
            "files": files,
        },
    }


def _brief(sections: Sequence[Section]) -> list[str]:
    """The sentences a reader wants first: who, how well, what differed."""
    by_key = {section.key: section for section in sections}
    brief = by_key["flow"].sentences[:1]
    if "accuracy" in by_key and by_key["accuracy"].sentences:
        brief += by_key["accuracy"].sentences[:1]
    for key in ("accuracy", "confidence", "saliency_ratio"):
        if key in by_key:
            brief += [
                sentence
                for sentence in by_key[key].sentences
                if sentence.startswith(("Preregistered", "Exploratory"))
            ]
    return [*brief, wording.CAUTION] if len(brief) > 1 else brief or _nothing()


def _nothing() -> list[str]:
    return ["No statistic could be computed; the sections say why."]


def section_results(section: Section) -> dict[str, Any]:
    """A section as it stands in results.json: every test under its name."""
    content: dict[str, Any] = dict(section.extra)
    for name, frame in section.tests.items():
        test, _, factor = name.partition(".")
        rows = {row["term"]: _test_record(row) for row in frame.to_dict("records")}
        value = next(iter(rows.values())) if test in _SINGLE else rows
        if factor:
            content.setdefault(test, {})[factor] = value
        else:
            content[test] = value
    content["sentences"] = section.sentences
    content["notes"] = section.notes
    content["not_computed"] = section.not_computed
    return content


# Tests with one statistic per outcome; the others have one per term or pair.
_SINGLE = {"shapiro_wilk", "levene", "kruskal_wallis"}


def _test_record(row: dict[Any, Any]) -> dict[str, Any]:
    """statistic, df, p and effect size of a test, and whatever else belongs to it."""
    found = [float(row[name]) for name in ("df1", "df2") if _is_number(row[name])]
    df = [int(value) if value.is_integer() else value for value in found]
    record: dict[str, Any] = {
        "test": row["test"],
        "statistic_name": row["symbol"],
        "statistic": row["statistic"],
        "df": df or None,
        "p": row["p"],
        "effect_size_name": row["effect"],
        "effect_size": row["effect_size"],
    }
    if _is_number(row["ci_low"]):
        record["effect_size_ci"] = [row["ci_low"], row["ci_high"]]
    common = {"test", "term", "symbol", "statistic", "df1", "df2", "p", "effect", "effect_size"}
    record |= {k: v for k, v in row.items() if k not in common | {"ci_low", "ci_high"}}
    return record


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and math.isfinite(float(value))


def _publish(
    plan: Plan,
    sections: Sequence[Section],
    results: dict[str, Any],
    out: Path,
    lead: str,
    banner: str,
    brief: Sequence[str],
    tell: Progress,
) -> None:
    """Write everything beside `out` and move it into place; nothing half-written is left."""
    results |= {section.key: section_results(section) for section in sections}
    results["figures"] = [chart.name for section in sections for chart in section.charts]
    results["tables"] = [table.name for section in sections for table in section.tables]
    clean = _plain(results)
    results.clear()
    results.update(clean)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".report.", dir=out.parent))
    except OSError as error:
        raise AnalysisError(f"{out} cannot be written: {error.strerror}.") from error
    try:
        tell(0.85, "drawing")
        images = _write_files(sections, scratch)
        made = _made(results)
        html = Page(plan).write(
            lead=lead,
            banner=banner,
            brief=brief,
            notes=results["notes"],
            sections=sections,
            images=images,
            made=made,
        )
        (scratch / "report.html").write_text(html, encoding="utf-8")
        (scratch / "results.json").write_text(
            json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
        )
        scratch.chmod(0o755)
        _move(scratch, out)
    except OSError as error:
        raise AnalysisError(f"{out} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    tell(1.0, "done")


def _write_files(sections: Sequence[Section], folder: Path) -> dict[str, bytes]:
    """Figures as SVG with their data, tables and tests as CSV; returns the SVGs by name."""
    (folder / "figures").mkdir()
    (folder / "tables").mkdir()
    images = {}
    for section in sections:
        for chart in section.charts:
            images[chart.name] = figures.svg(chart.figure)
            (folder / "figures" / f"{chart.name}.svg").write_bytes(images[chart.name])
            chart.data.to_csv(folder / "figures" / f"{chart.name}.csv", index=False)
        for table in section.tables:
            table.frame.to_csv(folder / "tables" / f"{table.name}.csv", index=False)
        if section.tests:
            tests = [frame.assign(name=name) for name, frame in section.tests.items()]
            pd.concat([frame.dropna(axis=1, how="all") for frame in tests]).to_csv(
                folder / "tables" / f"{section.key}_tests.csv", index=False
            )
    return images


def _made(results: dict[str, Any]) -> dict[str, str]:
    made = results["made"]
    rows = {"Made at": made["at"]}
    if results["study"]:
        rows["Study"] = results["study"]
    if results["version_sha256"]:
        rows["Study version (SHA-256)"] = results["version_sha256"]
    rows["Significance level"] = wording.unit(results["alpha"], 2)
    rows |= {f"{name} (SHA-256)": digest for name, digest in made["files"].items()}
    rows["Python"] = made["python"]
    rows["Packages"] = ", ".join(f"{name} {version}" for name, version in made["packages"].items())
    return rows


def _check_out(out: Path, source: Path) -> None:
    """Refuse to replace anything but a report made earlier, and names that cannot be."""
    for path, done in ((source, "read"), (out, "written")):
        try:
            path.stat()
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:  # a name too long; one with a NUL
            reason = getattr(error, "strerror", error)
            raise AnalysisError(f"{str(path)!r} cannot be {done}: {reason}.") from error
    if out.resolve() == source.resolve() or out.resolve() in source.resolve().parents:
        raise AnalysisError(f"{out} holds the input; expected another folder for the report.")
    if out.exists() and not out.is_dir():
        raise AnalysisError(f"{out} is a file; expected a folder for the report.")
    if out.is_dir():
        held = {path.name for path in out.iterdir()}
        if held and (held - OWN_FILES or "results.json" not in held):
            other = sorted(held - OWN_FILES or held)[0]
            raise AnalysisError(
                f"{out} holds other files ({other}); expected a new or empty folder, or an earlier "
                "report."
            )


def _move(scratch: Path, out: Path) -> None:
    """Put the finished folder in the place of an earlier report, or of none."""
    if not out.exists():
        scratch.rename(out)
        return
    earlier = Path(tempfile.mkdtemp(prefix=".report.", dir=out.parent)) / "earlier"
    out.rename(earlier)
    try:
        scratch.rename(out)
    except OSError:
        earlier.rename(out)
        raise
    finally:
        shutil.rmtree(earlier.parent, ignore_errors=True)


def _plain(value: Any) -> Any:
    """The same in JSON's types; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return None if value is None or value is pd.NA else str(value)
