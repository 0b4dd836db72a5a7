"""An error is one printable line of bounded length, whatever was found, and quotes no password."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.errors import ConfigError, SourceError, UnknownNameError, nearest, quote

ANY = st.text(max_size=300) | st.sampled_from(["\0", "\x1b[2J", "\u202e", "a\nb", "\ud800", "x" * 200_000])


@given(texts=st.lists(ANY, min_size=6, max_size=6))
def test_it_is_one_printable_line(texts):
    file, key, found, expected, hint, known = texts
    for error in (SourceError("is wrong", file=file, key=key, found=found, expected=expected, hint=hint),
                  UnknownNameError("branch", found, [known, key] * 40, file=file, key=key)):
        assert all(c.isprintable() for c in str(error))
        assert len(str(error)) < 2_500


@pytest.mark.parametrize("text", [
    "postgresql://ann:s3cret@host:5432/db", "mysql+pymysql://ann:s3cret@host/db", "mssql://:s3cret@host",
    "sqlite:///file:x?mode=ro&password=s3cret&uri=true", "host=h user=u password=s3cret", "oracle://u:s3cr:s3cret@h/x",
])
def test_a_password_is_not_quoted(text):
    for error in (ConfigError("unknown", file=text, key=text, found=text, expected=text, hint=text),
                  UnknownNameError("url", text, [text])):
        assert "s3cret" not in str(error) and "***" in str(error)
    assert "s3cret" not in quote(text) and "s3cret" not in quote({"url": text})


def test_what_is_no_secret_is_quoted_as_it_is():
    for text in ("data/x.xlsx", "2010年3月：12:30@x", "a: b@c", "https://host/path", "mailto:ann@host"):
        assert quote(text) == repr(text)


def test_the_nearest_name_is_found_in_bounded_time():
    began = time.process_time()
    assert nearest("a" * 50_000, ["b" * 20_000 + "a" * 30_000]) is None
    assert nearest("onlien", ["x" * 90] * 100_000) is None
    assert nearest("onlien", ["online", "y" * 100_000]) == "online"
    assert time.process_time() - began < 5
