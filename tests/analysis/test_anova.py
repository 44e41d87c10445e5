"""Analysis of variance against published numbers and other implementations."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.anova import (
    anova_table,
    eta_squared_interval,
    fit_model,
    partial_eta_squared,
    partial_omega_squared,
)
from analysis.assumptions import levene, shapiro_wilk
from analysis.errors import NotComputableError


def unbalanced(seed: int = 4) -> pd.DataFrame:
    """An unbalanced 3 x 2 layout with unequal variances."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, a in enumerate("xyz"):
        for j, b in enumerate("uv"):
            for _ in range(5 + 3 * i + 2 * j):
                rows.append({"a": a, "b": b, "value": rng.normal(i + 0.5 * j * i, 1 + 0.5 * i)})
    frame = pd.DataFrame(rows)
    return frame.assign(a=pd.Categorical(frame["a"]), b=pd.Categorical(frame["b"]))


@pytest.mark.parametrize(
    ("f", "df1", "df2", "p"),
    [(3.067, 2, 90, 0.051), (0.002, 1, 90, 0.964), (2.656, 2, 90, 0.076), (0.882, 5, 90, 0.497)],
)
def test_printed_f_and_p_of_the_paper_belong_together(f, df1, df2, p):
    # Paper 001, section 6.1. The F of scores is printed with one digit (.002).
    assert stats.f.sf(f, df1, df2) == pytest.approx(p, abs=0.001)


def test_effect_sizes_of_the_papers_main_effect():
    # F(2, 90) = 3.067 with n = 96 (paper 001, section 6.1).
    assert partial_eta_squared(3.067, 2, 90) == pytest.approx(0.064, abs=0.0005)
    low, high = eta_squared_interval(3.067, 2, 90)
    assert low == 0
    assert high == pytest.approx(0.146, abs=0.0005)
    assert partial_omega_squared(3.067, 2, 96) == pytest.approx(0.041, abs=0.0005)


def test_interval_excludes_zero_exactly_when_f_is_significant():
    critical = stats.f.ppf(0.95, 2, 90)
    assert eta_squared_interval(critical * 1.01, 2, 90)[0] > 0
    assert eta_squared_interval(critical * 0.99, 2, 90)[0] == 0


def test_interval_ends_have_the_tail_probabilities_they_claim():
    low, high = eta_squared_interval(12.34, 2, 88)
    for end, tail in ((low, 0.95), (high, 0.05)):
        noncentrality = end * (2 + 88 + 1) / (1 - end)
        assert stats.ncf.cdf(12.34, 2, 88, noncentrality) == pytest.approx(tail, abs=1e-6)


def test_type_three_compares_full_and_reduced_models_in_sum_coding():
    # Closed form: F of a term from the residual sums of squares with and without its columns.
    data = unbalanced()
    table = anova_table(fit_model(data, "value", ["a", "b"])).set_index("term")
    a = np.column_stack(
        [
            (data["a"] == "x") * 1.0 - (data["a"] == "z"),
            (data["a"] == "y") * 1.0 - (data["a"] == "z"),
        ]
    )
    b = ((data["b"] == "u") * 1.0 - (data["b"] == "v")).to_numpy()[:, None]
    blocks = {"a": a, "b": b, "a:b": a * b}
    y = data["value"].to_numpy()

    def residual(names):
        X = np.column_stack([np.ones(len(y)), *[blocks[name] for name in names]])
        return float(((y - X @ np.linalg.lstsq(X, y, rcond=None)[0]) ** 2).sum())

    full = residual(blocks)
    for term, block in blocks.items():
        reduced = residual([name for name in blocks if name != term])
        df1, df2 = block.shape[1], len(y) - 6
        f = ((reduced - full) / df1) / (full / df2)
        assert table.loc[term, "statistic"] == pytest.approx(f)
        assert table.loc[term, "p"] == pytest.approx(stats.f.sf(f, df1, df2))


def test_types_two_and_three_differ_when_unbalanced():
    model = fit_model(unbalanced(), "value", ["a", "b"])
    two = anova_table(model, typ=2).set_index("term")["statistic"]
    three = anova_table(model, typ=3).set_index("term")["statistic"]
    assert abs(two["b"] - three["b"]) > 0.01
    assert two["a:b"] == pytest.approx(three["a:b"])


def test_hc3_is_a_wald_test_with_the_textbook_covariance():
    # MacKinnon and White (1985): residuals divided by 1 - leverage; closed form for one factor.
    data = unbalanced()
    row = anova_table(fit_model(data, "value", ["b"]), robust="hc3").iloc[0]
    means, variances = [], []
    for _, group in data.groupby("b", observed=True)["value"]:
        n = len(group)
        means.append(group.mean())
        variances.append((((group - group.mean()) / (1 - 1 / n)) ** 2).sum() / n**2)
    assert row["statistic"] == pytest.approx((means[0] - means[1]) ** 2 / sum(variances))
    assert row["df2"] == len(data) - 2
    assert row["approximate"]


@pytest.fixture
def compas(human_studies):
    """Explanation technique x representation, without the 20 controls (representation 2)."""
    frame = pd.read_csv(human_studies / "surrogates" / "results_Compas.csv", dtype=str)
    frame = frame[frame["representation"] != "2"]
    return pd.DataFrame(
        {
            "technique": pd.Categorical(frame["local_surrogate"]),
            "representation": pd.Categorical(frame["representation"]),
            "value": frame["b_precision_understanding"].astype(float),
        }
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"typ": 3}, (15.9424, 0.0919, 1.5021)),
        ({"typ": 2, "robust": "hc3"}, (19.295, 0.779, 1.577)),
        ({"typ": 3, "robust": "hc3"}, (15.7347, 0.0873, 1.577)),
    ],
)
def test_real_data_give_the_reference_values(compas, options, expected):
    # Values fixed beforehand for this published file, not made by this code.
    model = fit_model(compas, "value", ["technique", "representation"])
    found = anova_table(model, **options)["statistic"]
    assert found.to_numpy() == pytest.approx(expected, abs=0.0006)


def test_real_data_assumptions(compas):
    factors = ["technique", "representation"]
    model = fit_model(compas, "value", factors)
    variances = levene(compas, "value", factors).iloc[0]
    assert variances["statistic"] == pytest.approx(1.5769, abs=0.0001)
    assert variances["p"] == pytest.approx(0.1722, abs=0.0001)
    assert shapiro_wilk(model.fit.resid).iloc[0]["statistic"] == pytest.approx(0.9903, abs=0.0001)


def test_an_empty_cell_gives_main_effects_only_and_says_so():
    data = unbalanced()
    data = data[~((data["a"] == "z") & (data["b"] == "v"))]
    model = fit_model(data, "value", ["a", "b"])
    assert not model.interaction
    assert "1 of 6 cells" in model.notes[0]
    assert list(anova_table(model)["term"]) == ["a", "b"]


def test_a_factor_with_one_level_is_left_out_and_named():
    data = unbalanced()
    model = fit_model(data[data["b"] == "u"], "value", ["a", "b"])
    assert model.factors == ["a"]
    assert model.notes[0].startswith("b was left out")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.groupby(["a", "b"], observed=True).head(1), "degrees of freedom"),
        (lambda d: d.assign(value=1.0), "same value"),
        (lambda d: d.assign(value=(d["a"] == "x") * 1.0), "within the cells"),
        (lambda d: d[(d["a"] == "x") & (d["b"] == "u")], "at least two of its levels"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_the_reason(change, reason):
    with pytest.raises(NotComputableError, match=reason):
        fit_model(change(unbalanced()), "value", ["a", "b"])


@pytest.mark.parametrize("robust", ["hc3", "hc0"])
def test_robust_covariance_is_refused_for_a_participant_alone_in_a_cell(robust):
    data = unbalanced()
    alone = (data["a"] == "x") & (data["b"] == "u")
    data = pd.concat([data[~alone], data[alone].head(1)])
    model = fit_model(data, "value", ["a", "b"])
    assert len(anova_table(model)) == 3
    with pytest.raises(NotComputableError, match="x × u"):
        anova_table(model, robust=robust)


def test_column_names_with_operators_and_blanks_are_harmless():
    data = unbalanced().rename(columns={"a": "a * b + Q('x')", "value": "my value"})
    table = anova_table(fit_model(data, "my value", ["a * b + Q('x')", "b"]))
    assert list(table["term"]) == ["a * b + Q('x')", "b", "a * b + Q('x'):b"]
