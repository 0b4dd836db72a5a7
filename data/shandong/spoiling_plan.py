"""Which mistakes are made, how many of each, and which ledger rules may notice them."""

from __future__ import annotations

from growth_paths import stream
from printing import SHEETS

# How many of each kind in 17 branches x 44 months (runs of cells for the text kinds); scaled with the size asked for.
COUNTS = {
    "unit_silent": 7, "swap": 6, "stale_row": 5, "subtotal_row": 4, "heading_row": 3,
    "decimal": 48, "blank": 44, "dash": 36, "spike": 40, "stale_cell": 24, "merged_cell": 22, "total_off": 30,
    "full_width": 26, "thousands": 36, "note": 40, "text_number": 36, "inline_unit": 30,
}
PER_FILE = ("unit_silent", "subtotal_row", "heading_row")  # these do not grow with the number of branches
WIDEST = 2.5  # the others do, up to this many times: two in one column of a month would prove nothing
TRIES = 200  # draws for each one wanted; a sample too small to hold them all gets fewer

# Columns printed in another unit that the heading names, each in a month of its own: a customer column at random
# (None) or these indicators; unit; decimals.
_COUNTED = tuple(c.indicator for c in SHEETS["交易"] if c.unit == "笔")
_FEES = tuple(c.indicator for c in SHEETS["收入"] if c.unit == "元")
STATED = (
    (_COUNTED, "万笔", 4), (_FEES, "万元", 4), (_FEES, "万元", 2), (("echannel_counter_ratio",), "倍", 4),
    (_FEES, "千元", 3), (("investment_sales", "investment_sales_e"), "元", 2), *((None, "万户", 4),) * 5,
)

# Names that the branches went by for a while (first and last month).
ALIASES = (
    ("linyi", "临沂市分行", (2009, 3), (2009, 8)), ("linyi", "沂蒙分行", (2010, 4), (2010, 8)),
    ("yantai", "烟台", (2008, 9), (2008, 10)), ("rizhao", "日 照 分行", (2009, 5), (2009, 6)),
    ("taian", "　泰安分行", (2011, 5), (2011, 5)), ("weifang", "潍坊分行 ", (2010, 11), (2010, 11)),
    ("jinan", "济南市分行", (2011, 1), (2011, 2)),
)
SUBTOTALS = (("鲁东小计", "weihai", ("yantai", "weifang", "weihai")), ("鲁中小计", "laiwu", ("jinan", "zibo", "laiwu")),
             ("鲁西小计", "heze", ("dezhou", "liaocheng", "heze")))

# Figures that prove each other.
FAMILIES = {
    "personal_online": ("personal_online", "personal_online_new", "personal_online_active", "personal_online_activity"),
    "corporate_online": ("corporate_online", "corporate_online_new"), "phone": ("phone", "phone_new"),
    "mobile": ("mobile", "mobile_new", "mobile_active", "mobile_activity"), "sms": ("sms", "sms_new"),
    "accounts": ("corporate_accounts_new", "corporate_accounts_new_signed", "synchronisation"),
    "existing": ("corporate_existing", "corporate_existing_signed", "conversion"),
    "affluent": ("affluent", "affluent_signed", "coverage"),
    "mortgage": ("mortgage", "mortgage_signed", "mortgage_coverage"),
    "transactions": tuple(c.indicator for c in SHEETS["交易"]),
    "income": ("sms_income", "personal_online_income", "corporate_online_income", "income_total"),
    "sales": ("investment_sales", "investment_sales_e", "investment_share"),
}
FAMILY = {indicator: family for family, members in FAMILIES.items() for indicator in members}
CHANGE = ("personal_online", "corporate_online", "phone", "mobile", "sms")
WITHIN = ("personal_online", "mobile", "accounts", "existing", "affluent", "mortgage", "sales")
RATIOS = {c.indicator for columns in SHEETS.values() for c in columns if c.unit == "%"}
FULL_WIDTH = str.maketrans("0123456789.,-", "０１２３４５６７８９．，－")
MARKS = ("*", "*", "**", "＊", "(注1)", "（注2）", "(注2)", "①")
DASHES = ("-", "-", "--", "—", "－", "–")


def ratio(indicator: str) -> bool:
    """Whether it is printed in per cent."""
    return indicator in RATIOS


def proofs(indicator: str) -> str:
    """The ledger rules that may notice a wrong number of this indicator."""
    family, rules = FAMILY[indicator], []
    if family in ("transactions", "income") and not ratio(indicator) and indicator != "counter_txn":
        rules.append("sum_mismatch")
    if family in CHANGE and indicator in (family, f"{family}_new"):
        rules.append("change_mismatch")
    if family in WITHIN and not indicator.endswith("_new"):
        rules.append("within_mismatch")
    if family in (*WITHIN, "transactions"):
        rules.append("ratio_mismatch")
    if not ratio(indicator):
        rules += ["total_mismatch", "from_identity"]
    return "|".join(rules)


def stated_units(seed: int, open_months: list[int]) -> dict[tuple[str, int], tuple[str, int]]:
    """Which columns are printed in another unit: (indicator, month) -> unit, decimals."""
    draw = stream(seed, "stated units")
    months = [int(t) for t in draw.permutation(open_months)]
    amounts = [c.indicator for c in SHEETS["客户"] if c.unit == "户"]
    result: dict[tuple[str, int], tuple[str, int]] = {}
    for (indicators, unit, decimals), t in zip(STATED, months, strict=False):
        for indicator in indicators or [amounts[draw.integers(len(amounts))]]:
            result[indicator, t] = (unit, decimals)
    return result
