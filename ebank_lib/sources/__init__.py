"""Workbooks, CSV, Parquet, databases and DataFrames become cells exactly as printed, each with its address.

A ``sources.yaml`` beside the files says how to read them; see :func:`open_source`.
"""

from .source import Source, open_source

__all__ = ["Source", "open_source"]
