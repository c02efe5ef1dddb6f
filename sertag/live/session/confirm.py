"""Compares provisional windows with those of the whole recording: each is confirmed, corrected or withdrawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sertag.records import Segment, Status

_SAME_S = 1e-3  # starts of the same window differ by less, because of rounding


def confirmed(provisional: Sequence[Segment], final: Sequence[Segment]) -> Iterator[tuple[Segment, bool]]:
    """All final windows of one channel, in order of time, and whether each was withdrawn.

    Args:
        provisional: provisional windows, in order of time.
        final: windows of the row, in order of time.

    Yields:
        The windows of the row with False, and provisional windows that are not among them with True.

    >>> window = Segment(0, 2.0, 5.0, Status.OK, "angry", 0.9, None, (0.9, 0.1), 0.5, -20.0)
    >>> [(segment.status.value, withdrawn) for segment, withdrawn in confirmed([window], [])]
    [('no_speech', True)]
    """
    known = [segment.start_s for segment in final]
    lost = [
        segment for segment in provisional if not any(abs(segment.start_s - start_s) < _SAME_S for start_s in known)
    ]
    everything = [(segment, False) for segment in final] + [(_silent(segment), True) for segment in lost]
    yield from sorted(everything, key=lambda one: one[0].start_s)


def _silent(segment: Segment) -> Segment:
    """The same window without an emotion."""
    nothing = {"emotion": None, "confidence": None, "sentiment": None, "arousal": None, "valence": None}
    return replace(segment, status=Status.NO_SPEECH, probs=(), dimensions=(), **nothing)  # type: ignore[arg-type]
