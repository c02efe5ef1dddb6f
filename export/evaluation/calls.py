"""Simulated calls: ordinary speech with a stretch of emotion, from windows that were scored out of fold.

Clips of one corpus are one person in one mood; a call is somebody who speaks normally for minutes and may lose their
temper. Windows of ordinary speech of one source follow each other, half overlapping, and a stretch of them is replaced
by windows of one actor in one mood. Rows are then made by the tagger's own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from export.arrays import Ints, Probs
from sertag.model.calibration import log_probs, softmax
from sertag.records import BoolArray, ChannelResult, ScoredWindows
from sertag.spec import ModelSpec
from sertag.tagging.aggregate import ChannelMeasurements, channel_result
from sertag.tagging.segments import segments
from sertag.tagging.talk import TalkStats

SHARES = (0.0, 0.1, 0.3, 1.0)
_WINDOWS = (40, 160)  # of a call, one to four minutes
_FRAME_HZ = 10.0
_NO_TALK = TalkStats(0.0, 0.0, 0.0, 0.0, None)


@dataclass(frozen=True, slots=True)
class WindowPool:
    """Windows that were scored by networks that had learnt nothing from their recordings, w of them."""

    log_probs: Probs  # float64 (w, k), before the temperature
    speech_s: Probs  # float64 (w,)
    clip: Ints  # int64 (w,), number of the clip
    truth: Ints  # int64 (w,), label of the clip
    person: Ints  # int64 (w,), who speaks
    place: Ints  # int64 (w,), the corpus, or the source of ordinary speech
    ordinary: BoolArray  # (w,)

    def part(self, kept: BoolArray) -> WindowPool:
        """Some of the windows."""
        return WindowPool(*(getattr(self, item.name)[kept] for item in fields(self)))


@dataclass(frozen=True, slots=True)
class Call:
    """Rows of a pool in order of time, and the window where the stretch begins and ends; both 0 without one."""

    rows: Ints
    begin: int
    end: int
    mood: int


def simulate(
    pool: WindowPool, *, moods: Sequence[int], share: float, calls: int, rng: np.random.Generator
) -> list[Call]:
    """Draw calls with a stretch of one of the moods, which are labels, that takes a share of the call.

    Sources are as likely as each other, and so are moods, the corpora that have them, and their people. None where
    nobody has one of the moods, or there is no ordinary speech.
    """
    places = [np.flatnonzero(pool.ordinary & (pool.place == place)) for place in np.unique(pool.place[pool.ordinary])]
    acted = {mood: np.flatnonzero(~pool.ordinary & (pool.truth == mood)) for mood in moods}
    known = [mood for mood, rows in acted.items() if len(rows)]
    found: list[Call] = []
    if not known or not places:
        return found
    for _ in range(calls):
        length = int(rng.integers(*_WINDOWS))
        rows = np.resize(np.roll(places[int(rng.integers(len(places)))], -int(rng.integers(1 << 30))), length)
        mood = known[int(rng.integers(len(known)))]
        own = acted[mood]
        for group in (pool.place, pool.person):
            own = own[group[own] == rng.choice(np.unique(group[own]))]
        own = rng.permutation(own)
        count = round(share * length)
        begin = int(rng.integers(0, length - count + 1))
        rows[begin : begin + count] = np.resize(own, count)
        found.append(Call(rows, begin, begin + count, mood if count else -1))
    return found


def row(pool: WindowPool, call: Call, *, spec: ModelSpec) -> ChannelResult:
    """What the tagger would say of a call of windows of the pool; `spec` has its calibration."""
    windows, measured = scored(pool, call, spec=spec)
    records = segments(windows, spec=spec, min_confidence=spec.min_confidence)
    return channel_result(windows, records, measured, spec=spec, min_confidence=spec.thresholds(None)[1])


def scored(pool: WindowPool, call: Call, *, spec: ModelSpec) -> tuple[ScoredWindows, ChannelMeasurements]:
    """The windows of a call as the tagger has them, and what it would measure of the channel."""
    count, step = len(call.rows), round(spec.hop_s * _FRAME_HZ)
    start = np.arange(count) * step
    end = start + round(spec.window_s * _FRAME_HZ)
    windows = ScoredWindows(
        start_s=start / _FRAME_HZ,
        end_s=end / _FRAME_HZ,
        speech_s=pool.speech_s[call.rows],
        loudness_dbfs=np.full(count, -20.0),
        first_frame=start,
        end_frame=end,
        probs=softmax(log_probs(np.exp(pool.log_probs[call.rows])) / spec.temperature),
        dimensions=np.zeros((count, 0)),
        is_speech=np.ones(count, dtype=np.bool_),
    )
    seconds = float(end[-1] / _FRAME_HZ)
    measured = ChannelMeasurements(
        duration_s=seconds,
        speech_s=seconds,
        loudness_dbfs=-20.0,
        clipped_pct=0.0,
        talk=_NO_TALK,
        active=np.ones(int(end[-1]), dtype=np.bool_),
        frame_hz=_FRAME_HZ,
    )
    return windows, measured


def prevailing(pool: WindowPool, call: Call) -> int:
    """The label of most windows of a call."""
    return int(np.bincount(pool.truth[call.rows]).argmax())
