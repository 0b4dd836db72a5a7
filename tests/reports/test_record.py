"""What a notebook says to its report: language and style first, pictures that are small and the same everywhere; tables
and lines of state as plain JSON inside the notebook, invisible."""

import io
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ebank_lib.charts import compact
from ebank_lib.display import describe
from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.reports.record import _png, record, setup, state, table_of
from ebank_lib.wording import language


def test_a_table_is_plain_json_with_kinds_and_headings():
    frame = pd.DataFrame({"branch": ["a", None], "n": [1, 2], "x": [0.1234567890123, np.inf], "ok": [True, False],
                          "share": [0.5, 0.25]}, index=pd.PeriodIndex(["2010-01", "2010-02"], freq="M", name="month"))
    made = table_of("t", describe(frame, kinds={"share": "percent"}, heads={"x": "X"}), "Title", "en")
    assert json.loads(json.dumps(made)) == made
    assert [c["kind"] for c in made["columns"]] == ["month", "text", "integer", "number", "flag", "percent"]
    assert [c["head"] for c in made["columns"]][:2] == ["Month", "Branch"] and made["columns"][3]["head"] == "X"
    assert made["rows"] == [["2010-01", "a", 1, 0.123456789, True, 0.5], ["2010-02", None, 2, None, False, 0.25]]


def test_a_result_is_recorded_by_its_table_and_a_series_by_its_values():
    class Result:
        table = pd.DataFrame({"a": [1]})

    assert table_of("t", Result())["rows"] == [[1]]
    assert table_of("t", pd.Series([1.5], name="y"))["columns"][0]["name"] == "y"


@pytest.mark.parametrize("call", [
    lambda: table_of("../x", pd.DataFrame()), lambda: table_of("t", 3),
    lambda: table_of("t" * 32, pd.DataFrame()),
])
def test_what_cannot_be_recorded_is_a_typed_error(call):
    with pytest.raises(ConfigError):
        call()


def test_an_empty_sentence_is_no_line(monkeypatch):
    said = []
    monkeypatch.setattr("ebank_lib.reports.record._publish", lambda *what: said.append(what))
    state("s", "")
    assert said == []
    state("s", "text")
    assert len(said) == 1


def test_outside_a_notebook_nothing_happens(capsys):
    record("t", pd.DataFrame({"a": [1]}))
    state("s", "text")
    assert capsys.readouterr().out == ""


# --- the first line, and pictures

def test_it_chooses_the_language():
    setup("en")
    assert language() == "en"
    with pytest.raises(UnknownNameError, match="zh, en"):
        setup("fr")


def test_pictures_are_palette_files_with_their_size_and_no_date():
    setup("zh")
    pictures = []
    for _ in range(2):
        fig, ax = plt.subplots(figsize=(5, 3))
        ax.plot([1, 2], label="日照")
        pictures.append(_png(fig))
        plt.close(fig)
    (data, size), again = pictures
    image = Image.open(io.BytesIO(data))
    assert image.mode == "P" and not image.info.get("Software")
    assert size == {"width": 500, "height": 300}
    assert (data, size) == again


def test_a_picture_is_drawn_once_and_is_what_matplotlib_would_save():
    setup("zh")
    fig, axes = plt.subplots(2, 2, figsize=(5, 3))
    axes[0, 0].set_title("日照")
    times, draw = [], type(fig).draw
    fig.draw = lambda renderer: (times.append(1), draw(fig, renderer))
    data, _ = _png(fig)
    assert len(times) == 1
    saved = io.BytesIO()
    fig.savefig(saved, format="png")
    plt.close(fig)
    drawn, saved = (np.asarray(Image.open(f).convert("RGB"), int) for f in (io.BytesIO(data), saved))
    assert drawn.shape == saved.shape and abs(drawn - saved).mean() < 1


def test_a_compact_picture_keeps_its_letters():
    fig, ax = plt.subplots(figsize=(9, 4))
    title = ax.set_title("x", fontsize=10)
    assert compact(ax) is fig and tuple(fig.get_size_inches()) == (5.2, 3.4)
    assert title.get_fontsize() == 10
    plt.close(fig)
