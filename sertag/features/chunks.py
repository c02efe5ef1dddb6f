"""Frames as they come to sections: stretches long enough for a channel's statistics and short enough for memory.

Station of the line: features -> **sections** -> speech. Nearly every call is one section; an eight-hour recording is
many, and is worked on in the memory of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from sertag.records import FloatArray, Frames, Section

_SECTION_S = 900.0  # of a stereo call: about 30 MB of frames, and far more speech than a mean needs
_SHORTEST_S = 20.0


def section_frames(*, channels: int, frame_rate_hz: float) -> int:
    """Frames of one section: a quarter of an hour of a stereo call, less for more channels.

    >>> section_frames(channels=2, frame_rate_hz=100)
    90000
    """
    return round(max(_SHORTEST_S, _SECTION_S * min(1.0, 2 / channels)) * frame_rate_hz)


def cut_sections(pieces: Iterable[Frames], *, own_frames: int, ahead_frames: int, hop_length: int) -> Iterator[Section]:
    """Regroup frames into sections that overlap by their look-ahead.

    Args:
        pieces: consecutive frames of one recording.
        own_frames: length of a section.
        ahead_frames: look-ahead, at least one window, so that the last section is never shorter than that
            unless the recording is.
        hop_length: samples a frame, to cut the samples that travel along.

    Yields:
        Sections; the last one has `last` set.
    """
    held: list[Frames] = []
    first = count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.power.shape[1]
        while count > own_frames + ahead_frames:
            joined = _join(held)
            yield Section(first, own_frames, False, _part(joined, 0, own_frames + ahead_frames, hop_length))
            held = [_part(joined, own_frames, None, hop_length)]
            first += own_frames
            count -= own_frames
    if count:
        yield Section(first, count, True, _join(held))


def _join(pieces: list[Frames]) -> Frames:
    if len(pieces) == 1:
        return pieces[0]
    samples = [piece.samples for piece in pieces if piece.samples is not None]
    return Frames(
        np.concatenate([piece.columns for piece in pieces], axis=1),
        np.concatenate([piece.power for piece in pieces], axis=1),
        np.concatenate(samples, axis=1) if samples else None,
    )


def _part(frames: Frames, start: int, stop: int | None, hop_length: int) -> Frames:
    return Frames(
        frames.columns[:, start:stop],
        frames.power[:, start:stop],
        None if frames.samples is None else _samples_of(frames.samples, start, stop, hop_length),
    )


def _samples_of(samples: FloatArray, start: int, stop: int | None, hop_length: int) -> FloatArray:
    return samples[:, start * hop_length : None if stop is None else stop * hop_length]
