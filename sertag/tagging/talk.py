"""Who speaks when: talk, overtalk, silence and interruptions, from the speech activity of all channels.

Stage: speech -> **talk** -> aggregate. Pure arithmetic on booleans (channels, t).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.records import BoolArray

PAUSE_S = 0.5  # a shorter pause does not end a turn, or a speaker who takes breath would count as interrupted
OVERLAP_S = 0.3  # less is a smooth change of turns (Heldner and Edlund 2010) and within the error of the gate's edges
YIELD_S = 3.0  # a speaker who goes on for longer did not stop because of the interruption

Runs = npt.NDArray[np.int64]  # (runs, 2): first frame, frame after the last


@dataclass(frozen=True, slots=True)
class TalkStats:
    """How much the speaker of one channel talks; seconds and per cent of the recording's duration.

    `interruptions` is None if there is only one channel.
    """

    talk_pct: float
    overtalk_s: float
    silence_s: float
    longest_silence_s: float
    interruptions: int | None = None


def talk_stats(active: BoolArray, *, frame_hz: float, duration_s: float) -> tuple[TalkStats, ...]:
    """Talk, overtalk, silence and interruptions of every channel.

    Args:
        active: bool (channels, t), speech activity of the whole recording.
        frame_hz: frames per second.
        duration_s: duration of the recording.

    Returns:
        One record per channel; silence is when no channel has speech, so it is the same in all of them.

    >>> talk_stats(np.array([[True, True, False, False], [False, True, False, False]]), frame_hz=1, duration_s=4)[0]
    TalkStats(talk_pct=50.0, overtalk_s=1.0, silence_s=2.0, longest_silence_s=2.0, interruptions=0)
    """
    speakers = active.sum(axis=0)  # (t,)
    silent = _runs(speakers == 0)
    silence_s = min(float((speakers == 0).sum() / frame_hz), duration_s)
    longest_s = min(float((silent[:, 1] - silent[:, 0]).max(initial=0) / frame_hz), duration_s)
    counts = interruptions(active, frame_hz=frame_hz) if len(active) > 1 else (None,)
    return tuple(
        TalkStats(
            talk_pct=min(100.0, float(100 * channel.sum() / frame_hz / duration_s)),
            overtalk_s=min(float((channel & (speakers > 1)).sum() / frame_hz), duration_s),
            silence_s=silence_s,
            longest_silence_s=longest_s,
            interruptions=count,
        )
        for channel, count in zip(active, counts, strict=True)
    )


def interruptions(active: BoolArray, *, frame_hz: float) -> tuple[int, ...]:
    """How often each channel interrupts another one.

    A turn is speech whose pauses are shorter than `PAUSE_S`. A turn interrupts another one if it begins inside it, both
    overlap for `OVERLAP_S` to `YIELD_S`, and the other turn ends first: the "overlap between speakers" of Heldner and
    Edlund (2010, J. Phonetics 38, "Pauses, gaps and overlaps in conversations"). Speech that begins and ends inside
    a turn of the other speaker, such as "mhm", is no interruption.

    Args:
        active: bool (channels, t).
        frame_hz: frames per second.

    Returns:
        One count per channel; a turn counts once, however many it interrupts.

    >>> agent = np.array([0, 0, 1, 1, 1, 1, 1, 1], bool)
    >>> customer = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
    >>> interruptions(np.array([agent, customer]), frame_hz=2)
    (1, 0)
    """
    turns = [_turns(channel, frame_hz) for channel in active]
    counts = []
    for channel, channel_turns in enumerate(turns):
        interrupts = np.zeros(len(channel_turns), dtype=np.bool_)
        for other in (other for number, other in enumerate(turns) if number != channel and len(other)):
            interrupts |= _interrupts(channel_turns, other, frame_hz)
        counts.append(int(interrupts.sum()))
    return tuple(counts)


def _interrupts(turns: Runs, other: Runs, frame_hz: float) -> BoolArray:
    """Which turns of one channel, bool (runs,), begin inside a turn of the other channel and end after it."""
    begin, end = turns[:, 0], turns[:, 1]
    before = np.searchsorted(other[:, 0], begin, side="left") - 1  # the last turn of the other that began earlier
    other_end = np.where(before >= 0, other[before, 1], 0)
    overlap_s = (other_end - begin) / frame_hz
    return np.asarray((overlap_s >= OVERLAP_S) & (overlap_s <= YIELD_S) & (end > other_end))


def _turns(active: BoolArray, frame_hz: float) -> Runs:
    runs = _runs(active)
    apart = runs[1:, 0] - runs[:-1, 1] >= PAUSE_S * frame_hz
    first, last = (np.append(True, apart), np.append(apart, True)) if len(runs) else (apart, apart)
    return np.stack([runs[first, 0], runs[last, 1]], axis=1) if len(runs) else runs


def _runs(mask: BoolArray) -> Runs:
    return np.flatnonzero(np.diff(mask, prepend=False, append=False)).reshape(-1, 2)
