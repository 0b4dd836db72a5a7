"""Odds of targets set at random, on M3 and on branches of the RBI's banks: how often did it come?

    python -m benchmarks.odds [--data FOLDER] [--m3 N] [--rbi N] [--paths 2000] [--seed S] [--workers 2] [--out FOLDER]

Targets are drawn from each series' own past and never from its forecast. From the last known month on, for a number of
months h drawn from 3..18:

- ``level``: the value h months ahead is at least the last value times a factor drawn evenly between the least and the
  greatest change over h months that the history has;
- ``growth``: the change over the year to month h is at least a figure drawn evenly between the least and the greatest
  yearly change of the history (beyond a year both its ends lie ahead);
- ``total``: the next 12 months together are at least the last 12 together times such a yearly change;
- ``any_time``: some month of the next h is at least the last value times a factor drawn evenly between 1 and the
  greatest rise within h months that the history has (what is reached already is no target).

M3: 714 monthly series cut to their last 44 training months, the test part is the truth; the limits are cross-fitted as
in ``benchmarks/m3.py``. RBI: each bank's monthly figures at five past cutoffs with at most 44 months before them (36 at
least), forecast as ``simulate_joint`` does, with calendar, season and errors of all banks up to the cutoff; banks
without 18 more months are left out, and targets that need a month flagged as misprinted. Clusters are the M3 series and
the RBI's banks (one with all its indicators and cutoffs).

``paths`` are the package's, but that for M3 the share of variance that is common to all months ahead is cross-fitted as
well. Compared: the paths with the shipped limits and the model's own dependence (``plain``); paths whose months are
drawn independently; climatology, the share of targets of the same kind and data that were reached in other series (five
folds); the share of the series' own past changes that would have done (``own``).

Exits with 1 when a goal is missed: in every decile of stated odds the observed frequency within two clustered standard
errors of the stated, and a Brier skill above 0.25 over climatology, both on each data set. The seed was set before the
first run and is not chosen; ``--seed`` draws other targets. Clusters of series do not see what series share: in the
year of M3's test part 73% of the macroeconomic series lie above the middle of their paths on average and 29% of the
microeconomic; at three earlier months 38%, 45% and 58% of all; and the RBI's banks share a country. With other seeds a
decile is therefore missed more often than two standard errors promise.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - after the number of threads is set
import pandas as pd  # noqa: E402

from benchmarks import m3  # noqa: E402
from benchmarks._calibrating import learn_common, normal_scores  # noqa: E402
from benchmarks._scores import brier, clustered_error, decomposition, reliability  # noqa: E402
from ebank_lib.forecasting import Context, candidates, simulate_paths  # noqa: E402
from ebank_lib.forecasting.candidates import Prediction, run_models  # noqa: E402
from ebank_lib.forecasting.forecast import assemble  # noqa: E402
from ebank_lib.forecasting.series import Prepared, prepare  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SEED, EACH, HORIZON, MONTHS, FOLDS = 20110831, 3, 18, 44, 5
KINDS = ("level", "growth", "total", "any_time")
CUTOFFS = tuple(pd.Period(m, "M") for m in ("2012-06", "2013-02", "2013-10", "2014-06", "2015-02"))
MISPRINTS = ("spike", "decimal_slip", "swapped_rows")
LEAST_MONTHS, LEAST_SKILL, LEAST_N = 36, 0.25, 30
ODDS = ("paths", "plain", "independent", "climatology", "own")


@dataclass(frozen=True)
class Case:
    """A series at a cutoff: what was known (``y``) and what came (``truth``, NaN where it is not known)."""

    data: str
    cluster: str
    name: str
    y: pd.Series = field(repr=False)
    truth: np.ndarray = field(repr=False)
    kind: str | None = None
    train: np.ndarray | None = field(default=None, repr=False)
    where: tuple[str, str, str] = ("", "", "")      # an RBI case's table, bank and indicator
    cutoff: str = ""


@dataclass(frozen=True)
class Said:
    """A case with the combination's prediction.

    ``past`` (n, 12) are an M3 series' scaled errors at earlier origins, and ``corr`` (n, 12, 12) the correlations that
    were stated with them; ``shape`` is what the package learnt from an RBI table.
    """

    case: Case
    ready: Prepared
    part: Prediction
    past: np.ndarray | None = None
    corr: np.ndarray | None = None
    shape: candidates.ErrorShape | None = None


def read_m3(folder: Path, n: int | None = None) -> list[Case]:
    """Return the M3 cases; with `n`, that many evenly spread ones."""
    data = pd.read_csv(folder / "m3" / "m3_monthly.csv.gz")
    cases = []
    for name, rows in data.sort_values("t").groupby("unique_id", sort=True):
        train, test = (rows.loc[rows["split"] == part, "y"].to_numpy(dtype=float) for part in ("train", "test"))
        cases.append(Case("M3", str(name), str(name), pd.Series(train[-MONTHS:]), test[:HORIZON], None, train))
    return spread(cases, n)


def read_rbi(folder: Path, n: int | None = None) -> list[Case]:
    """Return the RBI cases; with `n`, that many evenly spread ones."""
    from ebank_lib.cleaning import clean

    os.environ["EBANK_SHARED"] = str(folder.parent.resolve())
    cases = []
    for table in ("mobile", "neft"):
        cleaned = clean(ROOT / "tests" / "rbi" / table)
        wrong = cleaned.entries[(cleaned.entries["decision"] == "flagged") & cleaned.entries["rule"].isin(MISPRINTS)]
        for indicator in cleaned.panel.columns:
            wide = cleaned.panel[indicator].astype(float).reset_index().pivot_table(indicator, "month", "branch")
            wide = wide.drop(columns="all-banks", errors="ignore")
            sure = wide.copy()
            for row in wrong[wrong["indicator"].astype(str) == indicator].itertuples():
                if row.branch in sure.columns and row.month in sure.index:
                    sure.loc[row.month, row.branch] = np.nan
            for bank in wide.columns:
                for cutoff in CUTOFFS:
                    y = wide.loc[cutoff - MONTHS + 1: cutoff, bank]
                    ahead = pd.period_range(cutoff + 1, cutoff + HORIZON, freq="M")
                    enough = y.notna().sum() >= LEAST_MONTHS and y.notna().iloc[-1] and (y.dropna() > 0).all()
                    if enough and wide[bank].reindex(ahead).notna().all():
                        cases.append(Case("RBI", str(bank), f"{table} {indicator} {bank} {cutoff}", y,
                                          sure[bank].reindex(ahead).to_numpy(), "flow",
                                          where=(table, str(bank), str(indicator)), cutoff=str(cutoff)))
    return spread(cases, n)


def spread(cases: list[Case], n: int | None) -> list[Case]:
    return cases if n is None else [cases[i] for i in np.linspace(0, len(cases) - 1, n).astype(int)]


def targets(case: Case, seed: int = SEED) -> pd.DataFrame:
    """Draw the targets of a case.

    Returns
    -------
    DataFrame
        ``kind, horizon, threshold, came`` (0 or 1), and ``own``: the share of the history's changes of that sort that
        would have done.
    """
    rng = np.random.default_rng([seed, zlib.crc32(case.name.encode())])
    y = case.y.to_numpy(dtype=float)
    z, truth = np.log(y), case.truth
    rows = []
    for kind in KINDS:
        for _ in range(EACH):
            h, share = int(rng.integers(3, HORIZON + 1)), rng.uniform()
            past = _changes(z, kind, h)
            least = 0.0 if kind == "any_time" else past.min()
            size = least + share * (past.max() - least)
            base = {"growth": 1.0, "total": np.nansum(y[-12:])}.get(kind, y[-1])
            # A sum with a missing month is no total; the 12 months before are scaled to a full year.
            base *= 12 / np.isfinite(y[-12:]).sum() if kind == "total" else 1.0
            h = 12 if kind == "total" else h
            threshold = base * np.exp(size)
            if kind == "any_time" and size <= 0:
                continue
            got = measure(kind, h, truth[:, None], y)[0]
            if np.isfinite(got):
                rows.append((kind, h, threshold, float(got >= threshold), float(np.mean(past >= size))))
    frame = pd.DataFrame(rows, columns=["kind", "horizon", "threshold", "came", "own"])
    return frame.assign(data=case.data, cluster=case.cluster, cutoff=case.cutoff)


def _changes(z: np.ndarray, kind: str, h: int) -> np.ndarray:
    """Return the history's changes on the log scale of the sort that a target of a kind asks for."""
    if kind == "any_time":
        ahead = np.lib.stride_tricks.sliding_window_view(z[1:], h)
        past = np.max(np.where(np.isfinite(ahead), ahead, -np.inf), axis=1) - z[: len(ahead)]
    else:
        lag = h if kind == "level" else 12
        past = z[lag:] - z[:-lag]
    return past[np.isfinite(past)]


def measure(kind: str, h: int, paths: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return what a target of a kind looks at, from paths (horizon, n) and the history: (n,)."""
    if kind == "level":
        return paths[h - 1]
    if kind == "growth":
        return paths[h - 1] / (paths[h - 13] if h > 12 else y[h - 13])
    return paths[:h].sum(axis=0) if kind == "total" else paths[:h].max(axis=0)


def work(case: Case) -> Said | None:
    """Forecast an M3 case, now and at earlier origins of its training part; None for a series that never moves."""
    ready = prepare(case.y, case.kind)
    part = run_models(ready, HORIZON, ("combination",))[0].get("combination")
    past, corr = [], []
    for end in m3.origins(case.train):
        then = prepare(case.train[max(0, end - MONTHS): end], case.kind)
        said = None if then.constant else run_models(then, m3.HORIZON, ("combination",))[0].get("combination")
        if said is not None and (said.sd > 0).all():
            past.append((then.transform.forward(case.train[end: end + m3.HORIZON]) - said.mean) / said.sd)
            corr.append(said.cov / np.outer(said.sd, said.sd))
    if part is None or not (part.sd > 0).all():
        return None
    return Said(case, ready, part, np.array(past).reshape(-1, m3.HORIZON),
                np.array(corr).reshape(-1, m3.HORIZON, m3.HORIZON))


def work_table(cases: list[Case]) -> list[Said]:
    """Forecast the cases of one RBI table at one cutoff as the package does, from all banks' last 44 months."""
    from ebank_lib.cleaning import clean

    cutoff = pd.Period(cases[0].cutoff, "M")
    whole = Context.of(clean(ROOT / "tests" / "rbi" / cases[0].where[0]), cutoff)
    months = whole.panel.index.get_level_values("month")
    context = replace(whole, panel=whole.panel[months > cutoff - MONTHS], now=None, grid=None)
    found = []
    for case in cases:
        f = context.forecast(*case.where[1:], HORIZON, models=("combination",))
        if "combination" in f.parts and (f.parts["combination"].sd > 0).all() and f.horizon == HORIZON:
            found.append(Said(case, context[case.where[2]].ready(case.where[1]), f.parts["combination"],
                              shape=f.shapes["combination"]))
    return found


def judge(job) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the odds of a case's targets and say where in its paths the truth came to lie.

    Returns
    -------
    targets : DataFrame
        As :func:`targets` with a column of odds for ``paths``, ``plain`` and ``independent``.
    places : DataFrame
        ``what`` (month h, total, maximum), and for each sort of paths the share of them below what came.
    """
    said, learnt, n, seed = job
    rows = targets(said.case, seed)
    y = said.case.y.to_numpy(dtype=float)
    looked = {f"month {h}": ("level", h) for h in (1, 6, 12, 18)}
    looked |= {"total of 12": ("total", 12), "maximum of 12": ("any_time", 12)}
    places = {}
    shape, plain = learnt
    apart = replace(said.part, cov=np.diag(np.diag(said.part.cov)))
    for column, part, form in (("paths", said.part, shape), ("plain", said.part, plain),
                               ("independent", apart, replace(shape, common=0.0))):
        f = assemble(said.ready, HORIZON, (80,), ("combination",), {"combination": part}, {"combination": form}, {},
                     unique_id=said.case.name)
        paths = simulate_paths(f, n, seed=zlib.crc32(said.case.name.encode())).to_numpy()
        rows[column] = [float(np.mean(measure(r.kind, r.horizon, paths, y) >= r.threshold)) for r in rows.itertuples()]
        for what, (kind, h) in looked.items():
            came = measure(kind, h, said.case.truth[:, None], y)[0]
            if np.isfinite(came):
                places.setdefault(what, {})[column] = float(np.mean(measure(kind, h, paths, y) < came))
    places = pd.DataFrame.from_dict(places, orient="index").rename_axis("what").reset_index()
    return rows, places.assign(data=said.case.data, cluster=said.case.cluster)


def spawn(function, jobs: list, workers: int, what: str, at_once: int = 8) -> list:
    """Run a function over jobs, `at_once` to a turn, in processes of their own, with a line of progress."""
    done, began = [], time.perf_counter()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for result in pool.map(function, jobs, chunksize=at_once):
            done.append(result)
            if len(done) % 500 == 0 or len(done) == len(jobs):
                print(f"{what}: {len(done)}/{len(jobs)}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return done


def learn(said: list[Said]) -> list[tuple[candidates.ErrorShape, candidates.ErrorShape]]:
    """Return each case's shape and the plain one: M3's from the training part of the other folds, RBI's as it came."""
    names = sorted({s.case.name for s in said if s.case.data == "M3"})
    fold = {name: i % FOLDS for i, name in enumerate(names)}
    learnt, shipped = {}, candidates.shape_of("combination")
    for k in sorted(set(fold.values())):
        others = [s for s in said if s.case.name in fold and fold[s.case.name] != k and len(s.past)]
        if others:
            shape = m3.learn([s.past for s in others])
            weights = np.concatenate([np.full(len(s.past), 1 / len(s.past)) for s in others])
            scores = normal_scores(np.concatenate([s.past for s in others]), shape)
            common = learn_common(scores, np.concatenate([s.corr for s in others]), weights)
            learnt[k] = replace(shape, common=common), shape
    print("common share by fold:", {k: v[0].common for k, v in learnt.items()}, file=sys.stderr)
    return [learnt[fold[s.case.name]] if s.case.name in fold else (s.shape, replace(shipped, common=0.0))
            for s in said]


def climatology(rows: pd.DataFrame) -> np.ndarray:
    """Return the share reached among other clusters' targets of the same data and kind, cross-fitted: (n,)."""
    number = {c: i % FOLDS for i, c in enumerate(sorted(rows["cluster"].unique()))}
    fold, out = rows["cluster"].map(number), pd.Series(np.nan, index=rows.index)
    for k in range(FOLDS):
        rate = rows[fold != k].groupby(["data", "kind"])["came"].mean()
        here = rows[fold == k]
        out[here.index] = rate.reindex(pd.MultiIndex.from_frame(here[["data", "kind"]])).to_numpy()
    return out.to_numpy()


def scores(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return Brier scores of a grouping: of paths, independent months, climatology and the series' own past."""
    out = []
    for key, here in rows.groupby(by, sort=False):
        values = {c: brier(here[c], here["came"]) for c in ODDS}
        table = reliability(here["paths"], here["came"], here["cluster"])
        out.append(dict(zip(by, key, strict=True)) | {
            "n": len(here), "reached": here["came"].mean(), "stated": here["paths"].mean(), **values,
            "skill": 1 - values["paths"] / values["climatology"],
            "skill_indep": 1 - values["independent"] / values["climatology"],
            "worst_z": table.loc[table["n"] >= LEAST_N, "z"].abs().max()})
    return pd.DataFrame(out).set_index(by)


def placed(places: pd.DataFrame) -> pd.DataFrame:
    """Return how often the truth lay within the central 80% and 95% of paths, and below their middle, in per cent."""
    rows = []
    for (data, what), here in places.groupby(["data", "what"], sort=False):
        row = {"data": data, "what": what, "n": len(here)}
        for column in ("paths", "plain", "independent"):
            off = (here[column] - 0.5).abs()
            row |= {f"{column}_80": 100 * (off <= 0.4).mean(), f"{column}_95": 100 * (off <= 0.475).mean()}
        row |= {f"{column}_below": 100 * (here[column] < 0.5).mean() for column in ("paths", "plain")}
        row["se_80"] = 100 * clustered_error((here["paths"] - 0.5).abs() <= 0.4, here["cluster"])
        rows.append(row)
    return pd.DataFrame(rows).set_index(["data", "what"])


def missed(rows: pd.DataFrame) -> list[str]:
    """Return the goals that are missed, each in a line."""
    out = []
    for data, here in rows.groupby("data", sort=False):
        for decile, row in reliability(here["paths"], here["came"], here["cluster"]).iterrows():
            if not abs(row["z"]) <= 2:
                out.append(f"{data}: stated {row['stated']:.3f}, came {row['observed']:.3f}, {row['z']:+.1f} standard "
                           f"errors in decile {decile + 1}")
        skill = 1 - brier(here["paths"], here["came"]) / brier(here["climatology"], here["came"])
        if not skill > LEAST_SKILL:
            out.append(f"{data}: Brier skill {skill:.3f} over climatology, goal above {LEAST_SKILL}")
    return out


def forecasts(cases: list[Case], workers: int) -> list[Said]:
    """Forecast every case, M3's one by one and RBI's a table and cutoff at a time."""
    tables: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        if case.where[0]:
            tables.setdefault((case.where[0], case.cutoff), []).append(case)
    alone = [c for c in cases if not c.where[0]]
    said = [s for s in spawn(work, alone, workers, "forecasts, M3") if s is not None]
    return said + [s for some in spawn(work_table, list(tables.values()), workers, "forecasts, RBI", 1) for s in some]


def run(cases: list[Case], n_paths: int, workers: int, seed: int = SEED) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecast, draw targets, give odds; return the targets with their odds, and the places of the truth."""
    said = forecasts(cases, workers)
    jobs = [(s, learnt, n_paths, seed) for s, learnt in zip(said, learn(said), strict=True)]
    got = spawn(judge, jobs, workers, "odds")
    rows = pd.concat([r for r, _ in got], ignore_index=True)
    return rows.assign(climatology=climatology(rows)), pd.concat([p for _, p in got], ignore_index=True)


def report(rows: pd.DataFrame, places: pd.DataFrame) -> str:
    """Lay out every table as text."""
    parts = []
    for data, here in rows.groupby("data", sort=False):
        for column in ("paths", "plain"):
            parts.append(f"Reliability, {data}, {column}: {len(here)} targets, {here['cluster'].nunique()} clusters\n"
                         + reliability(here[column], here["came"], here["cluster"]).round(3).to_string())
    spans = rows.assign(months=pd.cut(rows["horizon"], [0, 6, 12, 18], labels=["3-6", "7-12", "13-18"]).astype(str))
    split = {(data, c): decomposition(here[c], here["came"]) for data, here in rows.groupby("data", sort=False)
             for c in ODDS}
    split = pd.DataFrame(split).T.rename_axis(["data", "odds"])
    for title, table in (("Brier score, its parts", split.round(4)), ("Data sets", scores(rows, ["data"]).round(3)),
                         ("Kinds", scores(rows, ["data", "kind"]).round(3)),
                         ("Months ahead", scores(spans, ["data", "months"]).sort_index().round(3)),
                         ("RBI by cutoff", scores(rows[rows["cutoff"] != ""], ["cutoff"]).sort_index().round(3)),
                         ("Truth within paths, per cent", placed(places).round(1))):
        parts.append(f"{title}\n{table.to_string()}")
    return "\n\n".join(parts)


def plot(rows: pd.DataFrame, path: Path) -> None:
    """Draw stated odds against what came, a panel a data set."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", palette="colorblind")
    sets = list(rows["data"].unique())
    figure, axes = plt.subplots(2, len(sets), figsize=(5 * len(sets), 6), sharex=True, squeeze=False,
                                height_ratios=(4, 1), layout="constrained")
    blue, orange = sns.color_palette()[0], sns.color_palette()[1]
    for (top, below), data in zip(axes.T, sets, strict=True):
        here = rows[rows["data"] == data]
        top.plot([0, 1], [0, 1], color="0.5", lw=1, zorder=1)
        for column, name, color, mark in (("independent", "independent months", orange, "s"),
                                          ("paths", "dependent paths", blue, "o")):
            table = reliability(here[column], here["came"], here["cluster"])
            top.errorbar(table["stated"], table["observed"], 2 * table["se"], fmt=mark, ms=4, capsize=2, color=color,
                         label=name)
        skill = 1 - brier(here["paths"], here["came"]) / brier(here["climatology"], here["came"])
        top.set(title=f"{data}: {len(here):,} targets, Brier skill {skill:.2f}", xlim=(0, 1), ylim=(0, 1),
                ylabel="share reached, two standard errors" if data == sets[0] else "")
        top.legend(loc="upper left")
        below.hist(here["paths"], bins=np.linspace(0, 1, 21), color=blue)
        below.set(xlabel="stated odds", ylabel="targets" if data == sets[0] else "")
        below.grid(axis="x", visible=False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def write(text: str, rows: pd.DataFrame, folder: Path) -> None:
    """Write the tables and the plot."""
    head = "# Odds of targets set at random\n\nWritten by `python -m benchmarks.odds --out benchmarks/results`."
    (folder / "odds.md").write_text(f"{head}\n\n```\n{text}\n```\n", encoding="utf-8", newline="\n")
    plot(rows, folder / "odds.png")


def main(argv=None) -> int:
    """Run the benchmark; the exit code says whether the goals were reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path,
                        default=Path(os.environ.get("EBANK_SHARED", ROOT.parent / "shared")) / "data")
    parser.add_argument("--m3", type=int, help="so many of the M3 series, evenly spread")
    parser.add_argument("--rbi", type=int, help="so many of the RBI cases, evenly spread")
    parser.add_argument("--paths", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=SEED, help="of the targets")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write odds.md and odds.png there")
    args = parser.parse_args(argv)
    if not args.data.is_dir():
        parser.error(f"reference data absent: {args.data}; --data says where they are")
    began = time.perf_counter()
    rows, places = run(read_m3(args.data, args.m3) + read_rbi(args.data, args.rbi), args.paths, args.workers,
                       args.seed)
    text = report(rows, places)
    short = missed(rows)
    print(text)
    print("\n".join(["missed:", *short]) if short else "all goals reached")
    print(f"{len(rows)} targets, {time.perf_counter() - began:.0f} s, {args.workers} workers")
    if args.out:
        write(text, rows, args.out)
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
