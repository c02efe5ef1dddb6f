"""A recording as a picture: waveform, mel spectrogram, emotions and sentiment of each channel on one axis of time.

Matplotlib (the extra `show`) draws on a separate figure, never through pyplot, which would look for a screen. Emotions
are distinguished by colour, hatching and letter, so that none of them is needed alone.
"""

from __future__ import annotations

import importlib
import io
import warnings
from itertools import groupby
from typing import Any

import numpy as np

from sertag.errors import OutputError
from sertag.records import ChannelResult, FileResult, Segment, Sentiment
from sertag.show.sound import Sound
from sertag.show.timeline import answer, letters, share_of_scale, spans, ticks
from sertag.spec import ModelSpec
from sertag.text import clock, display_name, display_text

SUFFIXES = (".png", ".svg", ".pdf")
COLUMNS = 1600

_DPI = 110
_WIDTH_IN, _CHANNEL_IN, _AROUND_IN = 12.0, 4.4, 0.9
_HEIGHTS = (1.0, 1.3, 0.6, 1.0)
_COLOURS = {
    Sentiment.NEGATIVE: ("#c0392b", "#e67e22", "#8e44ad", "#7f4f24", "#d35489"),
    Sentiment.POSITIVE: ("#1e8449", "#52be80", "#117a65"),
    Sentiment.NEUTRAL: ("#8fa3ad", "#b7c4cb"),
}
_HATCHES = {Sentiment.NEGATIVE: "//", Sentiment.POSITIVE: "..", Sentiment.NEUTRAL: ""}
_UNSURE = "#e5e7e9"
_RANGE_DB = 70.0  # of the spectrogram, under its loudest
_LETTER_SHARE = 0.012  # of the width that a letter needs
_LETTER = {
    "ha": "center",
    "va": "center",
    "fontsize": 8,
    "fontweight": "bold",
    "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    "parse_math": False,
}
_LINES = ("-", "--", "-.", ":")
_CURVE = {"linewidth": 1.3, "marker": ".", "markersize": 4}
_PLAIN = "#34495e"
_LEAST_HEIGHT = 0.08  # of a bar, that it is seen
_TOUCH_S = 0.01
_MOST_TICKS = 16
_PLACES = 6  # of positions, in shares of the figure


def picture(result: FileResult, sound: Sound, *, spec: ModelSpec, suffix: str) -> bytes:
    """Draw a recording.

    Args:
        result: its rows.
        sound: in `COLUMNS` columns.
        spec: of the model.
        suffix: one of `SUFFIXES`.

    Returns:
        The content of the file; the same for the same recording.

    Raises:
        OutputError: Matplotlib is not installed.
    """
    try:
        matplotlib = importlib.import_module("matplotlib")
        figures = importlib.import_module("matplotlib.figure")
        agg = importlib.import_module("matplotlib.backends.backend_agg")
    except ImportError as error:
        message = "pictures need matplotlib, which is not installed; run: pip install 'sertag[show]'"
        raise OutputError(message, code="needs_show") from error
    rows = [channel for channel in result.channels if channel.channel is not None]
    with matplotlib.rc_context({"svg.hashsalt": "sertag", "hatch.linewidth": 0.6}), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names in scripts that its font does not have
        height = _AROUND_IN + _CHANNEL_IN * len(rows)
        figure = figures.Figure(figsize=(_WIDTH_IN, height), dpi=_DPI, layout="constrained")
        agg.FigureCanvasAgg(figure)
        figure.suptitle(display_name(result.path), parse_math=False, fontsize=11)
        ratios = _HEIGHTS * len(rows)
        axes = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": ratios})[:, 0]
        for index, channel in enumerate(rows):
            _channel(axes[4 * index : 4 * index + 4], channel, sound, spec)
        axes[-1].set_xlim(0, sound.duration_s)
        times = ticks(start_s=0, end_s=sound.duration_s, most=_MOST_TICKS)
        axes[-1].set_xticks(times, [clock(time_s) for time_s in times])
        figure.legend(handles=_legend(matplotlib, spec), loc="outside lower center", ncols=5, fontsize=8, frameon=False)
        _settle(figure)
        file = io.BytesIO()
        figure.savefig(file, format=suffix.lstrip("."), dpi=_DPI, metadata=_METADATA[suffix])
    return file.getvalue()


def _settle(figure: Any) -> None:
    """Lay everything out now, at round places.

    The solver of the layout keeps its variables in the order of their addresses, so the last bits of what it finds
    differ between runs. In SVG they would show in the names of clips, which are hashes, and in rounded coordinates.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axis in figure.axes:
        axis.set_position([round(edge, _PLACES) for edge in axis.get_position().bounds])


_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": "sertag"},
    ".svg": {"Date": None, "Creator": "sertag"},
    ".pdf": {"CreationDate": None, "Creator": "sertag"},
}


def _channel(axes: Any, channel: ChannelResult, sound: Sound, spec: ModelSpec) -> None:
    """The four pictures of one channel."""
    row = channel.channel if isinstance(channel.channel, int) else 0
    times_s = (np.arange(sound.columns) + 0.5) * sound.duration_s / sound.columns
    wave, mel, emotion, sentiment = axes
    wave.set_title(_heading(channel, spec), parse_math=False, fontsize=9, loc="left")
    wave.fill_between(times_s, sound.lowest[row], sound.highest[row], color="#34495e", linewidth=0)
    loudest = max(0.05, float(np.abs([sound.lowest[row], sound.highest[row]]).max()))
    wave.set(ylim=(-loudest, loudest), yticks=[0], ylabel="wave")
    bands = sound.mel_db[row].T  # (bands, columns)
    top = float(bands.max())
    low, high = (hz / 1000 for hz in sound.band_hz)
    extent = (0, sound.duration_s, 0, len(bands))
    shades = {"vmin": top - _RANGE_DB, "vmax": top, "cmap": "magma"}
    mel.imshow(bands, origin="lower", aspect="auto", interpolation="nearest", extent=extent, **shades)
    mel.set(yticks=[0, len(bands)], ylabel="mel, kHz")
    mel.set_yticklabels([f"{low:.1f}", f"{high:.1f}"])
    if spec.labels:
        _emotions(emotion, channel, sound, spec)
        _sentiments(sentiment, channel.segments, spec)
    else:
        _affect(emotion, channel.segments)
        _dimensions(sentiment, channel.segments, spec)


def _heading(channel: ChannelResult, spec: ModelSpec) -> str:
    name = f"channel {channel.channel}" + (f" ({channel.role})" if channel.role else "")
    return display_text(f"{name}: {answer(channel, spec)}")


def _emotions(axis: Any, channel: ChannelResult, sound: Sound, spec: ModelSpec) -> None:
    """A bar for each stretch of one label; the surer, the higher."""
    names, styles = letters(spec.labels), _styles(spec)
    stretches = spans(channel.segments)
    for begin_s, end_s, label, confidence in stretches:
        colour, hatch = (_UNSURE, "") if label is None else styles[label]
        shape = {"align": "edge", "color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
        axis.bar(begin_s, max(confidence, _LEAST_HEIGHT), width=end_s - begin_s, **shape)
    for label, group in groupby(stretches, key=lambda stretch: stretch[2]):
        for begin_s, end_s in _runs([(begin_s, end_s) for begin_s, end_s, _, _ in group]):
            if label is not None and end_s - begin_s > _LETTER_SHARE * sound.duration_s:
                axis.text((begin_s + end_s) / 2, 0.4, names[label], **_LETTER)
    axis.set(ylim=(0, 1), yticks=[0, 1], ylabel="emotion")


def _runs(stretches: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches with those that touch joined."""
    found: list[tuple[float, float]] = []
    for begin_s, end_s in stretches:
        if found and begin_s <= found[-1][1] + _TOUCH_S:
            found[-1] = (found[-1][0], end_s)
        else:
            found.append((begin_s, end_s))
    return found


def _sentiments(axis: Any, segments: tuple[Segment, ...], spec: ModelSpec) -> None:
    """How probable negative and positive labels are in each window."""
    scored = [segment for segment in segments if segment.probs]
    for sentiment, line in ((Sentiment.NEGATIVE, "-"), (Sentiment.POSITIVE, "--")):
        chosen = [index for index, label in enumerate(spec.labels) if spec.sentiment[label] == sentiment.value]
        values = [sum(segment.probs[index] for index in chosen) for segment in scored]
        axis.plot(*_line(scored, values), line, color=_COLOURS[sentiment][0], **_CURVE)
    axis.set(ylim=(0, 1), yticks=[0, 0.5, 1], ylabel="sentiment")
    axis.grid(axis="y", linewidth=0.4, alpha=0.6)


def _affect(axis: Any, segments: tuple[Segment, ...]) -> None:
    """Arousal and valence of each window, as far as the model tells them."""
    for line, name in zip(_LINES, ("arousal", "valence"), strict=False):
        scored = [segment for segment in segments if getattr(segment, name) is not None]
        values = [getattr(segment, name) for segment in scored]
        axis.plot(*_line(scored, values), line, color=_PLAIN, label=name, **_CURVE)
    axis.set(ylim=(-1, 1), yticks=[-1, 0, 1], ylabel="affect")
    axis.legend(fontsize=7, frameon=False, loc="upper right", ncols=2)


def _dimensions(axis: Any, segments: tuple[Segment, ...], spec: ModelSpec) -> None:
    """Each dimension of each window, on its own scale."""
    scored = [segment for segment in segments if segment.dimensions]
    for number, one in enumerate(spec.outputs):
        values = [share_of_scale(segment.dimensions[number], one) for segment in scored]
        colour = f"C{number % 10}"
        axis.plot(*_line(scored, values), _LINES[number % len(_LINES)], color=colour, label=one.name, **_CURVE)
    axis.set(ylim=(0, 1), yticks=[0, 0.5, 1], ylabel="of its scale")
    axis.legend(fontsize=7, frameon=False, loc="upper right", ncols=4)


def _line(scored: list[Segment], values: list[float]) -> tuple[list[float], list[float]]:
    """Times and values of a curve, with a gap where nobody spoke."""
    times_s, found = [], []
    for before, segment, value in zip([None, *scored], scored, values, strict=False):
        if before is not None and segment.start_s > before.end_s + _TOUCH_S:
            times_s.append(segment.start_s)
            found.append(float("nan"))
        times_s.append((segment.start_s + segment.end_s) / 2)
        found.append(value)
    return times_s, found


def _styles(spec: ModelSpec) -> dict[str, tuple[str, str]]:
    """Colour and hatching of each label."""
    used = dict.fromkeys(Sentiment, 0)
    found = {}
    for label in spec.labels:
        sentiment = Sentiment(spec.sentiment[label])
        colours = _COLOURS[sentiment]
        found[label] = (colours[used[sentiment] % len(colours)], _HATCHES[sentiment])
        used[sentiment] += 1
    return found


def _legend(matplotlib: Any, spec: ModelSpec) -> list[Any]:
    patches, lines = importlib.import_module("matplotlib.patches"), importlib.import_module("matplotlib.lines")
    names = letters(spec.labels)
    found = [
        patches.Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=f"{names[label]} {label}")
        for label, (colour, hatch) in _styles(spec).items()
    ]
    if not spec.labels:
        return []
    found.append(patches.Patch(facecolor=_UNSURE, label="not sure"))
    for sentiment, line in ((Sentiment.NEGATIVE, "-"), (Sentiment.POSITIVE, "--")):
        name = f"probability of {sentiment.value} labels"
        found.append(lines.Line2D([], [], linestyle=line, color=_COLOURS[sentiment][0], label=name))
    return found
