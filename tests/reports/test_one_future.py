"""The sample's whole run: one value for one thing on every page, in every table and workbook; sums that add up."""

import json
import shutil
import subprocess
import sys
from contextlib import closing

import numpy as np
import openpyxl
import pandas as pd
import pytest

from ebank_lib.cli.trace import open_report
from ebank_lib.forecasting import simulate_joint
from ebank_lib.reports.content import words_of
from ebank_lib.reports.parameters import read_notebook
from ebank_lib.reports.summary import range_text, value_text

pytestmark = [pytest.mark.slow, pytest.mark.notebook]


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
    """Reports of all branches and the province, of the notebooks that speak of the future."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "notebooks").mkdir()
    for number in ("04", "05", "06"):
        shutil.copy(next((root / "notebooks").glob(f"{number}_*.ipynb")), folder / "notebooks")
    subprocess.run([sys.executable, "-m", "ebank_lib", "report", "--source", root / "data" / "shandong", "--all",
                    "--out", folder / "out", "--notebooks", folder / "notebooks", "--lang", "zh", "--quiet"],
                   check=True)
    return folder / "out"


def table(made, branch, name):
    return pd.read_csv(made / branch / "tables" / f"{name}.csv")


def ahead(made, branch):
    rows = table(made, branch, "forecast")
    return rows[rows["model"] == "combination"].set_index("month")


def summary(made, branch):
    return json.loads((made / branch / "summary.json").read_text(encoding="utf-8"))


def test_a_forecast_is_the_same_in_the_index_the_page_the_workbook_and_the_paths(made, cleaned):
    index = words_of((made / "index.html").read_text(encoding="utf-8"))
    paths = simulate_joint(cleaned, horizon=12, indicators=["mobile_txn"])
    for branch in cleaned.catalog.reporting:
        one, rows = summary(made, branch), ahead(made, branch)
        assert np.allclose(rows["y_hat"], [row["y_hat"] for row in one["forecast"]], rtol=1e-9)
        assert np.allclose(rows["y_hat"], np.quantile(paths.of(branch, "mobile_txn"), 0.5, axis=1, method="hazen"))
        last, page = one["forecast"][-1], words_of((made / branch / "report.html").read_text(encoding="utf-8"))
        said = value_text(one["indicator"], last["y_hat"], "zh")
        assert f"预计2012年8月为{said}" in page and said in index
        assert range_text(one["indicator"], last["lo-80"], last["hi-80"], "zh") in index
        with closing(openpyxl.load_workbook(made / branch / "tables.xlsx", read_only=True)) as book:
            written = [cell.value for row in book["预测"].iter_rows() for cell in row if isinstance(cell.value, float)]
        assert np.isclose(written, last["y_hat"], rtol=1e-9).any()


def test_each_notebook_is_the_same_as_it_is_stored_from_a_kernel(made, root, cells_of):
    """In the batch's processes; of the notebooks before these: test_notebook.py."""
    for branch, number in (("rizhao", "04"), ("rizhao", "05"), ("shandong", "06")):
        path = next((root / "notebooks").glob(f"{number}_*.ipynb"))
        ours, stored = read_notebook(made / branch / "notebooks" / path.name), read_notebook(path)
        assert cells_of(ours, pictures=False) == cells_of(stored, pictures=False), number


def test_the_province_is_the_sum_of_its_branches_pages(made, cleaned):
    whole = table(made, "shandong", "province_forecast")
    whole = whole[whole["indicator"] == "mobile_txn"].set_index("month")["mean"]
    parts = sum(ahead(made, branch)["mean"] for branch in cleaned.catalog.reporting)
    assert np.allclose(whole, parts.loc[whole.index], rtol=1e-9)


def test_every_past_number_of_the_briefs_follows_from_the_panels(made, cleaned):
    """Recomputed by pandas alone from panel.csv; what is ahead is what the recorded tables say."""
    catalog, branches = cleaned.catalog, cleaned.catalog.reporting
    panel = pd.concat([pd.read_csv(made / branch / "panel.csv") for branch in branches])
    panel = panel[~panel["doubtful"]].pivot_table("value", "month", ["indicator", "branch"])
    for branch in branches:
        rows, seen = table(made, branch, "standing").set_index("indicator"), 0
        for key, row in rows.iterrows():
            wide = panel[key].dropna(how="all")
            month = wide[branch].last_valid_index()
            before = str(pd.Period(month, "M") - 12)
            ratio = catalog.indicators[key].kind == "ratio"
            yoy = (wide.loc[month] - wide.loc[before] if ratio else wide.loc[month] / wide.loc[before] - 1).dropna()
            others = wide.loc[month].dropna() if ratio else yoy
            assert (row["month"], row["n"]) == (month, len(others))
            assert np.allclose([row["y"], row["yoy"], row["median"], row["first_value"], row["last_value"]], [
                wide.loc[month, branch], yoy[branch], others.median(), others.max(), others.min()], rtol=1e-9)
            assert row["rank"] == (others > others[branch]).sum() + 1
            if not ratio and wide.loc[[month, before]].notna().all(axis=None):
                assert np.isclose(row["whole"], wide.loc[month].sum() / wide.loc[before].sum() - 1, rtol=1e-9)
        targets = table(made, branch, "targets").set_index("target")
        assert np.allclose(targets["current"], [panel.loc[row["month"], (row["indicator"], branch)]
                                                for _, row in targets.iterrows()], rtol=1e-9)
        report = open_report(made / branch)
        for said in report.sentences:
            for cell in (cell for one in said.citations if said.kind == "brief" for cell in one.cells):
                if cell.column and isinstance(cell.value, float):
                    there = pd.read_csv(made / branch / "tables" / f"{cell.table}.csv")[cell.column].iloc[cell.at]
                    assert np.isclose(there, cell.value, rtol=1e-9), cell.id
                    seen += 1
        assert seen > 40


def test_targets_have_one_verdict_and_one_is_the_hardest_everywhere(made, cleaned):
    index = (made / "index.html").read_text(encoding="utf-8")
    for branch in cleaned.catalog.reporting:
        one, rows = summary(made, branch), table(made, branch, "targets").set_index("target")
        for target in one["targets"]:
            row = rows.loc[target["key"]]
            assert target["verdict"] == row["verdict"] and np.isclose(target["odds"], row["p_at"])
            # Odds, pace and verdict do not contradict one another.
            likely, enough = row["p_at"] >= 0.5, row["ratio"] <= 1
            assert row["verdict"] in (("reached", "on_course") if likely else ("at_risk", "slowing") if enough else
                                      ("at_risk", "behind", "far", "away")), (branch, target["key"])
        hardest = next(line["text"] for line in one["state"] if line["name"] == "hardest")
        page = words_of((made / branch / "report.html").read_text(encoding="utf-8"))
        row = index[index.index("<tbody"):]
        row = row[row.index(f'href="{branch}/report.html"'):].split("</tr>")[0]
        named = [target["label"]["zh"] for target in one["targets"] if target["label"]["zh"] in row]
        assert len(named) == 1 and f"最难的是“{named[0]}”" in hardest
        unlikely = any(target["odds"] < 0.5 for target in one["targets"] if target["label"]["zh"] == named[0])
        assert (f"最难的是“{named[0]}”" in page.split("依据")[0]) == unlikely
