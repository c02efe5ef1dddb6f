"""Who speaks when: talk, overtalk, silence and interruptions, from the speech activity of all channels.

Stage: speech -> **talk** -> aggregate. Pure arithmetic on booleans (channels, t).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.records import BoolArray

PAUSE_S = 0.5  # a shorter pause does not end a turn, else whoever takes breath has been interrupted
OVERLAP_S = 0.3  # less is a smooth change of turns (Heldner and Edlund 2010) and within what the gate's edges are off
YIELD_S = 3.0  # whoever goes on for longer has not stopped because of it

Runs = npt.NDArray[np.int64]  # (runs, 2): first frame, frame after the last


@dataclass(frozen=True, slots=True)
class TalkStats:
    """Who speaks how much, for one channel of a recording; seconds and per cent of its duration.

    `interruptions` is None where there is only one channel.
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
        duration_s: of the recording.

    Returns:
        One record a channel; silence is when no channel speaks, so it is the same in all of them.

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
    """How often each channel takes the turn from another one by speaking into it.

    A turn is speech whose pauses are shorter than `PAUSE_S`. One interrupts another if it begins inside it, both go on
    together for `OVERLAP_S` to `YIELD_S`, and then the other one ends while this one goes on: the "overlap between
    speakers" of Heldner and Edlund (2010, J. Phonetics 38, "Pauses, gaps and overlaps in conversations"). What begins
    and ends inside a turn of the other, such as "mhm", is none.

    Args:
        active: bool (channels, t).
        frame_hz: frames per second.

    Returns:
        One count a channel; a turn counts once, whomever it interrupts.

    >>> agent = np.array([0, 0, 1, 1, 1, 1, 1, 1], bool)
    >>> customer = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
    >>> interruptions(np.array([agent, customer]), frame_hz=2)
    (1, 0)
    """
    turns = [_turns(channel, frame_hz) for channel in active]
    counts = []
    for mine, own in enumerate(turns):
        taken = np.zeros(len(own), dtype=np.bool_)
        for other in (other for number, other in enumerate(turns) if number != mine and len(other)):
            taken |= _takes(own, other, frame_hz)
        counts.append(int(taken.sum()))
    return tuple(counts)


def _takes(own: Runs, other: Runs, frame_hz: float) -> BoolArray:
    """Which of one's turns, bool (runs,), begin inside a turn of the other's and outlast it."""
    begin, end = own[:, 0], own[:, 1]
    before = np.searchsorted(other[:, 0], begin, side="left") - 1  # the other's last turn that began earlier
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
