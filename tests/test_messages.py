"""Every error message of the package stands in a test: here those of which no other test tells, as a reader meets them.

`tests/sources/test_messages.py` has those about workbooks and their YAML, which a newcomer meets first.
"""

from __future__ import annotations

import argparse
import ast
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import ebank_lib as eb
from ebank_lib.arma import fit_arma, select_order
from ebank_lib.cleaning.parsing import stated_cells
from ebank_lib.cli.answers import new
from ebank_lib.cli.report import VARIABLE, print_pdf
from ebank_lib.cli.trace import open_report, trace
from ebank_lib.drafting import draft_into
from ebank_lib.drafting.long import database_tables
from ebank_lib.errors import EbankError
from ebank_lib.forecasting import backtest, forecast, forecast_many, many, simulate_paths
from ebank_lib.forecasting.candidates import CANDIDATES, Prediction, predict
from ebank_lib.forecasting.joint import JointPaths
from ebank_lib.forecasting.series import prepare
from ebank_lib.reports import tasks as states
from ebank_lib.reports.branch import scope_of
from ebank_lib.reports.record import state, table_of

# --- every message stands in a test -----------------------------------------------------------------------------------

ERRORS = {"SourceError", "ConfigError", "SeriesError", "UnknownNameError", "EbankError", "error", "_error", "refuse"}
# What is refused while a YAML is validated says what was expected instead.
VALIDATING = {"catalog", "months", "patterns", "spec", "strategy"}


def words(node: ast.AST) -> list[str]:
    """Return the words of a text: of an f-string what stands between its values, of a choice both."""
    if isinstance(node, ast.Constant):
        return [node.value.strip(" :;,.'()")] if isinstance(node.value, str) and len(node.value.strip()) > 3 else []
    parts = (node.values if isinstance(node, ast.JoinedStr) else [node.body, node.orelse]
             if isinstance(node, ast.IfExp) else [node.left, node.right] if isinstance(node, ast.BinOp) else [])
    return [word for part in parts for word in words(part)]


def messages(path: Path):
    """Yield the line and the words of every message of a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
        at = 2 if name == "refuse" else 0        # Limits.refuse(limit, size, message, ...)
        if (name in ERRORS or (name == "ValueError" and path.stem in VALIDATING)) and len(node.args) > at:
            yield from ((node.lineno, word) for word in words(node.args[at]))


def test_every_message_stands_in_a_test(root):
    tested = "\n".join(node.value.replace("\\", "") for path in (root / "tests").rglob("*.py")
                       for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                       if isinstance(node, ast.Constant) and isinstance(node.value, str))
    found = [(f"{path.relative_to(root)}:{line}: {word}", word) for path in sorted((root / "ebank_lib").rglob("*.py"))
             for line, word in messages(path)]
    assert len(found) > 290
    assert [where for where, word in found if word not in tested] == []


# --- what somebody did, and what they read ----------------------------------------------------------------------------

MONTHS = pd.period_range("2008-01", periods=44, freq="M")
Y = pd.Series(np.random.default_rng(0).normal(100, 5, 44), MONTHS)
FRAME = pd.DataFrame({"a": [1]})


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def lack(cleaned, **axis):
    """Return the sample without a branch (``index=``) or an indicator (``columns=``)."""
    return replace(cleaned, panel=cleaned.panel.sort_index().drop(**axis), contexts={})


def without_last(cleaned, key):
    late = cleaned.panel.index.get_level_values("month") == cleaned.months[-1]
    return replace(cleaned, panel=cleaned.panel.assign(**{key: cleaned.panel[key].mask(late)}), contexts={})


def total_of_a_printed_ratio(catalog):
    bare = catalog.indicators["coverage"].model_copy(update={"numerator": None, "denominator": None})
    known = replace(catalog, indicators=catalog.indicators | {"coverage": bare})
    return JointPaths({}, (), MONTHS[:0], MONTHS[0], FRAME, known, None, 0).total("coverage")


def method(given, answer):
    given.patch.setitem(CANDIDATES, "drift", (answer, 2))
    return predict("drift", prepare(Y).work, 3)


def asked(**words):
    nothing = dict.fromkeys(("report", "what", "source", "branch", "indicator", "month"))
    return trace(argparse.Namespace(**nothing | words))


def drafted(given, *files, text="only words\n"):
    for file in files:
        written(given.tmp / file, text)
    return draft_into(given.tmp / "new", [given.tmp])


def drafted_beside_an_edited_one(given):
    rows = [f"{branch}分行,2010-{month:02},{month}00" for branch in "东西" for month in range(1, 13)]
    for name in ("own/a.csv", "other/b.csv"):
        written(given.tmp / name, "\n".join(["机构,月份,手机银行客户数", *rows]))
    draft_into(given.tmp / "own", [given.tmp / "own"])
    with (given.tmp / "own" / "sources.yaml").open("a", encoding="utf-8") as yaml:
        yaml.write("# mine\n")
    return draft_into(given.tmp / "own", [given.tmp / "other"])


def table_of_a_database(given):
    pytest.importorskip("sqlalchemy")
    given.patch.setenv("EBANK_TEST_URL", f"sqlite:///{written(given.tmp / 'a.db', '')}")
    return database_tables("EBANK_TEST_URL", "mobile")


def refusing(error):
    def refuse(*_, **__):
        raise error
    return refuse


def swept(given):
    written(given.tmp / ".report.html.abcd1234", "")
    given.patch.setattr(Path, "unlink", refusing(PermissionError(13, "Permission denied")))
    return states.sweep(given.tmp)


def locked_where_there_are_no_locks(given):
    given.patch.setattr(pytest.importorskip("fcntl"), "flock", refusing(OSError(37, "No locks available")))
    with states.locked(given.tmp, None, "ebank report"):
        pass


def printed(given):
    browser = written(given.tmp / "browser", "#!/no/such/interpreter\n")
    browser.chmod(0o755)
    given.patch.setenv(VARIABLE, str(browser))
    return print_pdf(written(given.tmp / "page.html", "<!DOCTYPE html>"), given.tmp / "page.pdf")


SAID = [
    # sources, corrections, growth
    (lambda g: eb.open_source("data/nowhere"),
     "no such source; found 'data/nowhere'; expected a folder with sources.yaml, or a CSV or Parquet file. Tried "),
    (lambda g: stated_cells(SimpleNamespace(stated=b"file,sheet,cell\n"), FRAME),
     "file 'corrections.csv': lacks columns; found 'file, sheet, cell'; expected value, reason, who"),
    (lambda g: stated_cells(SimpleNamespace(stated=b"\xff\xfe"), FRAME),
     "file 'corrections.csv': cannot be read as CSV in UTF-8; found \"'utf-8' codec"),
    (lambda g: eb.growth_rates(pd.concat([Y, Y[:1]])), "a month stands twice; found '"),
    (lambda g: eb.growth_rates(Y.reset_index(drop=True)),
     "has no months; found 'RangeIndex'; expected a monthly PeriodIndex, as y.to_period('M') has"),
    (lambda g: eb.growth_rates(Y.astype(str) + "?"), "holds something that is no number; found \"could not convert"),
    (lambda g: eb.growth_rates(Y.where(MONTHS.month != 7, np.inf)),
     "key '2008-07': holds an infinite value; expected finite or missing values"),
    # drafting
    (lambda g: draft_into(g.tmp / "new", [g.tmp / "absent"]), "absent': is not there; expected a file or a folder"),
    (lambda g: drafted(g), ": holds no table; expected files .xlsx .xls .ods .csv .csv.gz .parquet"),
    (lambda g: drafted(g, "a.csv"), ": holds no table; expected rows of figures below headings"),
    (lambda g: drafted(g, "a.csv", "new/branches.csv"), ": holds a part of a source; found 'branches.csv'; "
     "expected sources.yaml, catalog.yaml, branches.csv, or none of them"),
    (drafted_beside_an_edited_one,
     "b.csv': lies outside the source's folder, and its sources.yaml was edited; expected a file below"),
    (lambda g: new(argparse.Namespace(paths=None, from_db=None)),
     "needs files or a database; found 'neither'; expected --from PATH... or --from-db URL_ENV"),
    (table_of_a_database, "file 'EBANK_TEST_URL': has no such table; found 'none'; expected mobile"),
    # ARMA
    (lambda g: fit_arma(Y, (1, 2, 0), trend="ct"),
     "two differences remove a linear trend; found \"trend 'ct'\"; expected 'c' or 'n'"),
    (lambda g: fit_arma(pd.Series(np.arange(44.0), MONTHS), (0, 2, 0)),
     "the series does not vary once differenced; found 'd = 2'; expected more than one value"),
    (lambda g: fit_arma(Y.where(MONTHS != MONTHS[7]), (0, 0, 0), exog=(MONTHS == MONTHS[7]).astype(float)),
     "the regressors are collinear, in the months that are there; found ['mean', 'x1']; expected a full-rank set"),
    (lambda g: fit_arma(pd.Series(np.arange(44.0), MONTHS), (1, 1, 0)),
     "nothing varies about the drift; found 'order (1, 1, 0)'; expected (0, 1, 0), whose forecast goes on along"),
    (lambda g: fit_arma(Y.where(MONTHS.month != 1), (0, 0, 0), (0, 1, 0, 12)),
     "the missing months leave nothing to difference by; found '3 missing'"),
    (lambda g: fit_arma(Y, (0, 0, 0), exog=np.arange(44)).forecast(1, exog=pd.DataFrame({"z": [1]}, MONTHS[-1:] + 1)),
     "exog has other columns than the fit; found ['z']; expected ['x1']"),
    (lambda g: fit_arma(Y, (0, 0, 0)).forecast(level=120),
     "a level is out of range; found 120; expected per cents from 1 to 99.9"),
    (lambda g: select_order(Y[:18], d=0, seasonal=(2, 1, 2, 12)), "the series is too short for this seasonal "
     "order; found '6 values after differencing'; expected at least 7"),
    # forecasts
    (lambda g: backtest(Y, origins=0), "the number of origins is out of range; found 0; expected a whole number from 1 "
     "to 1200"),
    (lambda g: method(g, lambda work, horizon: 1 / 0), "the method failed; found 'division by zero'"),
    (lambda g: method(g, lambda work, horizon: Prediction(np.full(3, np.nan), np.eye(3))),
     "the method returned no finite forecast"),
    (lambda g: simulate_paths(forecast(Y, models="drift"), n=0),
     "the number of paths is out of range; found 0; expected a whole number from 1 to 100000"),
    (lambda g: forecast_many({}), "no series to forecast; expected at least one"),
    (lambda g: forecast_many(5), "is neither a frame nor a mapping; found 'int'; expected a DataFrame"),
    (lambda g: forecast(Y.set_axis(pd.DatetimeIndex([None] * len(Y))), models="drift"), "has a label that is no month"),
    (lambda g: many._dates(pd.Series(["soon"])),
     "holds something that is no date; found 'Unknown datetime string format, unable to parse: soon'"),
    (lambda g: eb.simulate_joint(lack(g.cleaned, index="zibo"), branches=["zibo"]),
     "unknown branch with data 'zibo'. Known: binzhou, "),
    (lambda g: eb.simulate_joint(lack(g.cleaned, columns="sms"), indicators=["sms"]),
     "unknown indicator with data 'sms'. Did you mean 'sms_new'? Known: "),
    (lambda g: eb.simulate_joint(g.cleaned, indicators=[]), "no indicator to simulate; expected at least one with "
     "data"),
    (lambda g: eb.backtest_many(g.cleaned, "rizhao", []), "no series to test; expected at least one"),
    (lambda g: total_of_a_printed_ratio(g.cleaned.catalog), "a ratio without parts has no total; found 'coverage'; "
     "expected an indicator with numerator and denominator"),
    (lambda g: eb.analyse_growth(g.cleaned, "rizhao").plot("mmo"),
     "unknown kind of picture 'mmo'. Did you mean 'mom'? Known: mom, base, yoy, ratio, volatility"),
    # branches together
    (lambda g: eb.growth_decomposition(without_last(g.cleaned, "sms"), "sms"),
     "no branch has figures to compare; found 'sms'; expected figures in 2010-08 and 2011-08"),
    (lambda g: eb.league_table(lack(g.cleaned, columns="sms"), "sms"),
     "unknown indicator in the panel 'sms'. Did you mean 'sms_new'? Known: "),
    (lambda g: eb.stylised_facts(lack(g.cleaned, index="zibo"), "zibo"), "unknown branch in the panel 'zibo'. Known: "),
    (lambda g: eb.assess_problems(lack(g.cleaned, index="zibo"), "zibo"), "unknown branch in the panel 'zibo'. Known:"),
    # reports
    (lambda g: scope_of(SimpleNamespace(cleaned=lack(g.cleaned, index="zibo"), catalog=g.cleaned.catalog, whole=""),
                        "zibo"), "unknown branch with data 'zibo'. Known: "),
    (lambda g: state("a name", "Growth."),
     "bad name; found 'a name'; expected at most 31 letters, digits and _, beginning with a letter"),
    (lambda g: table_of("growth", pd.DataFrame({"a": range(100_001)})),
     "key 'growth': too many rows to record; found 100001; expected at most 100000"),
    (swept, ": cannot be cleared; found 'Permission denied'; expected a folder that may be written"),
    (locked_where_there_are_no_locks,
     ": cannot be locked; found 'No locks available'; expected a file system with locks"),
    (printed, "page.html': was not printed; found \"[Errno 2] No such file or directory: "),
    (lambda g: open_report(written(g.tmp / "run.json", "{}").parent),
     "run.json': is no report of this version; found \"KeyError: 'stages'\". Make it again: ebank report."),
    (lambda g: asked(report="reports/rizhao", branch="rizhao"),
     "not both a report and a value; found '--branch'; expected REPORT WHAT"),
    (lambda g: asked(report="reports/rizhao"),
     "nothing to trace in the report; found 'no WHAT'; expected REPORT WHAT"),
]


@pytest.mark.parametrize(("did", "read"), SAID, ids=[read[:40] for _, read in SAID])
def test_what_was_done_is_answered(cleaned, tmp_path, monkeypatch, did, read):
    with pytest.raises(EbankError) as error:
        did(SimpleNamespace(cleaned=cleaned, tmp=tmp_path, patch=monkeypatch))
    assert read in str(error.value)
