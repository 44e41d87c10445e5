r"""How often the report finds an effect that was planted, and one that was not.

    python -m benchmarks.planted_effects --var VAR --study demo --seeds 20
    python -m benchmarks.planted_effects --var VAR --study demo --seeds 5 \
        --effect heatmap=multiscale:+0.2

For each seed the database under VAR (a published study, its heatmaps rendered) is copied, simulated
participants walk through the study over HTTP, and the report is made. Printed: completed sessions,
the spread over the cells, and the F-test of the factor heatmap on accuracy.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def manage(environment: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def one_seed(options: argparse.Namespace, seed: int) -> tuple[dict[str, Any], Counter[str]]:
    """Return results.json, and completed sessions per condition, of one simulated study."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        for name in ("db.sqlite3", "keys.json"):
            shutil.copy(options.var / name, here / name)
        environment = {
            **os.environ,
            "VAR_DIR": folder,
            "MEDIA_ROOT": str((options.var / "media").resolve()),
            "LOG_LEVEL": "ERROR",
        }
        effect = [f"--effect={text}" for text in options.effect]
        manage(environment, "collectstatic", "--noinput", "-v0")
        manage(
            environment,
            *("simulate_participants", options.study, f"--participants={options.participants}"),
            *(f"--seed={seed}", f"--codes-out={here / 'codes.csv'}", *effect),
        )
        manage(
            environment,
            *("analyse_study", options.study, "--source=bot", f"--out={here / 'out'}"),
            f"--codes={here / 'codes.csv'}",
        )
        results: dict[str, Any] = json.loads((here / "out/report/results.json").read_text())
        with (here / "out/data/participants.csv").open(newline="") as file:
            cells = Counter(
                row["condition"] for row in csv.DictReader(file) if row["status"] == "completed"
            )
        return results, cells


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--var", type=Path, default=ROOT / "var")
    parser.add_argument("--study", default="demo")
    parser.add_argument("--participants", type=int, default=96)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--effect", action="append", default=[])
    options = parser.parse_args()
    rejected = 0
    print("seed  completed  per cell  F       p        seconds")
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        started = time.monotonic()
        results, cells = one_seed(options, seed)
        test = results["accuracy"]["anova_type_iii"]["heatmap"]
        sizes = sorted(cells.values())
        rejected += test["p"] < 0.05
        print(
            f"{seed:4}  {sum(sizes):9}  {sizes[0]:3}-{sizes[-1]:<3}  {test['statistic']:7.3f} "
            f"{test['p']:.5f}  {time.monotonic() - started:.0f}",
            flush=True,
        )
    print(f"{rejected} of {options.seeds} rejected at .05")
    return 0


if __name__ == "__main__":
    sys.exit(main())
