"""Scenarios on common random paths: every lever alone, bundles, stresses; and what they answer: one table of odds, a
tornado of assumptions, five sentences for a manager."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..display import Shown, describe, html_table, show
from ..errors import SeriesError, UnknownNameError
from ..forecasting.joint import JointPaths
from ..monthly import checked_seed
from ..wording import Text, cell, cite, goal_text, join, language, listed, month_name, t
from .levers import Z90, Drawn, Evidenced, apply_lever, draw, learn_evidence, needed_for, said_size
from .odds import REASONS, Odds, Pace, View, hardest_of, judged, odds_of, pace_of, said_odds, said_pace, said_value
from .strategy import Lever, Strategy, Target, check_strategy, yearly
from .targets import dates_of

_COLUMNS = ["scenario", "kind", "target", "indicator", "deadline", *(f.name for f in fields(Odds)),
            "change_vs_baseline", "change_se", "assumed", "reason"]


@dataclass(frozen=True, repr=False)
class Scenarios(Shown):
    """Odds of a branch's targets under scenarios; see :func:`run_scenarios`.

    Attributes
    ----------
    table : DataFrame
        A row a scenario and target: ``scenario, kind`` (baseline, lever, bundle, stress), ``target, indicator,
        deadline``, the odds and what goes with them (:class:`ebank_lib.scenarios.odds.Odds`), ``change_vs_baseline``
        of ``p_at`` and its standard error, both of differences path by path, ``assumed`` (an effect in it is a stated
        range), ``reason`` (why there are no odds).
    deadlines : mapping of target to Period
    base : View
        The baseline's paths.
    drawn : mapping of lever to Drawn
    paces : mapping of target to Pace
        Of the targets with odds: the pace each needs and the one achieved.
    seed : int
        Of the effects' sizes.
    evidence : mapping
        What was learnt for them; see :func:`ebank_lib.scenarios.learn_evidence`.
    """

    table: pd.DataFrame
    branch: str
    catalog: Catalog
    strategy: Strategy
    deadlines: Mapping[str, pd.Period]
    base: View
    drawn: Mapping[str, Drawn]
    paces: Mapping[str, Pace]
    seed: int = 0
    evidence: Evidenced = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of paths."""
        return self.base.paths.n

    def target(self, key: str) -> Target:
        """Return a target by its key."""
        return _named("target", key, self.strategy.targets)

    def lever(self, key: str) -> Lever:
        """Return a lever or a stress by its key."""
        return _named("lever", key, self.strategy.pulled)

    def label(self, scenario: str, lang: str | None = None) -> str:
        """Return a scenario in words."""
        if scenario == "baseline":
            return t("scenarios.baseline", lang)
        return _named("scenario", scenario, (*self.strategy.pulled, *self.strategy.bundles)).label(lang)

    def name(self, scenario: str, lang: str | None = None) -> str:
        """Return a scenario in words with a mark that says whether its effect is assumed or estimated."""
        name = self.label(scenario, lang)
        if scenario == "baseline":
            return name
        learnt = [effect.pooled is not None for member in self.strategy.cases[scenario][1] if member in self.drawn
                  for effect in self.drawn[member].effects]
        mark = "assumed" if not any(learnt) else "estimated" if all(learnt) else "partly"
        return t("scenarios.marked", lang, name=name, mark=t(f"scenarios.{mark}", lang))

    def view(self, scenario: str) -> View:
        """Return the branch's paths under a scenario, every indicator that it moves."""
        self.label(scenario)
        view = self.base
        for member in self.strategy.cases[scenario][1]:
            view = apply_lever(view, self.drawn[member])
        return view

    def rows(self, *kinds: str) -> pd.DataFrame:
        """Return the table's rows with odds, of some kinds of scenario or of all."""
        known = self.table[self.table["reason"] == ""]
        return known[known["kind"].isin(kinds)] if kinds else known

    @property
    def hardest(self) -> str:
        """The hardest target, see :func:`ebank_lib.scenarios.odds.hardest_of`."""
        base = self.rows("baseline")
        ratios = [self.paces[key].ratio for key in base["target"]]
        return str(base["target"].iloc[hardest_of(base["p_at"].tolist(), ratios)])

    @property
    def most_moved(self) -> str:
        """The target whose odds the measures move most, each alone and together; "" when none has odds."""
        change = self.rows().groupby("target", sort=False)["change_vs_baseline"].agg(lambda c: c.abs().max())
        return "" if change.empty else str(change.idxmax())

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
        able = self.block(target).query("reason == ''").set_index("scenario")["kind"]
        wanted = needed_for([goal], self.strategy.pulled, self.base.paths)
        for key in (key for key in self.drawn if key in able.index):
            views = [apply_lever(self.base, self.drawn[key].at(z), wanted) for z in (-Z90, Z90)]
            if any(view.changes(goal) for view in views):
                low, high = (odds_of(judged(view, goal, by), by) for view in views)
                rows.append((key, able[key], low.p_at, high.p_at, low.expected, high.expected,
                             abs(high.p_at - low.p_at), abs(high.expected - low.expected), self.drawn[key].assumed))
        table = pd.DataFrame(rows, columns=["scenario", "kind", "p_low", "p_high", "expected_low", "expected_high",
                                            "swing", "swing_expected", "assumed"])
        return table.sort_values(["swing", "swing_expected", "scenario"], ascending=[False, False, True], kind="stable",
                                 ignore_index=True)

    def levers_table(self) -> pd.DataFrame:
        """Return every effect of every lever and stress with its range and where that comes from.

        Returns
        -------
        DataFrame
            ``scenario, indicator, how, low, median, high`` (80% range), ``ceiling`` (infinite: none), ``delay, ramp,
            lasts, cost, source`` (assumed, interventions, or jumps that were found), ``k`` (how many were pooled),
            ``lagged`` (how many of them in branches that lagged), ``reason`` (why evidence asked for does not do).
        """
        rows = []
        for key, drawn in self.drawn.items():
            lever = drawn.lever
            for one in drawn.effects:
                low, high = one.range_80
                source = "assumed" if one.pooled is None else "interventions" if one.pooled.named else "jumps"
                k, lagged = (one.pooled.k, one.pooled.lagged) if one.pooled else (0, 0)
                rows.append((key, one.move.indicator, one.move.how, low, float(one.at(0.0)), high, one.top, lever.delay,
                             lever.ramp, one.move.lasts, lever.cost, source, k, lagged, one.reason))
        return describe(pd.DataFrame(rows, columns=[
            "scenario", "indicator", "how", "low", "median", "high", "ceiling", "delay", "ramp", "lasts", "cost",
            "source", "k", "lagged", "reason"]), indicator="indicator")

    def effects(self, lang: str | None = None):
        """Show every effect as a table: its 80% range, when it comes, and whether it is assumed or estimated."""
        lang = language(lang)
        rows = [(self.label(row["scenario"], lang), self.catalog.indicator(row["indicator"]).short_label(lang),
                 said_size(self.catalog, row["indicator"], row["how"], [row["low"], row["high"]], lang),
                 said_timing(row, lang), t(f"scenarios.from_{row['source']}", lang, k=row["k"]))
                for row in self.levers_table().to_dict("records")]
        columns = ["scenario", "indicator", "range_80", "timing", "source"]
        return show(pd.DataFrame(rows, columns=columns), caption=t("scenarios.effects_caption", lang), lang=lang,
                    heads={c: t(f"scenarios.{c}", lang) for c in columns})

    # ---------------------------------------------------------------- in words

    def sentences(self, lang: str | None = None) -> list[str]:
        """Return what a manager reads first: reached, hardest, pace, the best lever, the worst stress."""
        return [said for part in self._lines(language(lang)).values() for said in part]

    def stated(self, lang: str | None = None) -> dict[str, Text]:
        """Return the same sentences as three lines of a first screen: ``targets, hardest, measures``.

        Their numbers know their cells in the tables recorded as ``scenarios``, ``targets`` and ``effects``.
        """
        lang = language(lang)
        return {name: join(part, "" if lang == "zh" else " ") for name, part in self._lines(lang).items()}

    def _lines(self, lang: str) -> dict[str, list[str]]:
        base = self.rows("baseline").set_index("target")
        if base.empty:
            nothing = t("scenarios.no_odds" if self.strategy.targets else "scenarios.no_targets", lang)
            return {"targets": [nothing], "hardest": [], "measures": []}
        return {"targets": [self._reached(base, lang)], "hardest": self._hardest(base, lang),
                "measures": [said for kind in ("lever", "stress") for said in self._extreme(kind, base, lang)]}

    def _odds(self, scenario: str, target: str, p: float, lang: str, column: str = "p_at") -> Text:
        return cite(said_odds(p, self.n, lang), cell("scenarios", column, scenario=scenario, target=target))

    def _reached(self, base: pd.DataFrame, lang: str) -> str:
        likely = base[base["p_at"] >= 0.5].sort_values("p_at", ascending=False, kind="stable")
        items = [t("scenarios.target_odds", lang, target=self.target(key).label(lang),
                   month=month_name(row["deadline"], lang), p=self._odds("baseline", key, row["p_at"], lang))
                 for key, row in likely.iterrows()]
        return t(f"scenarios.first_{'reached' if items else 'none'}", lang,
                 branch=self.catalog.branch(self.branch).label(lang),
                 n=cite(len(base), cell("scenarios", kind="baseline", p_at="!=")),
                 k=cite(len(likely), cell("scenarios", kind="baseline", p_at=">=0.5")),
                 list=join(items, "；" if lang == "zh" else "; "))

    def _hardest(self, base: pd.DataFrame, lang: str) -> list[str]:
        """The odds of the hardest target, and where one can be told its pace."""
        target = self.target(self.hardest)
        row, pace = base.loc[target.key], self.paces[target.key]
        goal, column = (self.base.threshold(target), "reached_from") if target.goal is None else (target.goal, "goal")
        expected, goal = (said_value(self.catalog, target.indicator, v, lang, target.kind)
                          for v in (row["expected"], goal))
        said = t("scenarios.first_hardest", lang, target=target.label(lang), deadline=month_name(row["deadline"], lang),
                 p_at=self._odds("baseline", target.key, row["p_at"], lang),
                 p_by=self._odds("baseline", target.key, row["p_by"], lang, "p_by"),
                 expected=cite(expected, cell("scenarios", "expected", scenario="baseline", target=target.key)),
                 goal=cite(goal_text(goal), cell("targets", column, target=target.key)))
        if not np.isfinite([pace.needed_per_month, pace.momentum_per_month]).all():
            return [said]
        total = yearly(target, self.catalog)
        say = said_value if total else said_pace
        kind = ("total" if total else "away" if pace.achieved_per_month_12m <= 0 else "enough" if pace.ratio <= 1
                else "change")
        needed, momentum = (cite(say(self.catalog, target.indicator, getattr(pace, name), lang),
                                 cell("targets", name, target=target.key))
                            for name in ("needed_per_month", "momentum_per_month"))
        return [said, t(f"scenarios.first_pace_{kind}", lang, needed=needed, momentum=momentum,
                        target=target.label(lang),
                        times=cite(f"{pace.ratio:.1f}", cell("targets", "ratio", target=target.key)))]

    def _extreme(self, kind: str, base: pd.DataFrame, lang: str) -> list[str]:
        """The lever that adds most to the odds of any target, or the stress that takes most."""
        rows, sign = self.rows(kind), 1 if kind == "lever" else -1
        if rows.empty:
            return []
        row = rows.loc[(sign * rows["change_vs_baseline"]).idxmax()]
        best, target = row["scenario"], row["target"]
        said = [self._odds(*one, lang) for one in (("baseline", target, base.loc[target, "p_at"]),
                                                   (best, target, row["p_at"]))]
        if sign * row["change_vs_baseline"] <= 2 * row["change_se"] or said[0] == said[1]:
            return [t(f"scenarios.first_{kind}_nothing", lang)]
        return [t(f"scenarios.first_{kind}", lang, name=self.label(best, lang), target=self.target(target).label(lang),
                  before=said[0], after=said[1], mark=self._because(best, row["indicator"], lang))]

    def _because(self, key: str, indicator: str, lang: str) -> str:
        """The range, and whence it is, of a lever's effect on an indicator or on what that follows from."""
        wanted, effects = self.base.paths.plan.movers(indicator), self.drawn[key].effects
        effect = next((one for one in effects if one.move.indicator in wanted), effects[0])
        move, pooled = effect.move, effect.pooled

        def refer(column: str):
            return cell("effects", column, scenario=key, indicator=move.indicator)

        about = {"range": said_size(self.catalog, move.indicator, move.how, effect.range_80, lang,
                                    [refer("low"), refer("high")]),
                 "indicator": self.catalog.indicator(move.indicator).short_label(lang)}
        if pooled is None:
            return t("scenarios.because_assumed", lang, **about)
        said = t("scenarios.because_named" if pooled.named else "scenarios.because_found", lang,
                 k=cite(pooled.k, refer("k")), **about)
        return said + t("scenarios.because_lagged", lang, n=cite(pooled.lagged, refer("lagged"))) \
            if pooled.lagged > pooled.k / 2 else said

    # ---------------------------------------------------------------- in pictures and tables

    def plot(self, target: str | None = None, ax=None, lang: str | None = None):
        """Draw the odds of a target (default: the one that scenarios move most) under each scenario."""
        from ..charts.scenarios import plot_scenarios

        return plot_scenarios(self, self._key(target), ax=ax, lang=lang)

    def plot_tornado(self, target: str | None = None, ax=None, lang: str | None = None):
        """Draw how much each assumption matters for a target (default: the one that scenarios move most)."""
        from ..charts.scenarios import plot_tornado

        return plot_tornado(self, self._key(target), ax=ax, lang=lang)

    def plot_paths(self, scenario: str | None = None, target: str | None = None, ax=None, lang: str | None = None):
        """Draw the fan of the baseline and of a scenario (default: the last bundle) with the target's line."""
        from ..charts.scenarios import plot_paths

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
        base = self.table.drop_duplicates("target").set_index("target")["expected"].to_dict()   # the baseline's
        rows = [[self.name(str(scenario), lang), *(
            t("scenarios.untouched", lang) if scenario != "baseline" and one["expected"] == base[one["target"]] else
            both_odds(one["p_at"], one["p_by"], self.n, lang) for one in block.to_dict("records"))]
                for scenario, block in self.table.groupby("scenario", sort=False)]
        columns = ["scenario", *(f"target_{n}" for n in range(len(base)))]
        heads = [t("scenarios.scenario", lang), *(target.label(lang) for target in self.strategy.targets)]
        failed = self.table[self.table["reason"] != ""].drop_duplicates(["scenario", "reason"])
        failed = failed[(failed["kind"] == "baseline") | ~failed["reason"].isin(REASONS)]
        caption = t("scenarios.scenarios_caption", lang, branch=self.catalog.branch(self.branch).label(lang))
        return html_table(pd.DataFrame(rows, columns=columns), caption=caption, lang=lang,
                          heads=dict(zip(columns, heads, strict=True)), notes=[
                              *self.sentences(lang), *self.failures(failed, lang), *self._overlaps(lang),
                              t("scenarios.scenarios_note", lang, n=self.n)])

    def _overlaps(self, lang: str) -> list[str]:
        """A sentence for each bundle whose measures move the same indicator."""
        said = []
        for bundle in self.strategy.bundles:
            moved = Counter(move.indicator for key in bundle.levers if key in self.drawn
                            for move in self.drawn[key].lever.moves)
            if twice := [self.catalog.indicator(key).short_label(lang) for key, n in sorted(moved.items()) if n > 1]:
                said.append(t("scenarios.overlap", lang, scenario=bundle.label(lang), indicators=listed(twice, lang)))
        return said

    def failures(self, rows: pd.DataFrame, lang: str, marked: bool = True) -> list[str]:
        """Return a sentence for each row that says why it has no odds."""
        name = self.name if marked else self.label
        return [t("scenarios.failed", lang, scenario=name(scenario, lang), reason=t(
            f"scenarios.reason_{reason}", lang) if reason in REASONS else reason)
            for scenario, reason in zip(rows["scenario"], rows["reason"], strict=True)]


def _named(what: str, key: str, items: tuple):
    by_key = {item.key: item for item in items}
    if key not in by_key:
        raise UnknownNameError(what, key, by_key)
    return by_key[key]


def both_odds(p_at: float, p_by: float, n: int, lang: str) -> str:
    """Return both odds as a table's cell has them."""
    if not np.isfinite(p_at):
        return "–"
    return t("scenarios.both_odds", lang, p_at=said_odds(p_at, n, lang), p_by=said_odds(p_by, n, lang))


def said_timing(row: Mapping, lang: str) -> str:
    """Return when an effect comes, and for how long."""
    if np.isfinite(row["lasts"] or np.nan):
        return t("scenarios.for_months", lang, delay=row["delay"], lasts=int(row["lasts"]))
    return t("scenarios.after", lang, delay=row["delay"], ramp=row["ramp"])


def run_scenarios(paths: JointPaths, branch: str, strategy: Strategy, deadline: str | pd.Period | None = None,
                  events: pd.DataFrame | None = None, seed: int | None = None,
                  evidence: Evidenced | None = None) -> Scenarios:
    """Ask of every scenario with which odds a branch's targets are reached, all on the same random futures.

    Parameters
    ----------
    paths : JointPaths
    branch : str
        Levers are pulled in this branch alone; its peers' paths stay.
    strategy : Strategy
        Its targets and, each a scenario: every lever alone, every bundle, every stress.
    deadline : month, optional
        For targets that name none; default the end of the first whole year after the data.
    events : DataFrame, optional
        The source's known events, for levers with evidence (:func:`ebank_lib.events.known_events`).
    seed : int, optional
        Of the effects' sizes; default the paths'.
    evidence : mapping, optional
        What :func:`learn_evidence` learnt, to learn it once for many branches.

    Returns
    -------
    Scenarios
        A target without odds, and a scenario whose indicators have no paths, keep their rows with the reason.

    Raises
    ------
    ConfigError
        A lever on an indicator that follows from others; a strategy that does not fit the catalogue.
    UnknownNameError
        The branch has no paths; an indicator that the catalogue does not know.
    """
    branch = paths.catalog.branch(branch).id
    check_strategy(strategy, paths.catalog)
    view, targets = View.of(paths, branch), strategy.targets
    seed = paths.seed if seed is None else checked_seed(seed)
    dates = dict(zip((target.key for target in targets), dates_of(targets, paths.origin, deadline), strict=True))
    evidence = learn_evidence(paths, strategy.pulled, events) if evidence is None else evidence
    drawn: dict[str, Drawn] = {}
    failed: dict[str, str] = {}
    for lever in strategy.pulled:
        try:
            drawn[lever.key] = draw(lever, view, seed, evidence)
        except SeriesError as error:
            failed[lever.key] = str(error)
    wanted = needed_for(targets, strategy.pulled, paths)
    base = {target.key: judged(view, target, dates[target.key]) for target in targets}
    rows = []
    for key, (kind, parts) in strategy.cases.items():
        moved, reason = view, next((failed[part] for part in parts if part in failed), "")
        try:
            for part in parts if not reason else ():
                moved = apply_lever(moved, drawn[part], wanted)
        except UnknownNameError as error:
            reason = str(error)
        for target in targets:
            by = dates[target.key]
            here = judged(moved, target, by) if moved.changes(target) else base[target.key]
            rows.append({"scenario": key, "kind": kind, "target": target.key, "indicator": target.indicator,
                         "deadline": by, "assumed": any(drawn[part].assumed for part in parts if part in drawn),
                         **_counted(here, base[target.key], by, reason)})
    paces = {key: pace_of(m, dates[key]) for key, m in base.items() if not isinstance(m, str)}
    table = describe(pd.DataFrame(rows, columns=_COLUMNS), kinds=dict.fromkeys(
        ("p_at", "p_by", "se_at", "se_by", "change_vs_baseline", "change_se"), "percent"), indicator="indicator",
        pooled=True)
    return Scenarios(table, view.branch, paths.catalog, strategy, dates, view, drawn, paces, seed, evidence)


def _counted(here, before, deadline: pd.Period, reason: str) -> dict[str, object]:
    """One scenario's odds of one target, and how they differ from the baseline's on the same paths."""
    if reason or isinstance(here, str):
        return {"month_50": pd.NaT, "month_80": pd.NaT, "n": 0, "reason": reason or here}
    at = here.months.get_loc(deadline)
    change = here.reached[at].astype(float) - before.reached[at]
    return asdict(odds_of(here, deadline)) | {"change_vs_baseline": float(change.mean()), "reason": "",
                                              "change_se": float(change.std() / np.sqrt(len(change)))}
