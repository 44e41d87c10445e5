r"""How fast the heatmap methods are, compared with the network they explain.

    python -m benchmarks.explainers --out var/benchmark
    python -m benchmarks.explainers --networks demo --methods occlusion,lrp --seconds 5 --out DIR

Into the folder go `cells.jsonl`, one line per network and method, `speed.json`, the same as one
document, and `speed.md`, the tables with what they mean. A line that is there is not measured
again (--again does), so an interrupted run goes on where it was. All of it takes over an hour on
two cores; leave the machine alone meanwhile.
"""

# ruff: noqa: E402 (the path comes first where this is run as a file)

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if not __package__:  # "explainers" is to be the library, not this file
    sys.path[0] = str(ROOT)

from benchmarks.networks import NETWORKS
from benchmarks.tables import page
from explainers import available, parameters
from explainers.lrp import composites
from explainers.registry import method

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "lrp": [{"composite": name} for name in composites.NAMES],
}
"""Methods of which more than the default settings are measured."""

Cell = dict[str, Any]

_LOG = re.compile(r"[IWE]\d{4} |WARNING: All log")  # TensorFlow's own


class MeasurementError(Exception):
    """A measurement that did not come to its end."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "cells.jsonl"
    machine = this_machine()
    known = read(file, machine)
    _warn_of_load()
    failures = _measure_all(options, file, known, machine)
    cells = list(read(file, machine).values())
    (options.out / "speed.json").write_text(json.dumps(cells, indent=1) + "\n")
    (options.out / "speed.md").write_text(page(cells))
    print(options.out / "speed.md")
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.explainers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # A control that knows no network has no speed to compare with the network's.
    measurable = tuple(name for name in available() if method(name).reads_network)
    parser.add_argument(
        "--methods", default=",".join(measurable), type=_names(measurable), metavar="A,B",
        help="default: all",
    )  # fmt: skip
    parser.add_argument(
        "--networks", default=",".join(NETWORKS), type=_names(tuple(NETWORKS)), metavar="A,B",
        help=f"default: {','.join(NETWORKS)}",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=30.0, metavar="S",
        help="for each measurement; a line takes up to three (default: 30)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "benchmark", metavar="DIR")
    parser.add_argument("--again", action="store_true", help="measure what is there once more")
    return parser.parse_args(arguments)


def _names(allowed: tuple[str, ...]) -> Any:
    def read(text: str) -> list[str]:
        found = [name.strip() for name in text.split(",")]
        for name in found:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(allowed)}")
        return found

    return read


def this_machine() -> dict[str, Any]:
    """What the figures depend on; nothing that names the machine."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "tensorflow": next(
            found for name in ("tensorflow-cpu", "tensorflow") if (found := _version(name))
        ),
        "keras": version("keras"),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ImportError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((one.partition(":")[2].strip() for one in lines if "model name" in one), "unknown")


def _warn_of_load() -> None:
    load = os.getloadavg()[0]
    if load > 0.3:
        print(
            f"warning: the machine is busy (load {load:.1f}); figures for the record come from a "
            "quiet one.",
            file=sys.stderr,
        )


# -- cells -----------------------------------------------------------------------------------------


def read(file: Path, machine: dict[str, Any]) -> dict[str, Cell]:
    """The cells that are there, by key, the last line of a key; a line cut off by a crash is not.

    Figures of different machines are never mixed.
    """
    cells: dict[str, Cell] = {}
    for line in file.read_text().splitlines() if file.is_file() else ():
        try:
            cell = json.loads(line)
        except json.JSONDecodeError:
            continue
        if cell["machine"] != machine:
            sys.exit(f"{file} holds figures of another machine or version; choose another --out.")
        cells[key(cell["network"], cell["method"], cell["settings"])] = cell
    return cells


def key(network: str, name: str | None, settings: dict[str, Any]) -> str:
    return json.dumps([network, name, settings], sort_keys=True)


def _measure_all(
    options: argparse.Namespace, file: Path, known: dict[str, Cell], machine: dict[str, Any]
) -> list[str]:
    """Measure what is not known yet, appending line by line; returns what failed."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    failures = []
    columns = (
        *Progress.get_default_columns()[:3],
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
    )
    wanted = list(_wanted(options))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("measuring", total=len(wanted), what="")
        for network, name, settings in wanted:
            progress.update(task, what=f"{network} {name or ''} {_plain(settings)}")
            here = key(network, name, settings)
            alone = known.get(key(network, None, {}))
            if here not in known or (options.again and name is not None):
                try:
                    found = _cell(network, name, settings, alone, options.seconds)
                except MeasurementError as failure:
                    failures.append(f"{network} {name or ''} {_plain(settings)}: {failure}")
                else:
                    cell = {"network": network, "method": name, "settings": settings}
                    cell |= {"machine": machine, "asked_seconds": options.seconds} | found
                    known[here] = cell
                    with file.open("a") as lines:
                        lines.write(json.dumps(cell) + "\n")
            progress.advance(task)
    return failures


def _wanted(options: argparse.Namespace) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Networks, each alone first, with methods and settings."""
    for network in options.networks:
        if missing := NETWORKS[network].missing:
            print(f"{network} is left out: {missing}", file=sys.stderr)
            continue
        yield network, None, {}
        for name in options.methods:
            for settings in VARIANTS.get(name, [{}]):
                yield network, name, settings


def _cell(
    network: str, name: str | None, settings: dict[str, Any], alone: Cell | None, seconds: float
) -> Cell:
    if name is None:
        return measured("network", network, seconds=seconds, batches=NETWORKS[network].batches)
    if alone is None:
        raise MeasurementError("the network alone could not be measured")
    what: dict[str, Any] = {"network": network, "method": name, "settings": settings}
    if method(name).needs_network:
        found = measured("passes", **what, seconds=seconds)
        batch = parameters(name)["batch_size"]
    else:
        batch = alone["batch"]
        found = measured("speed", **what, batch=batch, seconds=seconds)
        found |= measured("difference", network, method=name, batch=batch)
    peak = measured("memory", **what, batch=batch, seconds=seconds)
    return found | {
        "batch": batch,
        "memory": peak["peak"] - _bare_peak(network, batch),
        "memory_of_all": peak["complete"],
    }


@cache
def _bare_peak(network: str, batch: int) -> float:
    found = measured("memory", network, method=None, settings={}, batch=batch, seconds=0)
    return float(found["peak"])


def measured(what: str, network: str, **request: Any) -> Cell:
    """One measurement in a process of its own; see `benchmarks.measure`."""
    text = json.dumps({"what": what, "network": network, **request})
    command = [sys.executable, "-m", "benchmarks.measure", text]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line and not _LOG.match(line)]
        raise MeasurementError(f"{what} ended with {done.returncode}: {(said or ['no word'])[-1]}")
    found: Cell = json.loads(done.stdout.splitlines()[-1])
    return found


def _plain(settings: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in settings.items())


if __name__ == "__main__":
    sys.exit(main())
