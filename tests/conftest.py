"""What every test may ask for. Nothing here copies reference data; tests that need it skip where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The reference data that lie beside the project, never in it."""
    folder = Path(os.environ.get("EBANK_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"reference data absent: {folder}")
    return folder


@pytest.fixture(scope="session")
def shandong():
    """The sample's source, opened."""
    from ebank_lib.sources import open_source

    return open_source(ROOT / "data" / "shandong")


@pytest.fixture(scope="session")
def cleaned(shandong):
    """The sample, cleaned with the default policy."""
    from ebank_lib.cleaning import clean

    return clean(shandong)


@pytest.fixture(autouse=True)
def _language_restored():
    """A test that changes the language does not change the next test's."""
    from ebank_lib.wording import language, use_language

    before = language()
    yield
    use_language(before)
