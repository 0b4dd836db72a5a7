"""Write branches.csv of the two tables: every printed bank is a branch, the names of one bank are its aliases.

Run from anywhere: ``python tests/rbi/make_branches.py FOLDER`` with the folder that holds the reference data's ``rbi``.
The 51 large banks are named by ``bank_name_map.csv``. Every other printed name is a bank of its own: spellings are not
guessed at, only folded (letter case, spaces, dots) - "BARCLAYS" and "BARCLAYS BANK PLC" stay two.
"""

import csv
import gzip
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEAD = ["branch", "zh", "en", "role", "aliases", "merged_into", "merged_month"]
TABLES = {"neft": "neft_bank_month_raw.csv.gz", "mobile": "mobile_bank_month_raw.csv.gz"}


def slug(name):
    """An id: the name's letters and digits in lower case, joined by dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("&", " and ")).strip("-")[:64]


def canonical_names(folder, table):
    with (folder / "bank_name_map.csv").open(encoding="utf-8", newline="") as stream:
        return {r["name_as_printed"]: r["canonical_bank"] for r in csv.DictReader(stream) if r["table"] == table}


def branches(folder, table):
    """Return the rows of a table's branches.csv, in the order in which the banks first appear."""
    canonical = canonical_names(folder, table)
    groups = {}
    with gzip.open(folder / TABLES[table], "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            printed, role = row["bank_raw"], "total" if row["row_type"] == "total" else "branch"
            name = "All banks" if role == "total" else canonical.get(printed) or printed
            _, label, aliases = groups.setdefault(slug(name).replace("-", ""), (role, name, {}))
            if printed != label:
                aliases[printed] = None
    rows = []
    for role, label, aliases in sorted(groups.values(), key=lambda group: group[0] != "total"):
        zh = "全部银行合计" if role == "total" else label
        rows.append([slug(label), zh, label, role, list(aliases), "", ""])
    return rows


def main(folder):
    for table in TABLES:
        with (HERE / table / "branches.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(HEAD)
            for row in branches(Path(folder), table):
                writer.writerow([*row[:4], ";".join(row[4]), *row[5:]])


if __name__ == "__main__":
    main(sys.argv[1])
