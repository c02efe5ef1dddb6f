"""How many labels of a model file survive what recordings go through: windows of clips or calls, before and after.

Both times the recording goes through `sertag.tagging.pipeline.tag_file`, so windows and speech activity are the
tagger's own.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.robustness.distortions import NAMES, distort
from benchmarks.accuracy.store import read_json, write_json
from export.arrays import Probs
from export.audio.clip_file import clip_file, read_channels, read_clip
from export.audio.codecs import LINE_HZ
from export.audio.noise import BABBLE_VOICES, talk_at_once
from export.corpora.clips import Clip
from export.errors import ExportError
from export.progress import Report
from sertag.model.session import Model
from sertag.records import FAILURES, AudioFile, FloatArray, Options
from sertag.tagging.pipeline import tag_file

ROBUSTNESS = "robustness.json"
_EACH_CHANNEL = Options(min_confidence=0.0)
_PEAK = 10 ** (-12 / 20)
_SAME_WINDOW_S = 0.3  # a window at the end of a recording moves with the end


def measure(
    recordings: Sequence[Path], *, voices: Sequence[Clip], model: Model, seed: int, out: Path, report: Report
) -> Path:
    """Follow labels of real calls through every distortion and write down which share survives.

    The model has not learnt from the recordings; babble is made of the voices. The file, which is returned, keeps what
    was measured of other models.

    Raises:
        ExportError: a recording cannot be decoded or tagged, or there is none.
        OutputError: the file cannot be written.
    """
    if not recordings:
        raise ExportError("no recording of real calls; expected files that can be tagged", code="no_data")
    babble = babble_of(voices, seed=seed)
    found = {
        "version": model.spec.version,
        "date": datetime.date.today().isoformat(),
        "survives": survivals(recordings, model=model, babble=babble, seed=seed, report=report),
    }
    return write_json(out / ROBUSTNESS, read_json(out / ROBUSTNESS) | {model.spec.name: found})


def survivals(
    recordings: Sequence[Path], *, model: Model, babble: FloatArray, seed: int, report: Report
) -> dict[str, dict[str, Any]]:
    """Tag recordings, at a level that leaves room for 12 dB more, before and after each distortion.

    Returns:
        By the name of the distortion: `windows` that were scored before, and the `share` of them that keeps its label.
        A window that is no longer scored has lost it.
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
        report("calls", (number + 1) / len(recordings))
    return {name: {"windows": windows[name], "share": round(same[name] / max(1, windows[name]), 4)} for name in NAMES}


def babble_of(voices: Sequence[Clip], *, seed: int) -> FloatArray:
    """Many of the clips one after another, by several people at once: float32 (n,) at 8 kHz."""
    order = np.random.default_rng(seed).permutation(len(voices))[: 10 * BABBLE_VOICES]
    samples = [read_clip(voices[index].path, rate_hz=LINE_HZ) for index in order]
    count = min(BABBLE_VOICES, len(samples))
    return talk_at_once([np.concatenate(samples[start::count]) for start in range(count)])


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
        np.array(
            [[segment.start_s, np.argmax(segment.probs)] for segment in channel.segments if len(segment.probs)]
        ).reshape(-1, 2)
        for channel in result.channels
    ]


def _same(before: Probs, after: Probs) -> int:
    """Windows with a counterpart that has the same label."""
    if not len(after):
        return 0
    nearest = np.abs(before[:, None, 0] - after[None, :, 0]).argmin(axis=1)
    found = after[nearest]
    return int(((np.abs(found[:, 0] - before[:, 0]) <= _SAME_WINDOW_S) & (found[:, 1] == before[:, 1])).sum())
