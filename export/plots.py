"""Pictures of corpora and trainings as PNG, each put in its place in one step, whatever the user's own settings are.

Colours are those of Okabe and Ito (2008), which colour-blind readers tell apart; nothing is told by colour alone.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sertag.records import FloatArray
from sertag.storage.atomic_output import Output

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from export.training.loop import Epoch

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#666666"
_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 11,
    "axes.titlesize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.titlesize": "large",
    "text.parse_math": False,  # a dollar sign in a file name is no formula
}
_DPI = 100
_WIDTH_PX = 900
_ENVELOPE_POINTS = 1200  # of a waveform, about one a pixel
_SPECTRA = 1500  # of a spectrogram, at most
_WINDOW_S, _HOP_S = 0.025, 0.005  # the field's usual window; a finer step is smoother to look at
_TOP_HZ = 8000  # above it speech has little
_RANGE_DB = 80.0


def training_curves(history: Sequence[Epoch], place: Path, *, kept: int, title: str) -> None:
    """Loss and accuracy over one epoch or more, on the training clips and, where there is one, in validation."""
    from matplotlib.ticker import PercentFormatter

    with _picture(place, height_px=420, title=title) as figure:
        loss, accuracy = figure.subplots(1, 2)
        for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
            trained, validated = (
                {row.epoch: value for row in history if (value := getattr(row, key)) is not None}
                for key in (name, f"val_{name}")
            )
            _curves(axes, trained, validated, kept)
        loss.set(title="loss (cross-entropy)", xlabel="epoch")
        accuracy.set(title="accuracy", xlabel="epoch", ylim=(0, 1.02))
        accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1))
        handles, names = loss.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)


def confusion_matrix(confusion: Sequence[Sequence[int]], labels: Sequence[str], place: Path, *, title: str) -> None:
    """What each class was taken for, percent of its clips and how many: (k, k), rows truth, columns prediction."""
    counts = np.asarray(confusion)
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side_px = 340 + 70 * len(labels)
    with _picture(place, width_px=side_px, height_px=side_px - 40, title=title) as figure:
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for row, column in np.ndindex(*counts.shape):
            text = f"{share[row, column]:.0f} %\n{counts[row, column]}" if counts[row].any() else "-"
            ink = "white" if share[row, column] > 70 else "black"
            axes.text(column, row, text, ha="center", va="center", color=ink)
        axes.set_xticks(range(len(labels)), labels, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(labels)), labels)
        axes.set(xlabel="prediction: % of the row, clips", ylabel="truth")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)


def waveform_and_spectrogram(samples: FloatArray, rate_hz: int, place: Path, *, title: str) -> None:
    """Samples, float32 (n,), over time, and short-time spectra (Hann window of 25 ms) in dB under the loudest."""
    import librosa.display

    level_db = spectrogram(samples, rate_hz)
    with _picture(place, height_px=560, title=title) as figure:
        wave, spectra = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
        librosa.display.waveshow(samples, sr=rate_hz, ax=wave, color=_BLUE, max_points=_ENVELOPE_POINTS)
        image = librosa.display.specshow(
            level_db, sr=rate_hz, hop_length=_hop(samples, rate_hz), x_axis="s", y_axis="hz", cmap="viridis", ax=spectra
        )
        image.set_clim(-_RANGE_DB, 0.0)
        wave.set(ylabel="amplitude", xlabel=None, xlim=(0, len(samples) / rate_hz))
        spectra.set(ylabel="frequency, Hz", xlabel="time, s", ylim=(0, min(_TOP_HZ, rate_hz / 2)))
        figure.colorbar(image, ax=spectra, label="dB under the loudest", pad=0.01)


def label_counts(counts: Mapping[str, int], place: Path, *, title: str) -> None:
    """Clips of each label, one bar each, in the order given."""
    with _picture(place, width_px=800, height_px=170 + 34 * len(counts), title=title) as figure:
        axes = figure.subplots()
        bars = axes.barh(list(counts), list(counts.values()), color=_BLUE, height=0.7)
        axes.bar_label(bars, padding=4)
        axes.invert_yaxis()
        axes.margins(x=0.08)
        axes.set(xlabel="clips")
        axes.tick_params(axis="y", length=0)


def durations(durations_s: Sequence[float], place: Path, *, title: str) -> None:
    """Histogram of at least one duration in seconds, with shortest, median and longest."""
    middle_s = float(np.median(durations_s))
    with _picture(place, width_px=800, height_px=400, title=title) as figure:
        axes = figure.subplots()
        axes.hist(durations_s, bins=min(40, len(set(durations_s))), color=_BLUE, edgecolor="white", linewidth=0.5)
        axes.axvline(middle_s, color=_ORANGE, linestyle="--", label=f"median {middle_s:.2f} s")
        axes.set(xlabel="duration, s", ylabel="clips")
        axes.set_title(f"shortest {min(durations_s):.2f} s, longest {max(durations_s):.2f} s", color=_GREY)
        axes.legend(frameon=False)


def spectrogram(samples: FloatArray, rate_hz: int) -> FloatArray:
    """Short-time power spectra: float32 (n,) -> float32 (frequencies, frames), dB under the loudest, at least -80.

    >>> spectrogram(np.zeros(400, np.float32), 8000).shape
    (101, 11)
    """
    import librosa

    size = round(_WINDOW_S * rate_hz)
    whole = np.pad(samples, (0, max(0, size - len(samples))))
    level = np.abs(librosa.stft(whole, n_fft=size, hop_length=_hop(samples, rate_hz), pad_mode="constant"))
    loudest = max(level.max(), 1e-6)  # digital silence has no loudest
    return np.asarray(librosa.amplitude_to_db(level, ref=loudest, amin=1e-10, top_db=_RANGE_DB), dtype=np.float32)


def _hop(samples: FloatArray, rate_hz: int) -> int:
    return max(round(_HOP_S * rate_hz), len(samples) // _SPECTRA, 1)  # as fine as a screen can show


@contextmanager
def _picture(place: Path, *, height_px: int, title: str, width_px: int = _WIDTH_PX) -> Iterator[Figure]:
    """A figure to draw into; it is written when the block ends."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = Figure(figsize=(width_px / _DPI, height_px / _DPI), dpi=_DPI, layout="constrained")
        figure.suptitle(textwrap.fill(title, width=width_px // 10))
        yield figure
        data = io.BytesIO()
        figure.savefig(data, format="png", metadata={"Software": None})  # a version would change the bytes
    with Output(str(place)) as output:
        output.write(data.getvalue())


def _curves(axes: Axes, trained: Mapping[int, float], validated: Mapping[int, float], kept: int) -> None:
    """Two curves by number of the epoch; either may be empty."""
    from matplotlib.ticker import MaxNLocator

    few = "o" if len(trained) < 3 else None  # a line of one point cannot be seen
    axes.plot(list(trained), list(trained.values()), color=_BLUE, marker=few, label="training clips")
    if validated:
        axes.plot(list(validated), list(validated.values()), "--", color=_ORANGE, marker=few, label="validation")
    axes.axvline(kept, color=_GREY, linestyle=":", label=f"epoch kept: {kept}")
    if validated or trained:
        axes.plot(kept, (validated or trained)[kept], "D", color=_GREY)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
