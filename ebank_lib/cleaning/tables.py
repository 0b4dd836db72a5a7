"""Tables of a cleaning on their way out, and as the store keeps them."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd

from ..catalog import Catalog
from .ledger import safe_for_spreadsheets


def long_panel(panel: pd.DataFrame, trusted: pd.DataFrame, catalog: Catalog, lang: str | None) -> pd.DataFrame:
    """Return a panel's numbers, see :meth:`~ebank_lib.cleaning.Cleaned.to_frame`."""
    values, omitted = panel.to_numpy(float), trusted.isna().to_numpy()
    row, column = np.nonzero(~np.isnan(values))
    units = np.array([catalog.unit_label(key, lang) for key in panel.columns], object)
    found = {name: panel.index.get_level_values(name)[row] for name in ("branch", "month")}
    return pd.DataFrame({**found, "indicator": panel.columns[column], "unit": units[column],
                         "value": values[row, column], "doubtful": omitted[row, column]})


def csv_of(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV in UTF-8 with a mark that spreadsheets know; no text can be taken for a formula."""
    safe = safe_for_spreadsheets(frame.assign(month=frame["month"].astype(str)))
    return safe.to_csv(index=False, lineterminator="\n").encode("utf-8-sig", "replace")


def table_files(name: str, frame: pd.DataFrame) -> dict[str, bytes]:
    """Return a table with a column `month` as ``NAME.csv`` and ``NAME.parquet``: the same bytes for the same table."""
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(frame.assign(month=frame["month"].astype(str)), preserve_index=False)
    buffer = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(None), buffer, compression="zstd", store_schema=False)
    return {f"{name}.csv": csv_of(frame), f"{name}.parquet": buffer.getvalue()}


def packed(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables as they are kept: the panel's index as columns, for Arrow reads a column of months back as
    months, and a level of them as numbers where nothing asked for months before; what a decision was based on as JSON.
    """
    entries = tables["entries"]
    texts = [json.dumps(detail, ensure_ascii=False) for detail in entries["detail"]]
    return tables | {"panel": tables["panel"].reset_index(),
                     "entries": entries.assign(detail=pd.Series(texts, dtype="str"))}


def unpacked(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return tables as :func:`packed` had them."""
    codes, texts = pd.factorize(tables["entries"]["detail"])
    details = np.array([*map(json.loads, texts), None], object)
    panel = tables["panel"]
    index = [pd.Index(panel["branch"].unique(), name="branch"), pd.PeriodIndex(panel["month"].unique(), name="month")]
    return tables | {"panel": panel.drop(columns=["branch", "month"]).set_axis(pd.MultiIndex.from_product(index)),
                     "entries": tables["entries"].assign(detail=details[codes])}
