"""A register of problems held against figures: by rules that can also say no, or that the data cannot say."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ebank_lib.catalog import load_catalog
from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.events import calendar_regressors
from ebank_lib.reference import reference_facts
from ebank_lib.rules import PROBLEMS, assess_problems, load_problems
from ebank_lib.rules.statistics import instability_after_events

MONTHS = pd.period_range("2008-01", periods=44, freq="M")
CONSTANT = np.ones(44)


@pytest.fixture(scope="module")
def catalog(root):
    return load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv")


@pytest.fixture
def judge(tmp_path, catalog):
    """Hold entries against rizhao's figures; other branches by `others`: branch -> frame."""
    def run(frame, *entries, others=None, events=()):
        path = tmp_path / "problems.yaml"
        path.write_text(json.dumps({"entries": list(entries)}), encoding="utf-8")
        frames = {b: pd.DataFrame(f, index=MONTHS, dtype=float) for b, f in {"rizhao": frame, **(others or {})}.items()}
        panel = pd.concat(frames, names=["branch", "month"])
        source = SimpleNamespace(config=SimpleNamespace(events=list(events), problems=None, calendar="china"))
        cleaned = SimpleNamespace(catalog=catalog, panel=panel, source=source, branches=list(frames))
        return assess_problems(cleaned, "rizhao", path)
    return run


def rule(statistic, indicators, compare, value, **more):
    return {"statistic": statistic, "indicators": indicators, "compare": compare, "value": value, "zh": "理由",
            "en": "reason", **more}


def entry(*rules, key="one", kind="problem", **more):
    return {"key": key, "kind": kind, "zh": "论断", "en": "statement", "rules": list(rules), **more}


def event(month, zh="系统升级", en="system change", indicators=(), branches=()):
    return SimpleNamespace(month=month, zh=zh, en=en, indicators=list(indicators), branches=list(branches))


# --- the study's register on the sample

def test_all_eleven_problems_of_the_study_have_a_row_for_every_branch(cleaned):
    for branch in cleaned.catalog.reporting[::4]:
        found = assess_problems(cleaned, branch)
        problems = found.table[found.table["kind"] == "problem"]
        assert problems["number"].tolist() == list(range(1, 12))
        assert set(found.table["verdict"]) <= {"shows", "not", "unknown"}
        told = found.table[found.table["verdict"] != "unknown"]
        assert np.isfinite(told[["value", "threshold"]].to_numpy(float)).all()
        assert (found.table.loc[found.table["verdict"] == "unknown", "missing"] != "").all()


@pytest.mark.parametrize("key", ["few_distinctive", "slow_development", "under_investment", "appraisal_by_line",
                                 "weak_brand"])
def test_what_no_indicator_shows_is_not_guessed_and_says_what_is_needed(cleaned, key):
    found = assess_problems(cleaned, "rizhao")
    row = found.table.set_index("problem").loc[key]
    assert (row["verdict"], row["missing"]) == ("unknown", "not_measured")
    at = found.table["problem"].tolist().index(key)
    zh, en = (found.labelled(lang).iloc[at] for lang in ("zh", "en"))
    assert zh["verdict"] == "现有数据无法判断" and "needed:" in en["reason"] and en["figure"] == en["threshold"] == "–"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_row_has_figure_threshold_and_reason_in_words(cleaned, lang):
    found = assess_problems(cleaned, "rizhao")
    html, words = found.to_html(lang), found.labelled(lang)
    assert html.count("<tr>") == len(found.table) + 1 and "nan" not in html
    for said in words.to_dict("records"):
        assert "{" not in "".join(map(str, said.values())) and said["reason"] and said["statement"]
    told = words[(found.table["verdict"] != "unknown").to_numpy()]
    assert (told[["figure", "threshold"]] != "–").all(axis=None)
    assert len(found.labelled(lang, "risk")) == (found.table["kind"] == "risk").sum()
    with pytest.raises(UnknownNameError, match="unknown kind of entry 'risks'. Did you mean 'risk'"):
        found.labelled(lang, "risks")


def test_the_reading_counts_verdicts_and_knows_which_rows_it_counts(cleaned):
    found = assess_problems(cleaned, "rizhao")
    said, mine = found.reading("en", "risk"), found.table[found.table["kind"] == "risk"]
    count = mine["verdict"].value_counts()
    assert said == (f"Rizhao: of {len(mine)} risks {count['shows']} show, {count.get('not', 0)} do not show, and of "
                    f"{count['unknown']} the data cannot say.")
    assert [dict(ref.rows) for _, _, (ref,) in said.cells] == [{"kind": "risk"}, *(
        {"kind": "risk", "verdict": v} for v in ("shows", "not", "unknown"))]


def test_figures_of_the_sample_can_be_found_in_the_panel(cleaned):
    found = assess_problems(cleaned, "rizhao").table.set_index("problem")
    mine = cleaned.panel.loc["rizhao"]
    lines = mine[["sms_income", "personal_online_income", "corporate_online_income"]].tail(12).mean()
    assert found.loc["income_concentration", "value"] == pytest.approx(lines.max() / lines.sum())
    assert found.loc["customer_habits", "value"] == pytest.approx(mine["mobile_activity"].tail(12).mean())
    # The change of volatility agrees with the study's fifth fact, which holds on the sample.
    assert found.loc["rising_volatility", "verdict"] == "shows"


def test_thresholds_that_cite_the_world_are_the_published_figures(root, catalog):
    facts = reference_facts().table.set_index("id")["value"]
    rules = {e.key: e.rules for e in load_problems(root / "data" / "problems.yaml", catalog)}
    assert rules["behind_leaders"][0].value == facts["icbc-2010-share"]
    assert rules["grows_faster"][0].value == facts["pboc-2010-online-count-growth"]
    assert rules["grows_faster"][1].value == facts["pboc-2010-mobile-count-growth"]


def test_a_source_without_a_register_says_so(cleaned):
    bare = SimpleNamespace(catalog=cleaned.catalog, panel=cleaned.panel,
                           source=SimpleNamespace(config=SimpleNamespace(problems=None, events=[])))
    found = assess_problems(bare, "rizhao")
    assert found.table.empty and found.labelled("en").empty and "lists no problems" in found.reading("en")


# --- each statistic has its closed form

def test_level_and_share_and_growth(judge):
    t = np.arange(44)
    frame = {"echannel_share": 0.4 + 0.001 * t, "sms": 100 + t, "mobile_txn": np.where(t < 32, 10.0, 15.0),
             "phone_txn": CONSTANT * 5, "etxn_total": np.where(t < 32, 15.0, 20.0)}
    found = judge(frame, entry(rule("level", ["echannel_share"], "below", 0.5)),
                  entry(rule("share_of", ["phone_txn"], "above", 0.3, of=["etxn_total"]), key="two"),
                  entry(rule("growth_12m", ["mobile_txn"], "above", 0.4), key="three"),
                  entry(rule("growth_12m", ["sms"], "above", 0.4), key="four")).table
    assert found["value"].tolist() == pytest.approx([0.4 + 0.001 * 37.5, 0.25, 0.5, 143 / 131 - 1])
    assert found["verdict"].tolist() == ["shows", "not", "shows", "not"]


def test_concentration(judge):
    lines = ["sms_income", "personal_online_income", "corporate_online_income"]
    frame = {k: CONSTANT * v for k, v in zip(lines, (60.0, 30.0, 10.0))}
    found = judge(frame, entry(rule("top_share", lines, "above", 0.5)),
                  entry(rule("herfindahl", lines, "above", 0.5), key="two"))
    assert found.table["value"].tolist() == pytest.approx([0.6, 0.36 + 0.09 + 0.01])
    assert found.table["item"].tolist() == ["sms_income", ""] and found.table["verdict"].tolist() == ["shows", "not"]


def test_a_push_is_the_largest_month_s_part_of_all_growth(judge):
    steps = np.r_[0, np.full(43, 10.0)]
    steps[9] = 290.0
    frame = {"sms": 1000 + np.cumsum(steps), "phone": 1000 - np.arange(44.0), "mobile": 1000 + 10 * np.arange(44.0)}
    frame["mobile"][20] = np.nan      # a lost month is no push: the change over it is spread
    found = judge(frame, entry(rule("push_share", ["sms", "mobile"], "above", 0.25)),
                  entry(rule("push_share", ["mobile"], "above", 0.25), key="two"),
                  entry(rule("push_share", ["phone"], "above", 0.25), key="three")).table
    assert found["value"].tolist()[:2] == pytest.approx([290 / 710, 1 / 43])
    assert found["item"].tolist() == ["sms", "mobile", ""]
    assert found["verdict"].tolist() == ["shows", "not", "unknown"] and found["missing"].iloc[2] == "no_growth"


def test_position_in_the_province(judge, catalog):
    others = {b: {"mobile_txn": CONSTANT * k, "mobile": CONSTANT, "mobile_activity": CONSTANT * 0.5}
              for k, b in enumerate(b for b in catalog.reporting if b != "rizhao")}
    mine = {"mobile_txn": CONSTANT * 2.5, "mobile": CONSTANT * 5, "mobile_activity": CONSTANT * 0.4}
    found = judge(mine, entry(rule("percentile", ["mobile_txn"], "below", 0.25)),
                  entry(rule("percentile", ["mobile_txn"], "below", 0.25, of=["mobile"]), key="two"),
                  entry(rule("gap_months", ["mobile_activity"], "above", 12), key="three"), others=others).table
    # Three branches (0, 1, 2) lie below 2.5 of 15 others; per customer 0.5 only one does.
    assert found["value"].tolist() == pytest.approx([3 / 15, 1 / 15, 43])
    assert (found["verdict"] == "shows").all() and (found["lo"].iloc[:2] < found["value"].iloc[:2]).all()
    alone = judge(mine, entry(rule("percentile", ["mobile_txn"], "below", 0.25)))
    assert alone.table["missing"].tolist() == ["no_peers"] and "too few branches" in alone.labelled("en")["reason"][0]


def test_volatility_needs_its_whole_interval_beyond_the_threshold(judge):
    rng = np.random.default_rng(2)

    def path(first, second):
        return 1e5 * np.exp(np.cumsum(np.r_[0, first * rng.normal(size=21), second * rng.normal(size=22)]))
    ask = rule("volatility_change", ["sms_income"], "above", 1)
    verdicts = [judge({"sms_income": path(*sd)}, entry(ask)).table.iloc[0]
                for sd in ((0.02, 0.1), (0.1, 0.02), (0.05, 0.055))]
    assert [v["verdict"] for v in verdicts] == ["shows", "not", "unknown"]
    assert verdicts[2]["missing"] == "straddles" and verdicts[2]["lo"] < 1 < verdicts[2]["hi"]


def test_instability_is_looked_for_after_system_events_only(judge):
    growth = np.r_[0, 0.02 + 0.01 * np.cos(np.arange(43) * 2.0)]
    growth[20] -= 0.5
    frame = {"phone_txn": 1e4 * np.exp(np.cumsum(growth))}
    ask = entry(rule("instability_after_events", ["phone_txn"], "below", 0.1, words=["系统", "outage"]))
    verdict = {name: judge(frame, ask, events=events).table.iloc[0] for name, events in {
        "at": [event("2009-08")], "elsewhere": [event("2010-10")], "push": [event("2009-08", "推广", "push")],
        "other": [event("2009-08", branches=["jinan"])], "none": []}.items()}
    assert {k: v["verdict"] for k, v in verdict.items()} == {"at": "shows", "elsewhere": "not", "push": "unknown",
                                                            "other": "unknown", "none": "unknown"}
    # The furthest of 43 months is one of the three with the event: as likely as three in 43 where nothing happened.
    assert verdict["at"]["value"] == pytest.approx(3 / 43) and verdict["at"]["item"] == "phone_txn"
    assert verdict["none"]["missing"] == "no_events"
    many = judge(frame, ask, events=[event(m) for m in ("2009-08", "2010-10")]).table.iloc[0]
    assert (many["verdict"], many["missing"]) == ("unknown", "too_few")     # six of 43 hold the furthest too often


@pytest.mark.parametrize(("month", "degrees"), [("2009-01", 3), ("2009-06", 1000), ("2010-12", 3)])
def test_without_an_event_one_branch_in_ten_is_called_unstable_at_most(judge, month, degrees):
    """Seasons, a festival that moves (felt 20 days before, not the 10 that are taken out) and shocks with tails, in
    four indicators; 15.2% are three standard errors above 10% of 300."""
    rng, keys = np.random.default_rng(7), ["personal_online_txn", "corporate_online_txn", "phone_txn", "mobile_txn"]
    felt = calendar_regressors(MONTHS, "china", 20, 10)["festival"].to_numpy()[:, None]
    draw = stats.t(degrees).rvs((300, 44, 4), random_state=rng)
    season = np.tile(0.1 * rng.normal(size=(300, 12, 4)), (1, 4, 1))[:, :44]
    logs = 9 + np.cumsum(0.02 + 0.05 * draw, axis=1) + season - 0.2 * felt
    source = SimpleNamespace(config=SimpleNamespace(events=[event(month)], calendar="china"))
    asked = SimpleNamespace(cleaned=SimpleNamespace(source=source), branch="rizhao",
                            rule=SimpleNamespace(indicators=keys, words=["系统"], value=0.1))

    def chance(one):
        return instability_after_events(SimpleNamespace(**vars(asked), frame=pd.DataFrame(np.exp(one), MONTHS, keys)))

    assert np.mean([chance(one).value < 0.1 for one in logs]) < 0.152
    at = MONTHS.get_loc(pd.Period(month, "M")) + 1
    logs[:, at:, 0] -= 0.8
    assert np.mean([chance(one).value < 0.1 for one in logs[:100]]) > 0.5


# --- verdicts come together

def test_any_and_all_and_the_unknown(judge):
    frame = {"echannel_share": CONSTANT * 0.4, "investment_share": CONSTANT * 0.6, "coverage": CONSTANT * np.nan}
    yes, no, void = (rule("level", [k], "below", 0.5) for k in ("echannel_share", "investment_share", "coverage"))
    cases = [("any", (yes, void), "shows"), ("any", (no, void), "unknown"), ("any", (no, no), "not"),
             ("all", (yes, yes), "shows"), ("all", (yes, void), "unknown"), ("all", (no, void), "not")]
    for shows, rules, expected in cases:
        assert judge(frame, entry(*rules, shows=shows)).table["verdict"].tolist() == [expected]
    either = judge(frame, entry(rule("level", ["investment_share", "coverage"], "below", 0.5)))
    assert either.table["missing"].tolist() == ["too_few"]


def test_a_rule_that_covers_only_a_part_refutes_nothing(judge):
    frame = {"investment_share": CONSTANT * 0.6}
    found = judge(frame, entry(rule("level", ["investment_share"], "below", 0.5, otherwise="unknown")))
    assert found.table.iloc[0][["verdict", "missing"]].tolist() == ["unknown", "partly"]
    assert judge({"investment_share": CONSTANT * 0.4}, entry(rule("level", ["investment_share"], "below", 0.5,
                                                                  otherwise="unknown"))).table["verdict"][0] == "shows"


def test_a_branch_that_opened_last_year_is_not_judged_by_months_it_does_not_have(judge):
    young = np.where(np.arange(44) < 36, np.nan, 100.0 + np.arange(44))
    keys = {"level": "echannel_share", "push_share": "sms", "top_share": "sms_income", "growth_12m": "sms",
            "volatility_change": "sms_income", "gap_months": "sms_income"}
    found = judge(dict.fromkeys(keys.values(), young),
                  *(entry(rule(s, [k], "above", 0.5), key=f"e{n}") for n, (s, k) in enumerate(keys.items())))
    assert (found.table["verdict"] == "unknown").all() and set(found.table["missing"]) == {"too_few"}


# --- the file

@pytest.mark.parametrize(("wrong", "error", "says"), [
    (entry(rule("levl", ["coverage"], "below", 0.5)), UnknownNameError, "Did you mean 'level'"),
    (entry(rule("level", ["coverag"], "below", 0.5)), UnknownNameError, "Did you mean 'coverage'"),
    (entry(rule("level", ["sms"], "below", 0.5)), ConfigError,
     "cannot be asked of this indicator; found 'sms: stock'; expected ratio"),
    (entry(rule("level", ["coverage"], "under", 0.5)), ConfigError, "rules.0.compare"),
    (entry(rule("percentile", ["coverage"], "below", 25)), ConfigError, "expected 0 to 1"),
    (entry(rule("share_of", ["sms"], "below", 0.5)), ConfigError, "parts of the whole"),
    (entry(rule("level", ["coverage"], "below", 0.5, of=["sms"])), ConfigError, "no `of`"),
    (entry(rule("instability_after_events", ["sms"], "below", 0.1)), ConfigError, "words"),
    (entry(rule("level", ["coverage"], "below", 0.5, treshold=1)), ConfigError, "treshold"),
    (entry(), ConfigError, "has neither rules nor needs"),
    (entry(rule("level", ["coverage"], "below", 0.5), kind="issue"), ConfigError, "entries.0.kind"),
])
def test_a_wrong_register_is_an_error_that_names_the_place(judge, wrong, error, says):
    with pytest.raises(error, match=says) as caught:
        judge({"coverage": CONSTANT}, wrong)
    assert "problems.yaml" in str(caught.value) and caught.value.key.startswith("entries.0")


def test_a_key_or_a_number_stands_once(judge):
    one = entry(rule("level", ["coverage"], "below", 0.5), number=1)
    with pytest.raises(ConfigError, match="stands twice"):
        judge({"coverage": CONSTANT}, one, one)
    with pytest.raises(ConfigError, match="stands twice"):
        judge({"coverage": CONSTANT}, one, one | {"key": "two"})
    judge({"coverage": CONSTANT}, one, one | {"key": "two", "kind": "risk"})


@pytest.mark.parametrize(("text", "says"), [
    ("entries:\n\t- {key: a}\n", "is not plain YAML"), ("entries: !!python/object:os.system [x]\n", "plain YAML"),
    ("a: &a [1, 1]\nentries: [*a, *a]\n", "alias"), ("entries: [\n", "plain YAML"), ("[1, 2]\n", "no mapping"),
    ("entries: []\n", "entries"), ("entries: " + "[" * 30 + "]" * 30, "nesting")])
def test_hostile_yaml_is_refused(tmp_path, catalog, text, says):
    path = tmp_path / "problems.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        load_problems(path, catalog)


def test_every_statistic_is_used_or_tested_and_worded(root, catalog):
    used = {r.statistic for e in load_problems(root / "data" / "problems.yaml", catalog) for r in e.rules}
    assert used <= set(PROBLEMS) and set(PROBLEMS) - used == {"share_of"}
