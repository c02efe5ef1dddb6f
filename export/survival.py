"""How many labels survive what recordings go through: windows of clips or calls, tagged before and after.

Used by `phone_protocol`. Both times the recording goes through `sertag.pipeline.tag_file`, so windows, speech activity
and channel statistics are the tagger's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.clip_file import clip_file
from export.codecs import LINE_HZ
from export.distortions import NAMES, distort
from export.errors import ExportError
from export.metrics import Probs
from sertag.audio.decode import open_audio
from sertag.errors import DecodeError
from sertag.model import Model
from sertag.pipeline import tag_file
from sertag.records import FAILURES, AudioFile, FloatArray, Options

_EACH_CHANNEL = Options(min_confidence=0.0)
_PEAK = 10 ** (-12 / 20)
_SAME_WINDOW_S = 0.3  # a window at the end of a recording moves with the end


@dataclass(frozen=True, slots=True)
class Survival:
    """Windows that were scored before a distortion, and those of them that have the same label behind it."""

    windows: int
    same: int


def survivals(
    recordings: Sequence[Path],
    *,
    model: Model,
    babble: FloatArray,
    seed: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Survival]:
    """Tag recordings, at a level that leaves room for 12 dB more, before and after each distortion.

    Args:
        recordings: clips or calls that the model was not trained on; all their channels are scored.
        model: loaded.
        babble: float32 (m,) at 8 kHz; see `export.distortions.talk_at_once`.
        seed: of what distortions draw.
        report: called with the recordings done and all of them.

    Returns:
        By the name of the distortion. A window that is no longer scored has lost its label.

    Raises:
        ExportError: a recording cannot be decoded or tagged.
    """
    windows: Counter[str] = Counter()
    same: Counter[str] = Counter()
    for number, path in enumerate(recordings):
        samples = _with_headroom(read_channels(path, rate_hz=LINE_HZ))
        before = _tagged(samples, LINE_HZ, model=model)
        for name in NAMES:
            rng = np.random.default_rng([seed, number])
            after = _tagged(*distort(samples, name=name, rate_hz=LINE_HZ, babble=babble, rng=rng), model=model)
            windows[name] += sum(len(channel) for channel in before)
            same[name] += sum(_same(one, two) for one, two in zip(before, after, strict=False))
        report(number + 1, len(recordings))
    return {name: Survival(windows[name], same[name]) for name in NAMES}


def read_channels(path: Path, *, rate_hz: int) -> FloatArray:
    """All channels of a recording, float32 (channels, n).

    Raises:
        ExportError: not audio, damaged or empty.
    """
    try:
        with open_audio(str(path)) as audio:
            return np.concatenate(list(audio.blocks(rate_hz=rate_hz)), axis=1)
    except DecodeError as error:
        raise ExportError(str(error), code=error.code) from error


def _with_headroom(samples: FloatArray) -> FloatArray:
    """No louder than a peak of -12 dBFS, since what is over full scale is cut off, which is more than a gain."""
    return np.asarray(samples * min(1.0, _PEAK / max(1e-6, float(np.abs(samples).max()))), dtype=np.float32)


def _tagged(samples: FloatArray, rate_hz: int, *, model: Model) -> list[Probs]:
    """Start and number of the best label of each scored window, float64 (w, 2), channel by channel."""
    with clip_file(samples.T, rate_hz=rate_hz, subtype="FLOAT") as place:
        result = tag_file(AudioFile(str(place)), model=model, options=_EACH_CHANNEL)
    for channel in result.channels:
        if channel.status in FAILURES and channel.problem is not None:
            raise ExportError(channel.problem.message, code=channel.problem.code)
    return [
        np.array([[segment.start_s, np.argmax(segment.probs)] for segment in channel.segments]).reshape(-1, 2)
        for channel in result.channels
    ]


def _same(before: Probs, after: Probs) -> int:
    """Windows with a counterpart that has the same label."""
    if not len(after):
        return 0
    nearest = np.abs(before[:, None, 0] - after[None, :, 0]).argmin(axis=1)
    found = after[nearest]
    return int(((np.abs(found[:, 0] - before[:, 0]) <= _SAME_WINDOW_S) & (found[:, 1] == before[:, 1])).sum())
