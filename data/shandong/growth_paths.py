"""The sample's true figures: how 17 simulated branches grow from 2008-01 to 2011-08.

Everything here is invented. Only the shape is taken from the study: which indicators exist and the seven facts that
it states about them. Change a figure in the tables below, run ``make_sample.py``, and the workbooks follow.

Sizes and growth are stated for the whole province; a branch has its share of it (`WEIGHTS`), a deviation of its own
in level and growth, and shocks of which a part is common to all branches. Customers are whole numbers, income and
sales whole yuan, so that stock(t) - stock(t-1) = net new(t) and total = sum of parts hold exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from zlib import crc32

import numpy as np

FIRST_MONTH = (2008, 1)
MONTHS = 44
CASE = "rizhao"  # the branch that the study works through

# Share of the province's business. Shengli Oilfield reports by itself until it merges into Dongying.
WEIGHTS = {
    "jinan": 0.185, "zibo": 0.100, "zaozhuang": 0.038, "dongying": 0.052, "shengli": 0.024, "yantai": 0.125,
    "weifang": 0.098, "jining": 0.072, "taian": 0.054, "weihai": 0.058, "rizhao": 0.030, "laiwu": 0.016,
    "linyi": 0.074, "dezhou": 0.036, "liaocheng": 0.034, "binzhou": 0.036, "heze": 0.031,
}
EXTRA_WEIGHT = 0.03  # of each further branch when more are asked for (load tests)


@dataclass(frozen=True)
class Stock:
    """Customers at the month's end: last month's plus the month's net new ones."""

    start: float  # province, 2008-01
    growth: tuple[float, float]  # net new as a share of the stock, per month: at the start and at the end
    noise: float  # sd of the log of the month's net new customers
    common: float = 0.45  # share of that noise's variance that all branches have in common
    quarter: float = 1.35  # factor in the last month of a quarter (appraisal)
    wobble: float = 0.0  # sd of the level around its path (dormant accounts cleared and restored)
    quarter_level: float = 0.0  # the level stands this much higher at a quarter's end (balances moved in for the day)


STOCKS = {
    "personal_online": Stock(720e3, (0.042, 0.030), 0.34),
    "corporate_online": Stock(15_500, (0.036, 0.026), 0.40),
    "phone": Stock(1_650e3, (0.0135, 0.0105), 0.16, quarter=1.10),
    "mobile": Stock(105e3, (0.082, 0.055), 0.36),
    "sms": Stock(960e3, (0.046, 0.030), 0.52),
    "corporate_existing": Stock(98e3, (0.011, 0.009), 0.45, wobble=0.006),
    "affluent": Stock(310e3, (0.015, 0.014), 0.40, wobble=0.006, quarter_level=0.018),
    "mortgage": Stock(182e3, (0.013, 0.017), 0.50, wobble=0.006),
}
STOCKS_WITH_NEW = ("personal_online", "corporate_online", "phone", "mobile", "sms")


@dataclass(frozen=True)
class Push:
    """A policy: in one month a branch signs so many customers that the stock is multiplied, and stays."""

    branch: str
    indicator: str
    month: tuple[int, int]
    factor: float
    before: float = 1.0  # the branch's usual share is multiplied by this before the push (it lagged behind)


PUSHES = (
    Push("rizhao", "sms", (2008, 10), 4.1, before=0.42),  # the study's figure 4-1: policy of the branch
    Push("heze", "sms", (2009, 3), 2.2, before=0.60),
    Push("liaocheng", "personal_online", (2009, 9), 1.55, before=0.75),
    Push("weihai", "mobile", (2010, 5), 1.80, before=0.70),
    Push("zaozhuang", "corporate_online", (2010, 9), 1.60, before=0.75),
    Push("dezhou", "mobile", (2009, 4), 1.70, before=0.70),
)


@dataclass(frozen=True)
class Rate:
    """A share that rises along a logistic curve: of `of`, `part` are active, signed or sold through e-channels."""

    part: str
    of: str
    start: float
    end: float
    noise: float = 0.012  # sd of the logit, month by month


RATES = {
    "personal_online_activity": Rate("personal_online_active", "personal_online", 0.29, 0.47),
    "mobile_activity": Rate("mobile_active", "mobile", 0.17, 0.33),
    "synchronisation": Rate("corporate_accounts_new_signed", "corporate_accounts_new", 0.42, 0.84, 0.02),
    "conversion": Rate("corporate_existing_signed", "corporate_existing", 0.24, 0.56),
    "coverage": Rate("affluent_signed", "affluent", 0.28, 0.57),
    "mortgage_coverage": Rate("mortgage_signed", "mortgage", 0.33, 0.76),
    "investment_share": Rate("investment_sales_e", "investment_sales", 0.26, 0.58, 0.03),
}


@dataclass(frozen=True)
class Flow:
    """What is counted over a month: transactions, fees, sales, accounts opened."""

    start: float  # province, 2008-01
    growth: dict[int, float]  # slope of the log, per year; the last year's goes on
    noise: tuple[float, float]  # sd of the log around the path: at the start and at the end
    days: str = "retail"  # which days count how much: a row of DAYS
    common: float = 0.5
    quarter: tuple[float, float] = (0.0, 0.0)  # push at the quarter's end (log), at the start and at the end
    case: dict[int, float] = field(default_factory=dict)  # slopes of the case branch where they differ


FLOWS = {
    "personal_online_txn": Flow(3.3e6, {2008: 0.56, 2009: 0.54, 2010: 0.52, 2011: 0.40}, (0.030, 0.030)),
    "corporate_online_txn": Flow(1.25e6, {2008: 0.42, 2009: 0.40, 2010: 0.38, 2011: 0.32}, (0.030, 0.030), "office"),
    "phone_txn": Flow(1.05e6, {2008: 0.22, 2009: 0.20, 2010: 0.17, 2011: 0.15}, (0.025, 0.025)),
    "mobile_txn": Flow(110e3, {2008: 0.80, 2009: 0.85, 2010: 0.98, 2011: 0.80}, (0.045, 0.045), "mobile"),
    "key_customer_txn": Flow(0.82e6, {2008: 0.45, 2009: 0.06, 2010: -0.34, 2011: 0.04}, (0.030, 0.030), "office",
                             case={2008: 0.50, 2009: 0.36, 2010: -0.16, 2011: 0.12}),
    "counter_txn": Flow(14.5e6, {2008: 0.05, 2009: 0.04, 2010: 0.03, 2011: 0.02}, (0.015, 0.015), "counter"),
    "sms_income": Flow(2.35e6, {2008: 0.55, 2009: 0.68, 2010: 0.77, 2011: 0.46}, (0.012, 0.105), "flat",
                       quarter=(0.01, 0.09)),
    "personal_online_income": Flow(1.15e6, {2008: 0.55, 2009: 0.68, 2010: 0.77, 2011: 0.48}, (0.014, 0.115), "flat",
                                   quarter=(0.01, 0.10)),
    "corporate_online_income": Flow(1.42e6, {2008: 0.42, 2009: 0.38, 2010: 0.36, 2011: 0.34}, (0.014, 0.100), "flat",
                                    quarter=(0.01, 0.12)),
    "investment_sales": Flow(2.6e9, {2008: -0.30, 2009: 0.62, 2010: 0.30, 2011: 0.12}, (0.10, 0.10), "office",
                             quarter=(0.10, 0.14)),
    "corporate_accounts_new": Flow(5_600, {2008: 0.14, 2009: 0.18, 2010: 0.16, 2011: 0.12}, (0.06, 0.06), "office",
                                   quarter=(0.05, 0.05)),
}

# How much a day counts: weekday, weekend, the ten days before Spring Festival, the festival week (from the eve on),
# the days from then to the Lantern Festival, and the first week of October.
DAYS = {
    "retail": (1.00, 0.85, 1.22, 0.60, 0.88, 0.80),
    "office": (1.00, 0.30, 1.18, 0.12, 0.86, 0.20),
    "mobile": (1.00, 1.00, 1.10, 0.82, 0.96, 0.95),
    "counter": (1.00, 0.70, 1.20, 0.35, 0.85, 0.55),
    "flat": (1.00, 1.00, 1.00, 1.00, 1.00, 1.00),
}
# First day of the lunar year.
SPRING_FESTIVAL = {
    2008: (2, 7), 2009: (1, 26), 2010: (2, 14), 2011: (2, 3), 2012: (1, 23), 2013: (2, 10), 2014: (1, 31),
    2015: (2, 19), 2016: (2, 8), 2017: (1, 28), 2018: (2, 16), 2019: (2, 5), 2020: (1, 25),
}
# Net new customers: few are signed in the festival week, the new year's campaign brings more.
SIGNING_DAYS = (1.00, 0.75, 1.05, 0.25, 0.85, 0.55)
NEW_YEAR_PUSH = 1.15
AFTER_QUARTER = 0.86


def stream(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for each use, so that a new one moves no other."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, crc32(name.encode())])))


def month_list(count: int = MONTHS) -> list[tuple[int, int]]:
    """The months as (year, month)."""
    year, month = FIRST_MONTH
    months = [((12 * year + month - 1 + n) // 12, (month - 1 + n) % 12 + 1) for n in range(count)]
    if months[-1][0] > max(SPRING_FESTIVAL):
        raise ValueError(f"at most to {max(SPRING_FESTIVAL)}-12: later dates of Spring Festival are not in the table")
    return months


def day_factor(months: list[tuple[int, int]], weights: tuple[float, ...]) -> np.ndarray:
    """Each month's sum of day weights against 30.4 plain days of the same kind (about 1)."""
    weekday, weekend, before, festival, after, october = weights
    totals = []
    for year, month in months:
        day, total = date(year, month, 1), 0.0
        first = date(year, *SPRING_FESTIVAL[year])
        while day.month == month:
            weight = weekend if day.weekday() >= 5 else weekday
            from_first = (day - first).days
            if -11 <= from_first < -1:
                weight *= before
            elif -1 <= from_first < 6:
                weight = festival
            elif 6 <= from_first < 15:
                weight *= after
            elif month == 10 and day.day <= 7:
                weight = october
            total += weight
            day += timedelta(days=1)
        totals.append(total)
    return np.array(totals) / (30.44 * (5 * weekday + 2 * weekend) / 7)


@dataclass
class Truth:
    """What the branches would have reported had nobody made a mistake.

    ``values[indicator]`` is an array rows x months in base units; ``rows`` are branch ids in the order printed.
    A branch that merges later still has its own row in every month here; `merged_into` says into which row.
    """

    rows: list[str]
    months: list[tuple[int, int]]
    values: dict[str, np.ndarray]
    ratios: dict[str, tuple[str, tuple[str, ...]]]  # ratio -> numerator, denominators
    merged_into: dict[str, str]
    merged_at: dict[str, int]  # index of the first month without a row of its own

    def __post_init__(self):
        self._at = {row: n for n, row in enumerate(self.rows)}

    def printed(self, row: str, indicator: str, t: int) -> float | None:
        """What the row `row` (or "total") shows in month `t`; None where it has no row any more."""
        if row in self.merged_at and t >= self.merged_at[row]:
            return None
        if row == "total":
            members = self.rows
        else:
            members = [row, *(r for r, into in self.merged_into.items() if into == row and t >= self.merged_at[r])]
        return self.sum_of(members, indicator, t)

    def sum_of(self, members: list[str], indicator: str, t: int) -> float:
        """An indicator of several rows together: the sum, or the ratio of the sums."""
        if indicator in self.ratios:
            above, below = self.ratios[indicator]
            return self.sum_of(members, above, t) / sum(self.sum_of(members, b, t) for b in below)
        if len(members) == 1:
            return float(self.values[indicator][self._at[members[0]], t])
        return float(self.values[indicator][[self._at[m] for m in members], t].sum())

    def panel(self, row: str, indicator: str, t: int) -> float:
        """The branch as the panel has it: with those that merged into it, in all months."""
        members = [row, *(r for r, into in self.merged_into.items() if into == row)] if row != "total" else self.rows
        return self.sum_of(members, indicator, t)


def grow(seed: int, rows: list[str], months: list[tuple[int, int]], ratios: dict, merged_into: dict[str, str],
         merged_at: dict[str, int]) -> Truth:
    """Simulate all indicators of all rows."""
    weights = np.array([WEIGHTS.get(r, EXTRA_WEIGHT) for r in rows])
    values: dict[str, np.ndarray] = {}
    for name, stock in STOCKS.items():
        values[name], new = _stock(seed, name, stock, rows, weights, months)
        if name in STOCKS_WITH_NEW:
            values[f"{name}_new"] = new
    for name, flow in FLOWS.items():
        values[name] = _flow(seed, name, flow, rows, weights, months)
    for name, rate in RATES.items():
        values[rate.part] = _part(seed, name, rate, rows, values[rate.of])
    values["etxn_total"] = sum(values[c] for c in ("personal_online_txn", "corporate_online_txn", "phone_txn",
                                                   "mobile_txn", "key_customer_txn"))
    values["income_total"] = sum(values[c] for c in ("sms_income", "personal_online_income",
                                                     "corporate_online_income"))
    return Truth(rows, months, values, ratios, merged_into, merged_at)


def _deviation(seed: int, name: str, rows: list[str], sd: float) -> np.ndarray:
    """A branch's own deviation (log); the case branch has none, so that its facts do not hang on the seed."""
    own = stream(seed, name).normal(0, sd, len(rows))
    return np.where(np.array(rows) == CASE, 0.0, own)[:, None]


def _shocks(seed: int, name: str, rows: list[str], months: int, common: float) -> np.ndarray:
    """Standard normal shocks, rows x months, correlated between branches by `common`."""
    draw = stream(seed, name)
    shared = draw.normal(size=(1, months))
    own = draw.normal(size=(len(rows), months))
    return np.sqrt(common) * shared + np.sqrt(1 - common) * own


def _stock(seed, name, stock, rows, weights, months):
    count = len(months)
    pushes = [p for p in PUSHES if p.indicator == name and p.branch in rows and p.month in months]
    start = stock.start * weights * np.exp(_deviation(seed, f"{name} level", rows, 0.12))[:, 0]
    for p in pushes:
        start[rows.index(p.branch)] *= p.before
    pace = np.linspace(*stock.growth, MONTHS)[:count]
    pace = np.append(pace, stock.growth[1] * MONTHS / np.arange(MONTHS, max(count, MONTHS)))  # later: slower and slower
    season = day_factor(months, SIGNING_DAYS) * np.array([
        stock.quarter if m % 3 == 0 else NEW_YEAR_PUSH if m == 1 else AFTER_QUARTER if m % 3 == 1 else 1.0
        for _, m in months])
    shocks = _shocks(seed, f"{name} new", rows, count, stock.common)
    rate = (pace * season * np.exp(_deviation(seed, f"{name} growth", rows, 0.10))
            * np.exp(stock.noise * shocks - stock.noise**2 / 2))
    strength = stream(seed, f"{name} push").uniform(0.97, 1.03, len(PUSHES))
    level = np.zeros((len(rows), count))
    new = np.zeros_like(level)
    before = np.round(start)
    for t in range(count):
        new[:, t] = np.maximum(1, np.round(before * rate[:, t]))
        for n, p in enumerate(pushes):
            if p.month == months[t]:
                at = rows.index(p.branch)
                new[at, t] = np.round(before[at] * (p.factor * strength[n] - 1))
        level[:, t] = before = before + new[:, t]
    if stock.wobble:
        ends = np.array([m % 3 == 0 for _, m in months])
        level = np.round(level * np.exp(stock.wobble * _shocks(seed, f"{name} wobble", rows, count, 0.2)
                                        + stock.quarter_level * ends))
    return level, new


def _flow(seed, name, flow, rows, weights, months):
    count = len(months)
    def path(slopes):
        steps = np.array([slopes[min(y, max(slopes))] / 12 for y, _ in months])
        return np.cumsum(steps) - steps[0]

    growth = np.exp(_deviation(seed, f"{name} growth", rows, 0.08))
    log = path(flow.growth) * growth
    if flow.case and CASE in rows:
        log[rows.index(CASE)] = path(flow.case)
    ramp = np.minimum(np.arange(count) / (MONTHS - 1), 1.0)
    sd = flow.noise[0] + ramp * (flow.noise[1] - flow.noise[0])
    push = flow.quarter[0] + ramp * (flow.quarter[1] - flow.quarter[0])
    ends = np.array([1.0 if m % 3 == 0 else -0.3 if m % 3 == 1 else 0.0 for _, m in months])
    log = (log + np.log(day_factor(months, DAYS[flow.days])) + push * ends
           + sd * _shocks(seed, f"{name} month", rows, count, flow.common)
           + _deviation(seed, f"{name} level", rows, 0.12))
    return np.maximum(1, np.round(flow.start * weights[:, None] * np.exp(log)))


def _part(seed, name, rate, rows, whole):
    count = whole.shape[1]
    ramp = np.minimum(np.arange(count) / (MONTHS - 1), 1.15)
    low, high = np.log(rate.start / (1 - rate.start)), np.log(rate.end / (1 - rate.end))
    logit = (low + (high - low) * ramp + _deviation(seed, f"{name} level", rows, 0.10)
             + rate.noise * _shocks(seed, f"{name} month", rows, count, 0.3))
    return np.minimum(whole, np.round(whole / (1 + np.exp(-logit))))
