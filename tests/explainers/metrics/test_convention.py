import inspect
import subprocess
import sys

import pytest

from explainers import ExplainerError
from explainers.metrics import NEEDS, Reason, Undefined, available, metric

METRICS = [metric(name) for name in available()]
every = pytest.mark.parametrize("entry", METRICS, ids=lambda entry: entry.name)


def test_the_metrics_of_the_curves_are_there():
    expected = [
        "iauc",
        "dauc",
        "is",
        "ds",
        "ipgs",
        "dngs",
        "sparsity",
        "insertion",
        "deletion",
        "ca-deletion",
    ]
    assert set(expected) <= set(available())


def test_names_are_given_once():
    import explainers.metrics as package

    modules = [getattr(package, name) for name in package._MODULES]
    names = [entry.name for module in modules for entry in module.METRICS]
    assert len(set(names)) == len(names) == len(available())


@every
def test_an_entry_fits_its_function(entry):
    parameters = inspect.signature(entry.function).parameters.values()
    required = [one for one in parameters if one.default is one.empty]
    assert len(required) == len(entry.needs)
    assert set(entry.needs) <= set(NEEDS)
    assert entry.better in ("higher", "lower", None)
    assert entry.map_of in ("target", "prediction")
    assert entry.low < entry.high  # so neither is NaN
    assert entry.name == entry.name.lower()
    assert " " not in entry.name
    assert entry.source
    assert entry.shows
    assert entry.does_not_show


@every
def test_a_docstring_gives_the_direction(entry):
    text = inspect.getdoc(entry.function)
    if entry.better is not None:
        assert f"{entry.better} is better" in text


def test_an_unknown_metric():
    with pytest.raises(ExplainerError, match="There is no metric 'auc'; there are iauc, dauc"):
        metric("auc")


def test_undefined_is_not_an_error_of_the_input():
    """Whoever catches ExplainerError for unusable input must not swallow what is to be counted."""
    one = Undefined(Reason.CONSTANT_MAP, "The map is 0 everywhere.")
    assert not isinstance(one, ExplainerError)
    assert f"{one.reason}: {one}" == "constant map: The map is 0 everywhere."


def test_the_list_of_metrics_needs_no_tensorflow():
    code = (
        "import sys; from explainers.metrics import available; available();"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'scipy', 'skimage')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
