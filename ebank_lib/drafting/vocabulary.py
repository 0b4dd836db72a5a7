"""The words by which a draft tells what stands where, from ``vocabulary.yaml``."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from ..config import read_yaml


@cache
def words(name: str) -> re.Pattern:
    """Return the pattern of one entry.

    Examples
    --------
    >>> bool(words("branch").search("莲湖支行")), bool(words("branch").search("手机银行"))
    (True, False)
    """
    return re.compile("|".join(read_yaml(Path(__file__).with_name("vocabulary.yaml"))[name]), re.IGNORECASE)
