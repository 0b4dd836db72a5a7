"""What is published of branches and province against other ways of making their forecasts add up.

    python -m benchmarks.province [--data FOLDER] [--provinces 8] [--banks 12] [--origins 3] [--workers 2]

Made provinces (``data/shandong/make_sample.py`` with other seeds, 56 months of which 44 are known) and the largest
banks of the Reserve Bank of India's NEFT tables at past origins, 12 months ahead. ``published`` is what the package
publishes: the futures of what is modelled, branch by branch, and all else (totals of channels, what follows from
shares, the whole) computed from them on every path. Compared: each node forecast ``by itself``, which adds up to
nothing; that reconciled by MinT with shrunk correlations (``mint``; Wickramasuriya et al. 2019) or by the number of
parts (``structural``); the whole by itself shared out by the last twelve months (``top_down``). Mean absolute error
over the mean absolute yearly change.

Exits with 1 when on either kind of data another way that adds up is better by more than one per cent over all levels,
or what follows from others is worse than by itself.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - after the number of threads is set
import pandas as pd  # noqa: E402

from benchmarks._hierarchy import Hierarchy, hierarchies  # noqa: E402
from benchmarks.cleaning import make_sample  # noqa: E402
from ebank_lib.cleaning import clean  # noqa: E402
from ebank_lib.forecasting import Context  # noqa: E402
from ebank_lib.forecasting.candidates import shape_of  # noqa: E402
from ebank_lib.forecasting.context import surprises_of  # noqa: E402
from ebank_lib.forecasting.forecast import PATHS, forecast_ready, quantiles  # noqa: E402
from ebank_lib.forecasting.joint import draw_paths, plan_for, shrunk_correlation  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
HORIZON, MONTHS = 12, 44
ADDING = ("mint", "structural", "top_down")     # the other ways that add up
MOST = 1.01


def made(seed: int) -> Context:
    """Return the context of a made province whose last 12 months are still to come."""
    with tempfile.TemporaryDirectory() as folder:
        make_sample()(Path(folder), seed=seed, months=MONTHS + HORIZON, spoil=False)
        return Context.of(clean(folder, policy="none"))


def banks(count: int) -> Context:
    """Return the context of the largest banks, which are the whole."""
    context = Context.of(clean(ROOT / "tests" / "rbi" / "neft"))
    total = context.catalog.total
    recent = context.panel["outward_txn"].drop(total, level="branch").groupby(level="branch").apply(
        lambda y: y.iloc[-36:].median() if y.iloc[-60:].notna().all() else 0.0)
    largest = recent.sort_values(ascending=False).index[:count].tolist()
    kept = context.panel[context.panel.index.get_level_values("branch").isin(largest)]
    whole = kept.groupby(level="month").sum(min_count=count)
    whole.index = pd.MultiIndex.from_product([[total], whole.index], names=["branch", "month"])
    return replace(context, panel=pd.concat([kept, whole]).sort_index(), now=None, grid=None, last=None)


def by_itself(then: Context, node: tuple[str, str]) -> np.ndarray:
    """Return a node's own median forecast (horizon,), with all that is known beside it."""
    branch, key = node
    shape = then.shape(key) if key in then.plan.free else shape_of("combination")
    f = forecast_ready(then[key].ready(branch), HORIZON, (80,), ("combination",), shape, kind=then[key].kind,
                       unique_id=key)
    return f.block()["y_hat"].to_numpy()


def errors_of(then: Context, node: tuple[str, str]) -> np.ndarray:
    """Return a node's one-step errors (months,) in its own unit, at the size that it has today."""
    branch, key = node
    ready = then[key].ready(branch)
    surprise = surprises_of({branch: ready}, [branch], then.grid.months[then.grid.months <= then.last])[0]
    now = ready.work.values[-1]
    return ready.transform.back(now + surprise) - ready.transform.back(now)


def reconciled(h: Hierarchy, base: np.ndarray, how: str, errors: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the nodes' forecasts (nodes, horizon) made to add up."""
    u = len(h.S) - h.S.shape[1]
    if how == "top_down":
        return h.S @ (share[:, None] * base[:1])
    if how == "structural":
        W = np.diag(h.S.sum(axis=1))
    else:
        sd = np.sqrt(np.nanmean(errors**2, axis=0))
        W = shrunk_correlation(errors) * np.outer(sd, sd)
    # The projection on what adds up, along W: only the sums' covariance is to be inverted.
    U = np.hstack([np.eye(u), -h.S[:u]])
    pull = np.linalg.solve(U @ W @ U.T + 1e-9 * np.trace(U @ W @ U.T) / u * np.eye(u), U @ base)
    return base - W @ U.T @ pull


def work(job) -> pd.DataFrame:
    """Score every way on one province at one origin."""
    data, which, back = job
    context = made(which) if data == "made" else banks(which)
    then = context.until(context.grid.months[-1] - back)
    ahead = pd.period_range(then.last + 1, periods=HORIZON, freq="M")
    drawn = draw_paths(then, then.branches, plan_for(then, None), HORIZON, PATHS, 0)
    keys = [k for k in then.available if context.catalog.indicator(k).kind != "ratio" and k in drawn.values]
    rows = []
    for h in hierarchies(context.catalog, keys, then.branches, keys):
        nodes, u = list(h.nodes), len(h.nodes) - h.S.shape[1]
        y = pd.DataFrame({(branch, key): context[key].series(branch) for branch, key in nodes}).loc[: ahead[-1]]
        past, came = y.loc[:then.last], y.loc[ahead].to_numpy().T
        if not np.isfinite(came).all() or not np.isfinite(past.iloc[-24:].to_numpy()).all() or any(
                not np.isfinite(drawn.array(k)).all() for k in h.indicators):
            continue
        total = h.total
        base = np.array([by_itself(then, node) for node in nodes])
        errors = np.array([errors_of(then, node) for node in nodes]).T
        share = past.iloc[-12:].sum().to_numpy()[u:] / past.iloc[-12:].sum().to_numpy()[0]
        said = {"by itself": base} | {how: reconciled(h, base, how, errors, share) for how in ADDING}
        said["published"] = np.array([quantiles((drawn.total(key).to_numpy() if branch == total else
                                                 drawn.array(key)[drawn.branches.index(branch)]).T, 0.5)
                                      for branch, key in nodes])
        scale = past.diff(12).abs().mean().to_numpy()
        level = ["whole" if branch == total else "follows" if key in then.plan.derived else "modelled"
                 for branch, key in nodes]
        for how, values in said.items():
            rows.append(pd.DataFrame({"data": data, "level": level, "way": how,
                                      "mase": np.abs(values - came).mean(axis=1) / scale}))
    return pd.concat(rows, ignore_index=True)


def main(argv=None) -> int:
    """Run the benchmark; the exit code says whether what is published is the best."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("EBANK_SHARED", ROOT.parent / "shared")))
    parser.add_argument("--provinces", type=int, default=8)
    parser.add_argument("--banks", type=int, default=12)
    parser.add_argument("--origins", type=int, default=3, help="of the banks, a year apart")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(argv)
    os.environ["EBANK_SHARED"] = str(options.data.resolve())
    jobs = [("made", 1 + seed, HORIZON) for seed in range(options.provinces)]
    jobs += [("NEFT", options.banks, HORIZON * (1 + i)) for i in range(options.origins)]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        rows = pd.concat(pool.map(work, jobs), ignore_index=True)
    table = pd.concat([rows, rows.assign(level="all")]).pivot_table("mase", ["data", "level"], "way", sort=False)
    print(table.round(3).to_string())
    missed = []
    for data in table.index.unique("data"):
        everything, best = table.loc[(data, "all")], table.loc[(data, "all"), list(ADDING)].min()
        if everything["published"] > MOST * best:
            missed.append(f"{data}: published {everything['published']:.3f}, best other {best:.3f}")
        if (data, "follows") in table.index and table.loc[(data, "follows"), "published"] > table.loc[
                (data, "follows"), "by itself"]:
            missed.append(f"{data}: what follows from others is worse than by itself")
    print("\n".join(["missed:", *missed]) if missed else "all goals reached")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
