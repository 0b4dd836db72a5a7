"""What scenarios answer: one table of odds, a tornado of assumptions, five sentences for a manager."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog
from ebank_lib.display import html_table, show
from ebank_lib.errors import UnknownNameError
from ebank_lib.wording import language, month_name, t

from .evidence import Pooled
from .levers import Z90, Drawn, apply_all, apply_lever, needed_for, size_at
from .loading import yearly
from .measures import Measure, View, threshold_of
from .odds import FIELDS, judged, odds_of, said_odds
from .said import said_pace, said_range, said_value
from .spec import Strategy, Target

__all__ = ["COLUMNS", "Scenarios"]

COLUMNS = ["scenario", "kind", "target", "indicator", "deadline", *FIELDS, "change_vs_baseline", "change_se", "assumed",
           "reason"]


@dataclass(frozen=True)
class Scenarios:
    """Odds of a branch's targets under scenarios; see :func:`ebank_lib.scenarios.run_scenarios`.

    Attributes
    ----------
    table : DataFrame
        A row a scenario and target: ``scenario, kind`` (baseline, lever, bundle, stress), ``target, indicator,
        deadline``, the odds and what goes with them (:func:`ebank_lib.scenarios.odds.odds_of`), ``change_vs_baseline``
        of ``p_at`` and its standard error, both of differences path by path, ``assumed`` (an effect in it is a stated
        range), ``reason`` (why there are no odds).
    deadlines : mapping of target to Period
    base : View
        The baseline's paths.
    drawn : mapping of lever to Drawn
    paces : DataFrame
        A row a target with odds: the pace it needs and the one achieved.
    seed : int
        Of the effects' sizes.
    evidence : mapping
        What was learnt for them; see :func:`ebank_lib.scenarios.learn_evidence`.
    """

    table: pd.DataFrame = field(repr=False)
    branch: str
    catalog: Catalog = field(repr=False)
    strategy: Strategy = field(repr=False)
    deadlines: Mapping[str, pd.Period] = field(repr=False)
    base: View = field(repr=False)
    drawn: Mapping[str, Drawn] = field(repr=False)
    paces: pd.DataFrame = field(repr=False)
    seed: int = 0
    evidence: Mapping[tuple[str, ...], Pooled | str] = field(default_factory=dict, repr=False)

    @property
    def n(self) -> int:
        """Number of paths."""
        return self.base.paths.n

    def target(self, key: str) -> Target:
        """Return a target by its key.

        Raises
        ------
        UnknownNameError
            Naming those that there are.
        """
        by_key = {target.key: target for target in self.strategy.targets}
        if key not in by_key:
            raise UnknownNameError("target", key, by_key)
        return by_key[key]

    def label(self, scenario: str, lang: str | None = None) -> str:
        """Return a scenario in words.

        Raises
        ------
        UnknownNameError
            Naming those that there are.
        """
        if scenario == "baseline":
            return t("scenarios.baseline", lang)
        items = {x.key: x for x in (*self.strategy.levers, *self.strategy.bundles, *self.strategy.stress)}
        if scenario not in items:
            raise UnknownNameError("scenario", scenario, ["baseline", *items])
        return items[scenario].label(lang)

    def name(self, scenario: str, lang: str | None = None) -> str:
        """Return a scenario in words with a mark that says whether its effect is assumed or estimated."""
        if scenario == "baseline":
            return self.label(scenario, lang)
        moves = [n in self.drawn[m].pooled for m in self._members(scenario) if m in self.drawn
                 for n in range(len(self.drawn[m].lever.moves))]
        mark = "assumed" if not any(moves) else "estimated" if all(moves) else "partly"
        return t("scenarios.marked", lang, name=self.label(scenario, lang), mark=t(f"scenarios.{mark}", lang))

    def _members(self, scenario: str) -> list[str]:
        return next((b.levers for b in self.strategy.bundles if b.key == scenario), [scenario])

    def view(self, scenario: str) -> View:
        """Return the branch's paths under a scenario, every indicator that it moves."""
        self.label(scenario)
        if scenario == "baseline":
            return self.base
        return apply_all(self.base, [self.drawn[m] for m in self._members(scenario)])

    @property
    def hardest(self) -> str:
        """The target with the lowest odds at its date; of those alike, the one that needs most of today's pace."""
        base = self.table[(self.table["kind"] == "baseline") & (self.table["reason"] == "")].set_index("target")
        ratio = (self.paces["needed_per_month"] / self.paces["achieved_per_month_12m"]).reindex(base.index)
        order = pd.DataFrame({"p": base["p_at"].round(2), "ratio": -ratio.where(ratio >= 0, np.inf)})
        return str(order.sort_values(["p", "ratio"], kind="stable").index[0])

    @property
    def most_moved(self) -> str:
        """The target whose odds the measures move most, each alone and together; "" when none has odds."""
        rows = self.table[self.table["reason"] == ""]
        if rows.empty:
            return ""
        return str(rows.groupby("target", sort=False)["change_vs_baseline"].agg(lambda c: c.abs().max()).idxmax())

    def block(self, target: str) -> pd.DataFrame:
        """Return the rows of one target, the baseline first."""
        self.target(target)
        return self.table[self.table["target"] == target].reset_index(drop=True)

    def tornado(self, target: str) -> pd.DataFrame:
        """Return how much each assumption matters for a target: every effect at its 10% and its 90% point.

        Returns
        -------
        DataFrame
            ``scenario, kind, p_low, p_high, expected_low, expected_high, swing`` (of the odds), ``swing_expected,
            assumed``; those that do nothing for the target are left out, the widest swing stands first.
        """
        goal, by, rows = self.target(target), self.deadlines[target], []
        mine = self.block(target)
        failed = set(mine.loc[mine["reason"] != "", "scenario"])
        stress = {one.key for one in self.strategy.stress}
        wanted = needed_for([goal], (*self.strategy.levers, *self.strategy.stress), self.base.paths)
        for key, drawn in self.drawn.items():
            if key in failed:
                continue
            sides = []
            for z in (-Z90, Z90):
                view = apply_lever(self.base, drawn.at(z), wanted)
                m = judged(view, goal, by) if not view.changed.keys().isdisjoint((goal.indicator, *goal.of)) else ""
                sides.append(odds_of(m, by) if isinstance(m, Measure) else {})
            if all(sides):
                low, high = sides
                rows.append({"scenario": key, "kind": "stress" if key in stress else "lever", "p_low": low["p_at"],
                             "p_high": high["p_at"], "expected_low": low["expected"], "expected_high": high["expected"],
                             "swing": abs(high["p_at"] - low["p_at"]),
                             "swing_expected": abs(high["expected"] - low["expected"]), "assumed": drawn.assumed})
        columns = ["scenario", "kind", "p_low", "p_high", "expected_low", "expected_high", "swing", "swing_expected",
                   "assumed"]
        table = pd.DataFrame(rows, columns=columns)
        return table.sort_values(["swing", "swing_expected", "scenario"], ascending=[False, False, True], kind="stable",
                                 ignore_index=True)

    def levers_table(self) -> pd.DataFrame:
        """Return every effect of every lever and stress with its range and where that comes from.

        Returns
        -------
        DataFrame
            ``scenario, indicator, how, low, median, high`` (80% range), ``ceiling`` (infinite: none), ``delay, ramp,
            lasts, cost, source`` (assumed, interventions), ``k`` (interventions pooled), ``reason`` (why evidence asked
            for does not do, or why no ceiling could be told).
        """
        rows = []
        for key, drawn in self.drawn.items():
            for i, move in enumerate(drawn.lever.moves):
                pooled = drawn.pooled.get(i)
                low, median, high = (float(size_at(move, z, pooled)) for z in (-Z90, 0.0, Z90))
                rows.append({"scenario": key, "indicator": move.indicator, "how": move.how, "low": low,
                             "median": median, "high": high, "ceiling": drawn.tops[i], "delay": drawn.lever.delay,
                             "ramp": drawn.lever.ramp, "lasts": move.lasts,
                             "cost": drawn.lever.cost, "source": "assumed" if pooled is None else "interventions",
                             "k": 0 if pooled is None else pooled.k, "reason": drawn.reasons.get(i, "")})
        return pd.DataFrame(rows, columns=["scenario", "indicator", "how", "low", "median", "high", "ceiling", "delay",
                                           "ramp", "lasts", "cost", "source", "k", "reason"])

    def effects(self, lang: str | None = None):
        """Show every effect as a table: its 80% range, when it comes, and whether it is assumed or estimated."""
        lang = language(lang)
        rows = []
        for row in self.levers_table().to_dict("records"):
            source = t("scenarios.assumed", lang) if row["source"] == "assumed" else t(
                "scenarios.from_pushes", lang, k=row["k"])
            rows.append({"scenario": self.label(row["scenario"], lang),
                         "indicator": self.catalog.indicator(row["indicator"]).short_label(lang),
                         "range_80": said_range(self.catalog, row["indicator"], row["how"], row["low"], row["high"],
                                                lang), "timing": _timing(row, lang), "source": source})
        columns = ["scenario", "indicator", "range_80", "timing", "source"]
        return show(pd.DataFrame(rows, columns=columns), caption=t("scenarios.effects_caption", lang), lang=lang,
                    heads={c: t(f"scenarios.{c}", lang) for c in columns})

    def sentences(self, lang: str | None = None) -> list[str]:
        """Return what a manager reads first: reached, hardest, pace, the best lever, the worst stress."""
        lang = language(lang)
        base = self.table[(self.table["kind"] == "baseline") & (self.table["reason"] == "")]
        if base.empty:
            return [t("scenarios.no_odds" if self.strategy.targets else "scenarios.no_targets", lang)]
        return [s for part in self._said(base, lang).values() for s in part if s]

    def stated(self, lang: str | None = None) -> dict[str, str]:
        """Return the same sentences as three lines of a first screen: ``targets, hardest, measures``."""
        lang = language(lang)
        base = self.table[(self.table["kind"] == "baseline") & (self.table["reason"] == "")]
        if base.empty:
            return {"targets": self.sentences(lang)[0], "hardest": "", "measures": ""}
        sep = "" if lang == "zh" else " "
        return {name: sep.join(s for s in part if s) for name, part in self._said(base, lang).items()}

    def _said(self, base: pd.DataFrame, lang: str) -> dict[str, tuple[str, ...]]:
        hardest = base[base["target"] == self.hardest].iloc[0]
        return {"targets": (self._reached(base, lang),),
                "hardest": (self._hardest(hardest, lang), self._pace(hardest, lang)),
                "measures": (self._extreme("lever", base, lang), self._extreme("stress", base, lang))}

    def about(self) -> dict[str, list[str]]:
        """Return in which cells of the recorded tables ``scenarios``, ``targets`` and ``effects`` the numbers of
        :meth:`stated` stand, as :func:`ebank_lib.state` takes it."""
        judged = "scenarios[kind=baseline,reason=]"
        measures = []
        for kind in ("lever", "stress"):
            row = self._moves_most(kind)
            if row is not None:
                i = self._move_for(row["scenario"], row["indicator"])
                effect = f"effects[{row['scenario']},{self.drawn[row['scenario']].lever.moves[i].indicator}]"
                measures += [f"scenarios[baseline,{row['target']}].p_at",
                             f"scenarios[{row['scenario']},{row['target']}].p_at", f"{effect}.low", f"{effect}.high",
                             *([f"{effect}.k"] if self.drawn[row["scenario"]].pooled.get(i) else [])]
        base = self.table[(self.table["kind"] == "baseline") & (self.table["reason"] == "")]
        hard = self.hardest if len(base) else ""
        return {"targets": [judged, judged.replace("]", ",p_at>=0.5]"), judged + ".p_at"],
                "hardest": [f"scenarios[baseline,{hard}].{c}" for c in ("p_at", "p_by", "expected")] + [
                    f"targets[{hard}].{c}" for c in ("goal", "reached_from", "needed_per_month",
                                                     "achieved_per_month_12m", "ratio")],
                "measures": measures or [judged]}

    def reading(self, lang: str | None = None) -> str:
        """Return the sentences as one text."""
        return ("" if language(lang) == "zh" else " ").join(self.sentences(lang))

    def _odds(self, p: float, lang: str, error: bool = False) -> str:
        return said_odds(p, self.n, lang, error)

    def _reached(self, base: pd.DataFrame, lang: str) -> str:
        likely = base[base["p_at"] >= 0.5].sort_values("p_at", ascending=False, kind="stable")
        items = [t("scenarios.target_odds", lang, target=self.target(row["target"]).label(lang),
                   month=month_name(row["deadline"], lang), p=self._odds(row["p_at"], lang))
                 for row in likely.to_dict("records")]
        about = {"branch": self.catalog.branch(self.branch).label(lang), "n": len(base), "k": len(likely),
                 "list": ("；" if lang == "zh" else "; ").join(items)}
        return t(f"scenarios.first_{'reached' if items else 'none'}", lang, **about)

    def _hardest(self, row: pd.Series, lang: str) -> str:
        target = self.target(row["target"])
        return t("scenarios.first_hardest", lang, target=target.label(lang), deadline=month_name(row["deadline"], lang),
                 p_at=self._odds(row["p_at"], lang), p_by=self._odds(row["p_by"], lang),
                 expected=said_value(self.catalog, target.indicator, row["expected"], lang, target.kind),
                 goal=said_value(self.catalog, target.indicator, threshold_of(self.base, target), lang, target.kind))

    def _pace(self, row: pd.Series, lang: str) -> str:
        target, pace = self.target(row["target"]), self.paces.loc[row["target"]]
        needed, achieved = pace["needed_per_month"], pace["achieved_per_month_12m"]
        if not np.isfinite([needed, achieved]).all():
            return ""
        total = yearly(target, self.catalog)
        say = said_value if total else said_pace
        ratio = needed / achieved if achieved > 0 else np.inf
        about = {"needed": say(self.catalog, target.indicator, needed, lang),
                 "achieved": say(self.catalog, target.indicator, achieved, lang), "times": f"{ratio:.1f}",
                 "target": target.label(lang)}
        kind = "total" if total else "away" if achieved <= 0 else "enough" if ratio <= 1 else "change"
        return t(f"scenarios.first_pace_{kind}", lang, **about)

    def _extreme(self, kind: str, base: pd.DataFrame, lang: str) -> str:
        """The lever that adds most to the odds of any target, or the stress that takes most."""
        row = self._moves_most(kind)
        if row is None:
            return ""
        sign, best = 1 if kind == "lever" else -1, row["scenario"]
        if sign * row["change_vs_baseline"] <= 2 * row["change_se"]:
            return t(f"scenarios.first_{kind}_nothing", lang)
        before = base.set_index("target")["p_at"][row["target"]]
        item = next(x for x in (*self.strategy.levers, *self.strategy.stress) if x.key == best)
        return t(f"scenarios.first_{kind}", lang, name=item.label(lang), target=self.target(row["target"]).label(lang),
                 before=self._odds(before, lang), after=self._odds(row["p_at"], lang),
                 mark=self._because(best, row["indicator"], lang))

    def _moves_most(self, kind: str) -> pd.Series | None:
        rows = self.table[(self.table["kind"] == kind) & (self.table["reason"] == "")]
        sign = 1 if kind == "lever" else -1
        return None if rows.empty else rows.loc[(sign * rows["change_vs_baseline"]).idxmax()]

    def _move_for(self, key: str, indicator: str) -> int:
        """Return which effect of a lever matters for an indicator, or for what it follows from."""
        plan = self.base.paths.plan
        wanted = (indicator, *plan.movers(indicator)) if indicator in plan.derived else (indicator,)
        return next((i for i, move in enumerate(self.drawn[key].lever.moves) if move.indicator in wanted), 0)

    def _because(self, key: str, indicator: str, lang: str) -> str:
        """The range of the effect that matters for an indicator, or for what it follows from, and whence it is."""
        drawn, i = self.drawn[key], self._move_for(key, indicator)
        move, pooled = drawn.lever.moves[i], drawn.pooled.get(i)
        low, high = (float(size_at(move, z, pooled)) for z in (-Z90, Z90))
        about = {"range": said_range(self.catalog, move.indicator, move.how, low, high, lang),
                 "indicator": self.catalog.indicator(move.indicator).short_label(lang)}
        if pooled is None:
            return t("scenarios.because_assumed", lang, **about)
        return t("scenarios.because_named" if pooled.named else "scenarios.because_found", lang, k=pooled.k, **about)

    def plot(self, target: str | None = None, ax=None, lang: str | None = None):
        """Draw the odds of a target (default: the one that scenarios move most) under each scenario."""
        from ebank_lib.charts.strategy import plot_scenarios

        return plot_scenarios(self, self._key(target), ax=ax, lang=lang)

    def plot_tornado(self, target: str | None = None, ax=None, lang: str | None = None):
        """Draw how much each assumption matters for a target (default: the one that scenarios move most)."""
        from ebank_lib.charts.strategy import plot_tornado

        return plot_tornado(self, self._key(target), ax=ax, lang=lang)

    def plot_paths(self, scenario: str | None = None, target: str | None = None, ax=None, lang: str | None = None):
        """Draw the fan of the baseline and of a scenario (default: the last bundle) with the target's line."""
        from ebank_lib.charts.strategy import plot_paths

        last = self.table["scenario"][self.table["kind"] == "bundle"]
        usual = str(last.iloc[-1]) if len(last) else "baseline"
        return plot_paths(self, scenario or usual, self._key(target), ax=ax, lang=lang)

    def _key(self, target: str | None) -> str:
        return self.most_moved if target is None else self.target(target).key

    def to_html(self, lang: str | None = None) -> str:
        """Return scenarios by targets as an HTML table of both odds, with the sentences below."""
        lang = language(lang)
        if self.table.empty:
            return f'<p class="note">{html.escape(t("scenarios.no_targets", lang))}</p>'
        rows, column = [], {target.key: f"target_{n}" for n, target in enumerate(self.strategy.targets)}
        base = self.table.drop_duplicates("target").set_index("target")["expected"].to_dict()   # the baseline's
        for scenario, block in self.table.groupby("scenario", sort=False):
            row = {"scenario": self.name(str(scenario), lang)}
            for one in block.to_dict("records"):
                row[column[one["target"]]] = self._cell(one, base[one["target"]], lang)
            rows.append(row)
        heads = {column[target.key]: target.label(lang) for target in self.strategy.targets}
        return html_table(pd.DataFrame(rows), caption=t("scenarios.scenarios_caption", lang,
                                                        branch=self.catalog.branch(self.branch).label(lang)),
                          heads=heads | {"scenario": t("scenarios.scenario", lang)}, lang=lang,
                          notes=[*self.sentences(lang), *self._failures(lang),
                                 t("scenarios.scenarios_note", lang, n=self.n)])

    def _cell(self, row: dict, base: float, lang: str) -> str:
        if row["reason"]:
            return "–"
        if row["kind"] != "baseline" and row["expected"] == base:
            return t("scenarios.untouched", lang)
        return t("scenarios.both_odds", lang, p_at=self._odds(row["p_at"], lang), p_by=self._odds(row["p_by"], lang))

    def _failures(self, lang: str) -> list[str]:
        from .targets import REASONS

        failed = self.table[self.table["reason"] != ""].drop_duplicates(["scenario", "reason"])
        return [t("scenarios.failed", lang, scenario=self.name(row["scenario"], lang), reason=t(
            f"scenarios.reason_{row['reason']}", lang) if row["reason"] in REASONS else row["reason"])
            for row in failed.to_dict("records") if row["kind"] == "baseline" or row["reason"] not in REASONS]

    def _repr_html_(self) -> str:
        return self.to_html()


def _timing(row: dict, lang: str) -> str:
    if np.isfinite(row["lasts"] or np.nan):
        return t("scenarios.for_months", lang, delay=row["delay"], lasts=int(row["lasts"]))
    return t("scenarios.after", lang, delay=row["delay"], ramp=row["ramp"])
