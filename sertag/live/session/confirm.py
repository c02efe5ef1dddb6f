"""What was said of windows, beside what the whole recording says: each is confirmed, corrected or withdrawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sertag.records import Segment, Status

_SAME_S = 1e-3  # starts of the same window, which sums of floats may set apart


def confirmed(said: Sequence[Segment], final: Sequence[Segment]) -> Iterator[tuple[Segment, bool]]:
    """All windows of one channel as they stay, in order of time, and whether each was withdrawn.

    Args:
        said: provisional ones, in order of time.
        final: those of the row, in order of time.

    Yields:
        The windows of the row, and among them, with True, those that were said and are none.

    >>> window = Segment(0, 2.0, 5.0, Status.OK, "angry", 0.9, None, (0.9, 0.1), 0.5, -20.0)
    >>> [(segment.status.value, withdrawn) for segment, withdrawn in confirmed([window], [])]
    [('no_speech', True)]
    """
    known = [segment.start_s for segment in final]
    lost = [segment for segment in said if not any(abs(segment.start_s - start_s) < _SAME_S for start_s in known)]
    everything = [(segment, False) for segment in final] + [(_silent(segment), True) for segment in lost]
    yield from sorted(everything, key=lambda one: one[0].start_s)


def _silent(segment: Segment) -> Segment:
    """The same window without an emotion."""
    nothing = {"emotion": None, "confidence": None, "sentiment": None, "arousal": None, "valence": None}
    return replace(segment, status=Status.NO_SPEECH, probs=(), **nothing)  # type: ignore[arg-type]
