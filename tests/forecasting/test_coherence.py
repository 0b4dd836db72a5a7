"""Which indicators are forecast and how the others follow: every identity holds on every path."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebank_lib.catalog import Identity, load_catalog
from ebank_lib.errors import SeriesError
from ebank_lib.forecasting.coherence import Rule, follow, plan_of


@pytest.fixture(scope="module")
def catalog(root):
    return load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv")


def test_every_indicator_is_either_modelled_or_follows(catalog):
    plan = plan_of(catalog)
    assert set(plan.free) | set(plan.derived) == set(catalog.indicators) and not set(plan.free) & set(plan.derived)
    done = set(plan.free)
    for key, rule in plan.derived.items():
        assert done.issuperset(rule.parts)
        done.add(key)


def test_a_share_of_a_whole_is_modelled_and_its_numerator_follows(catalog):
    plan = plan_of(catalog)
    assert plan.derived["mobile_active"] == Rule("part", ("mobile_activity", "mobile"))
    assert plan.derived["echannel_share"].kind == "ratio" and plan.derived["mobile_new"].kind == "change"
    assert plan.movers("income_total") == ("sms_income", "personal_online_income", "corporate_online_income")


def test_relations_with_what_is_not_there_do_not_count(catalog):
    plan = plan_of(catalog, ["mobile_active", "mobile_activity", "etxn_total", "mobile_txn"])
    assert not plan.derived and plan.free == ("mobile_active", "mobile_activity", "mobile_txn", "etxn_total")


def test_a_stock_with_several_changes_follows_from_them(catalog):
    def of(*identities):
        return plan_of(type(catalog)(catalog.indicators, {}, {}, {}, identities, catalog.branches, ()))

    plan = of(Identity(kind="change", total="sms", parts=["sms_new", "phone_new"]))
    assert plan.derived["sms"] == Rule("level", ("sms_new", "phone_new"))
    ring = of(Identity(kind="sum", total="sms", parts=["phone"]), Identity(kind="sum", total="phone", parts=["sms"]))
    assert set(ring.derived) - set(plan_of(catalog).derived) == {"sms"}      # the second would close a ring


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_identities_hold_on_every_path(catalog, seed):
    plan, rng = plan_of(catalog), np.random.default_rng(seed)
    free = {k: rng.uniform(0.05, 0.95, (3, 5, 7)) * (1 if k in _SHARES else 1e5) for k in plan.free}
    last = {k: rng.uniform(1, 1e5, 3) for k in catalog.indicators}
    values = plan.complete(free, last)
    for identity in catalog.identities:
        parts, total = sum(values[p] for p in identity.parts), values[identity.total]
        if identity.kind == "sum":
            assert np.allclose(parts, total)
        elif identity.kind == "within":
            assert (parts <= total * (1 + 1e-12)).all()
        else:
            before = np.concatenate([np.broadcast_to(last[identity.total][:, None, None], (3, 1, 7)),
                                     total[:, :-1]], axis=1)
            assert np.allclose(total - before, parts)
    for ind in catalog.indicators.values():
        if ind.numerator:
            assert np.allclose(values[ind.key], values[ind.numerator] / sum(values[d] for d in ind.denominators))


_SHARES = ("personal_online_activity", "mobile_activity", "synchronisation", "conversion", "coverage",
           "mortgage_coverage", "investment_share")


def test_only_what_depends_on_a_change_is_computed_again(catalog):
    plan = plan_of(catalog)
    assert plan.touched(["mobile"]) == ["mobile_active", "mobile_new"]
    assert plan.touched(["mobile_txn"]) == ["etxn_total", "echannel_share", "echannel_counter_ratio"]
    assert plan.touched([]) == []


def test_a_ratio_over_nothing_is_no_number_and_a_missing_part_is_an_error(catalog):
    assert np.isnan(follow(Rule("ratio", ("a", "b")), {"a": np.ones((1, 1)), "b": np.zeros((1, 1))}, {})).all()
    with pytest.raises(SeriesError, match="missing"):
        plan_of(catalog).complete({}, {})
