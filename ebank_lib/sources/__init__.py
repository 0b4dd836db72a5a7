"""Workbooks, CSV, Parquet, databases and DataFrames become cells exactly as printed, each with its address.

A ``sources.yaml`` beside the files says how to read them; see :func:`open_source`.
"""

from .frame import from_frame
from .source import Source, open_source

__all__ = ["Source", "from_frame", "open_source"]
