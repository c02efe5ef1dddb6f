"""Frames to chunks, which are long enough for the statistics of a channel and short enough for memory.

Stage: features -> **chunks** -> speech. Nearly every call is one chunk; an eight-hour recording is
many, and is worked on in the memory of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from sertag.features.frames import Chunk, Frames
from sertag.records import FloatArray

_CHUNK_S = 900.0  # of a stereo call: about 30 MB of frames, and far more speech than a mean needs
_SHORTEST_S = 20.0


def chunk_frames(*, channels: int, frame_rate_hz: float) -> int:
    """Frames of one chunk: a quarter of an hour of a stereo call, less for more channels.

    >>> chunk_frames(channels=2, frame_rate_hz=100)
    90000
    """
    return round(max(_SHORTEST_S, _CHUNK_S * min(1.0, 2 / channels)) * frame_rate_hz)


def cut_chunks(
    pieces: Iterable[Frames], *, core_frames: int, lookahead_frames: int, hop_length: int
) -> Iterator[Chunk]:
    """Regroup frames into chunks that overlap by their lookahead.

    Args:
        pieces: consecutive frames of one recording.
        core_frames: length of a chunk.
        lookahead_frames: lookahead, at least one window, so that the last chunk is never shorter than that
            unless the recording is.
        hop_length: samples a frame, to cut the samples that travel along.

    Yields:
        Chunks; the last one has `last` set.
    """
    pending: list[Frames] = []
    first = count = 0
    for piece in pieces:
        pending.append(piece)
        count += piece.power.shape[1]
        while count > core_frames + lookahead_frames:
            joined = join_frames(pending)
            yield Chunk(first, core_frames, False, _part(joined, 0, core_frames + lookahead_frames, hop_length))
            pending = [_part(joined, core_frames, None, hop_length)]
            first += core_frames
            count -= core_frames
    if count:
        yield Chunk(first, count, True, join_frames(pending))


def join_frames(pieces: Sequence[Frames]) -> Frames:
    """Frames that follow each other as one piece; a single piece as it is."""
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
