"""Pictures: what is drawn, and that the same numbers give the same bytes everywhere."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the extra `export` is not installed")

import matplotlib
from matplotlib.figure import Figure

from export.plots import (
    confusion_matrix,
    durations,
    label_counts,
    spectrogram,
    training_curves,
    waveform_and_spectrogram,
)
from export.training.loop import Epoch
from tests.conftest import RATE_HZ, speech_like

HISTORY = [Epoch(1, 2.0, 0.2, 1.9, 0.25), Epoch(2, 1.0, 0.6, 1.5, 0.5), Epoch(3, 0.5, 0.9, 1.8, 0.45)]
DRAW: dict[str, Callable[[Path], None]] = {
    "curves": lambda place: training_curves(HISTORY, place, kept=2, title="lstm on tess"),
    "confusion": lambda place: confusion_matrix([[3, 1], [0, 0]], ("sad", "happy"), place, title="lstm, clean"),
    "sound": lambda place: waveform_and_spectrogram(speech_like(1.0), RATE_HZ, place, title="a.wav"),
    "labels": lambda place: label_counts({"angry": 3, "sad": 12}, place, title="tess"),
    "durations": lambda place: durations([1.0, 1.5, 4.0], place, title="tess"),
}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were written, to ask what is in them."""
    figures: list[Figure] = []
    write = Figure.savefig

    def keep(figure: Figure, *arguments: object, **options: object) -> None:
        figures.append(figure)
        write(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_the_same_numbers_give_the_same_bytes_whatever_the_users_settings(tmp_path, draw):
    draw(tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 30, "savefig.dpi": 37, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        draw(tmp_path / "b.png")
        assert matplotlib.rcParams["font.size"] == 30
    data = (tmp_path / "a.png").read_bytes()
    assert data == (tmp_path / "b.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    assert b"Software" not in data
    assert b"tIME" not in data
    width, _ = struct.unpack(">II", data[16:24])
    assert 400 <= width <= 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_no_window_system_and_no_global_figure_is_touched(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from export.plots import durations\n"
        "assert 'matplotlib' not in sys.modules\n"
        f"durations([1.0, 2.0], pathlib.Path({str(tmp_path / 'd.png')!r}), title='x')\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])
    assert (tmp_path / "d.png").exists()


def test_curves_mark_the_epoch_that_was_kept(tmp_path, drawn):
    training_curves(HISTORY, tmp_path / "t.png", kept=2, title="lstm on tess (speakers in both halves)")
    loss, accuracy = drawn[0].axes
    assert drawn[0].get_suptitle() == "lstm on tess (speakers in both halves)"
    by_name = {line.get_label(): line for line in loss.lines}
    assert list(by_name["training clips"].get_ydata()) == [2.0, 1.0, 0.5]
    assert list(by_name["validation"].get_ydata()) == [1.9, 1.5, 1.8]
    assert list(by_name["epoch kept: 2"].get_xdata()) == [2, 2]
    assert list(accuracy.lines[0].get_ydata()) == [0.2, 0.6, 0.9]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in accuracy.lines if line.get_marker() == "D"] == [
        (2, 0.5)
    ]


def test_where_there_is_no_validation_there_is_one_curve(tmp_path, drawn):
    training_curves([Epoch(1, 2.0, 0.2), Epoch(2, 1.0, 0.5)], tmp_path / "t.png", kept=2, title="x")
    loss = drawn[0].axes[0]
    names = [line.get_label() for line in loss.lines]
    assert "validation" not in names
    assert (loss.lines[-1].get_xdata()[0], loss.lines[-1].get_ydata()[0]) == (2, 1.0)


def test_a_single_epoch_can_be_seen(tmp_path, drawn):
    training_curves(HISTORY[:1], tmp_path / "t.png", kept=1, title="x")
    assert {line.get_marker() for line in drawn[0].axes[0].lines[:2]} == {"o"}


def test_a_confusion_cell_has_the_share_of_its_row_and_the_clips(tmp_path, drawn):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        confusion_matrix([[3, 1, 0], [0, 0, 0], [1, 0, 4]], ("sad", "fear", "happy"), tmp_path / "c.png", title="t")
    (axes,) = drawn[0].axes
    cells = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert (cells[0, 0], cells[0, 1]) == ("75 %\n3", "25 %\n1")
    assert [cells[1, column] for column in range(3)] == ["-"] * 3  # nobody was afraid: no share of nothing
    assert cells[2, 2] == "80 %\n4"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sad", "fear", "happy"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["sad", "fear", "happy"]
    assert axes.get_ylabel() == "truth"


def test_cells_can_be_read_on_every_shade(tmp_path, drawn):
    confusion_matrix([[9, 1], [5, 5]], ("a", "b"), tmp_path / "c.png", title="t")
    shade = matplotlib.colormaps["Blues"]
    for text in drawn[0].axes[0].texts:
        back = _luminance(shade(int(text.get_text().split()[0]) / 100))
        ink = _luminance(matplotlib.colors.to_rgba(text.get_color()))
        assert (max(back, ink) + 0.05) / (min(back, ink) + 0.05) >= 4.5  # WCAG 2.1, 1.4.3


def test_names_of_other_people_are_no_formulas(tmp_path, drawn):
    label_counts({"$\\frac{": 1, "a_b^c$": 2}, tmp_path / "l.png", title="$\\nonsense{$")
    assert drawn[0].get_suptitle() == "$\\nonsense{$"


def test_a_picture_that_fails_leaves_the_old_one(tmp_path):
    place = tmp_path / "t.png"
    training_curves(HISTORY, place, kept=2, title="x")
    before = place.read_bytes()
    with pytest.raises(KeyError, match="9"):
        training_curves(HISTORY, place, kept=9, title="x")
    assert place.read_bytes() == before
    assert list(tmp_path.iterdir()) == [place]


def test_a_new_picture_replaces_the_old_one_in_one_step(tmp_path):
    place, reader = tmp_path / "d.png", tmp_path / "open.png"
    durations([1.0], place, title="old")
    before = place.read_bytes()
    os.link(place, reader)  # what somebody who has opened the old one goes on reading
    durations([2.0], place, title="new")
    assert reader.read_bytes() == before != place.read_bytes()


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_a_tone_is_where_it_sounds(rate_hz):
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz).astype(np.float32)
    level_db = spectrogram(tone, rate_hz)
    assert level_db.max() == 0
    assert level_db.min() >= -80
    middle = level_db[:, level_db.shape[1] // 2]
    assert np.argmax(middle) / (len(middle) - 1) * rate_hz / 2 == pytest.approx(1000, abs=25)


def test_silence_is_dark_and_a_long_call_is_no_wider_than_a_screen():
    assert (spectrogram(np.zeros(4000, np.float32), 8000) == -80).all()
    assert spectrogram(np.zeros(8000 * 900, np.float32), 8000).shape[1] <= 1600


@pytest.mark.parametrize("count", [1, 2, 199, 201])
def test_the_shortest_sounds_can_be_drawn(tmp_path, count):
    waveform_and_spectrogram(np.ones(count, np.float32), 8000, tmp_path / "w.png", title="x")
    assert (tmp_path / "w.png").stat().st_size > 1000


def _luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance of sRGB, as WCAG defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
