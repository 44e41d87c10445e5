"""The command line: `python -m analysis report EXPORT --out DIR`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import AnalysisError
from .sample import SOURCES

EXAMPLES = """examples:
  python -m analysis report export/ --out report/
  python -m analysis report export/ --codes codes.csv --out report/
  python -m analysis report scores.csv --outcome score --factors method,training \\
      --participant id --out report/
"""


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    report = commands.add_parser(
        "report",
        help="analyse an export, or one tidy file",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument("export", type=Path, help="folder of an export, or a tidy CSV file")
    report.add_argument("--out", type=Path, required=True, help="folder the report is written to")
    report.add_argument("--codes", type=Path, help="codes table that replaces the export's")
    report.add_argument("--source", choices=SOURCES, help="whom to analyse (default: real)")
    report.add_argument("--outcome", help="tidy file: the numeric column to analyse")
    report.add_argument("--factors", help="tidy file: one to three columns, separated by commas")
    report.add_argument("--participant", help="tidy file: the column that identifies a participant")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it was done, 2 with one sentence when the input cannot be used."""
    options = parser().parse_args(arguments)
    try:
        _report(options)
    except AnalysisError as error:
        print(f"python -m analysis: {error}", file=sys.stderr)
        return 2
    print(options.out / "report.html")
    return 0


def _report(options: argparse.Namespace) -> None:
    from .report import build, build_tidy

    tidy = (options.outcome, options.factors, options.participant)
    if os.path.isdir(options.export):  # unlike Path.is_dir, also for a name too long to exist
        if any(tidy):
            raise AnalysisError(
                "--outcome, --factors and --participant are for one tidy file; "
                f"{options.export} is a folder."
            )
        build(
            options.export,
            options.out,
            codes=options.codes,
            source=options.source,
            progress=_progress(),
        )
        return
    if not os.path.exists(options.export):
        raise AnalysisError(f"{options.export} does not exist; expected an export or a CSV file.")
    if not (options.outcome and options.factors):
        raise AnalysisError(
            f"{options.export} is a file: --outcome and --factors say what to analyse in it."
        )
    if options.codes or options.source:
        raise AnalysisError("--codes and --source are for an export folder, not for a tidy file.")
    build_tidy(
        options.export,
        options.out,
        outcome=options.outcome.strip(),
        factors=[factor.strip() for factor in options.factors.split(",") if factor.strip()],
        participant=options.participant,
        progress=_progress(),
    )


def _progress() -> Callable[[float, str], None] | None:
    """A line on a terminal's standard error; silence in a pipe."""
    if not sys.stderr.isatty():
        return None

    def tell(share: float, words: str) -> None:
        print(f"\r{share:4.0%} {words:<30}", end="\n" if share >= 1 else "", file=sys.stderr)

    return tell


if __name__ == "__main__":
    sys.exit(main())
