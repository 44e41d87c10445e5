"""The library is light to import: the heavy packages wait until they are used."""

import subprocess
import sys

HEAVY = ("matplotlib", "statsmodels", "scikit_posthocs", "scipy", "django")


def test_importing_the_report_loads_nothing_heavy():
    code = (
        "import sys, analysis.report, analysis.__main__; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
