"""How many labels of a model survive what recorders, exchanges and archives do to calls, one thing at a time.

Recordings, float32 (channels, n), are tagged before and after by `sertag.tagging.pipeline.tag_file`.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import soxr

from benchmarks.accuracy.store import read_json, write_json
from export.arrays import Probs
from export.audio.clip_file import clip_file, read_channels, read_clip
from export.audio.noise import BABBLE_VOICES, rms, talk_at_once, traffic, with_noise
from export.audio.telephone import CODECS, LINE_HZ, recode
from export.corpora.clips import Clip
from export.errors import ExportError
from export.progress import Report
from sertag.model.session import Model
from sertag.records import FAILURES, AudioFile, FloatArray, Options
from sertag.tagging.pipeline import tag_file

ROBUSTNESS = "robustness.json"
SNR_DB = 15.0
BABBLE = "babble, 15 dB"

_EACH_CHANNEL = Options(min_confidence=0.0)
_PEAK = 10 ** (-12 / 20)
_SAME_WINDOW_S = 0.3  # a window at the end of a recording moves with the end
_LOUDER, _FAINTER = np.float32(10 ** (12 / 20)), np.float32(10 ** (-12 / 20))
_SHIFT_S = 0.25
_LOST = 0.02  # share of the packets
_PACKET_S = 0.02  # of an RTP stream


def measure(
    recordings: Sequence[Path], *, voices: Sequence[Clip], model: Model, seed: int, out: Path, report: Report
) -> Path:
    """Follow labels of real calls through every distortion and write down which share survives; returns the file.

    The model has not learnt from the recordings; babble is made of the voices.
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

    By its name: `windows` that were scored before, and the `share` of them that keeps its label and is still scored.
    """
    windows: Counter[str] = Counter()
    same: Counter[str] = Counter()
    for number, path in enumerate(recordings):
        samples = read_channels(path, rate_hz=LINE_HZ)
        # No louder than a peak of -12 dBFS, since what is over full scale is cut off, which is more than a gain.
        samples = np.asarray(samples * min(1.0, _PEAK / max(1e-6, float(np.abs(samples).max()))), dtype=np.float32)
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


def distort(
    samples: FloatArray, *, name: str, rate_hz: int, babble: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, int]:
    """Do one thing out of `NAMES` to a recording, n >= 1: samples and their rate. `babble` is float32 (m,) at 8 kHz.

    >>> quiet, rng = np.zeros((1, 800), np.float32), np.random.default_rng(1)
    >>> changed, rate_hz = distort(quiet, name="through 16 kHz", rate_hz=8000, babble=quiet[0], rng=rng)
    >>> changed.shape, rate_hz
    ((1, 1600), 16000)
    """
    if name in _THROUGH_HZ:
        return _resampled(samples, rate_hz, _THROUGH_HZ[name]), _THROUGH_HZ[name]
    if name in CODECS:
        narrow = _resampled(samples, rate_hz, LINE_HZ)
        return np.stack([recode(channel, codec=name) for channel in narrow]), LINE_HZ  # GSM knows one channel only
    if name == BABBLE:
        voices = _resampled(babble[None], LINE_HZ, rate_hz)[0]
        noise = np.resize(np.roll(voices, rng.integers(len(voices))), samples.shape[1])
        return _under_each(samples, noise), rate_hz
    return _PLAIN[name](samples, rate_hz, rng), rate_hz


def _with_losses(samples: FloatArray, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """A lost packet is the one before it at half its level, which receivers without a better idea play."""
    size = round(_PACKET_S * rate_hz)
    heard = np.array(samples)
    for packet in np.flatnonzero(rng.random(samples.shape[1] // size) < _LOST):
        if packet > 0:
            heard[:, packet * size : (packet + 1) * size] = heard[:, (packet - 1) * size : packet * size] / 2
    return heard


def _under_each(samples: FloatArray, noise: FloatArray) -> FloatArray:
    """Noise (n,) under each channel, `SNR_DB` fainter than the channel on the whole."""
    softer = 10 ** (-SNR_DB / 20)
    return np.stack([with_noise(channel, noise, noise_rms=softer * rms(channel)) for channel in samples])


def _resampled(samples: FloatArray, rate_hz: int, to_hz: int) -> FloatArray:
    changed = soxr.resample(np.ascontiguousarray(samples.T), rate_hz, to_hz).T
    return np.asarray(changed if changed.shape[1] else samples[:, :1], dtype=np.float32)  # nothing is no recording


def _tagged(samples: FloatArray, rate_hz: int, *, model: Model) -> list[Probs]:
    """Start and number of the best label of each scored window, float64 (w, 2), channel by channel."""
    with clip_file(samples.T, rate_hz=rate_hz, subtype="FLOAT") as place:
        result = tag_file(AudioFile(str(place)), model=model, options=_EACH_CHANNEL)
    found = []
    for channel in result.channels:
        if channel.status in FAILURES and channel.problem is not None:
            raise ExportError(channel.problem.message, code=channel.problem.code)
        scored = [(segment.start_s, np.argmax(segment.probs)) for segment in channel.segments if len(segment.probs)]
        found.append(np.array(scored, dtype=np.float64).reshape(-1, 2))
    return found


def _same(before: Probs, after: Probs) -> int:
    """Windows with a counterpart that has the same label."""
    if not len(after):
        return 0
    found = after[np.abs(before[:, None, 0] - after[None, :, 0]).argmin(axis=1)]  # the nearest
    return int(((np.abs(found[:, 0] - before[:, 0]) <= _SAME_WINDOW_S) & (found[:, 1] == before[:, 1])).sum())


_PLAIN: MappingProxyType[str, Callable[[FloatArray, int, np.random.Generator], FloatArray]] = MappingProxyType(
    {
        "12 dB louder": lambda samples, rate_hz, rng: samples * _LOUDER,
        "12 dB fainter": lambda samples, rate_hz, rng: samples * _FAINTER,
        "0.25 s later": lambda samples, rate_hz, rng: np.pad(samples, ((0, 0), (round(_SHIFT_S * rate_hz), 0))),
        "2 % of the packets lost": _with_losses,
        "street, 15 dB": lambda samples, rate_hz, rng: _under_each(
            samples, traffic(samples.shape[1], rate_hz=rate_hz, rng=rng)
        ),
    }
)
_THROUGH_HZ = MappingProxyType({"through 16 kHz": 16_000, "through 44.1 kHz": 44_100})
NAMES = (*_PLAIN, BABBLE, *CODECS, *_THROUGH_HZ)
