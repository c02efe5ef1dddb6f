from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sertag.features.chunks import chunk_frames, cut_chunks
from sertag.features.frames import Chunk, Frames

HOP = 4


def counted(count: int, sizes: list[int], *, samples: bool) -> list[Frames]:
    """Frames that hold their own number, cut into pieces; samples arrive up to a few frames ahead, as they do."""
    cuts = [0, *np.minimum(np.cumsum(sizes), count).tolist(), count]
    number = np.arange(count, dtype=np.float32)
    heard = np.arange(count * HOP, dtype=np.float32)
    ahead = [0, *(min(len(heard), at * HOP + 7) for at in cuts[1:-1]), len(heard)]
    return [
        Frames(
            np.tile(number[start:stop, None], (2, 1, 1)),
            np.tile(number[start:stop], (2, 1)),
            np.tile(heard[ahead[i] : ahead[i + 1]], (2, 1)) if samples else None,
        )
        for i, (start, stop) in enumerate(itertools.pairwise(cuts))
    ]


def check_cover(chunks: list[Chunk], *, count: int, own: int, ahead: int) -> None:
    """Own frames follow each other without gap; all but the last chunk look ahead in full."""
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert [chunk.first_frame for chunk in chunks] == [own * i for i in range(len(chunks))]
    assert [chunk.core_frames for chunk in chunks[:-1]] == [own] * (len(chunks) - 1)
    assert sum(chunk.core_frames for chunk in chunks) == count
    for chunk in chunks:
        seen = chunk.frames.power.shape[1]
        assert seen == chunk.core_frames + (0 if chunk.last else ahead)
        expected = chunk.first_frame + np.arange(seen)
        assert np.array_equal(chunk.frames.power, np.tile(expected, (2, 1)))
        assert np.array_equal(chunk.frames.columns[1, :, 0], expected)


@settings(deadline=None)
@given(
    st.integers(1, 500),
    st.lists(st.integers(0, 90), max_size=8),
    st.integers(1, 200),
    st.integers(1, 60),
    st.booleans(),
)
def test_chunks_cover_a_recording_once(count: int, sizes: list[int], own: int, ahead: int, samples: bool) -> None:
    pieces = counted(count, sizes, samples=samples)
    chunks = list(cut_chunks(pieces, core_frames=own, lookahead_frames=ahead, hop_length=HOP))
    check_cover(chunks, count=count, own=own, ahead=ahead)
    if count > own + ahead:
        assert chunks[-1].core_frames > ahead  # so the last chunk holds a whole window
    for chunk in chunks:
        if samples:
            heard = chunk.frames.samples
            assert heard is not None
            assert np.array_equal(heard[0], chunk.first_frame * HOP + np.arange(heard.shape[1]))
            assert heard.shape[1] == chunk.frames.power.shape[1] * HOP
        else:
            assert chunk.frames.samples is None


def test_samples_that_end_within_a_frame_stay_whole() -> None:
    first = Frames(np.zeros((1, 9, 1), np.float32), np.zeros((1, 9), np.float32), np.zeros((1, 38), np.float32))
    rest = Frames(np.zeros((1, 1, 1), np.float32), np.zeros((1, 1), np.float32))
    (chunk,) = cut_chunks([first, rest], core_frames=100, lookahead_frames=2, hop_length=HOP)
    assert chunk.core_frames == 10
    assert chunk.frames.samples is not None
    assert chunk.frames.samples.shape == (1, 38)


def test_nothing_comes_of_nothing() -> None:
    assert list(cut_chunks([], core_frames=10, lookahead_frames=2, hop_length=HOP)) == []


def test_chunks_are_handed_out_as_they_fill() -> None:
    pulled: list[int] = []

    def pieces() -> object:
        for piece in counted(400, [50] * 7, samples=False):
            pulled.append(piece.power.shape[1])
            yield piece

    next(cut_chunks(pieces(), core_frames=60, lookahead_frames=10, hop_length=HOP))  # type: ignore[arg-type]
    assert sum(pulled) == 100


@pytest.mark.parametrize(("channels", "seconds"), [(1, 900), (2, 900), (4, 450), (64, 28.125)])
def test_more_channels_make_shorter_chunks(channels: int, seconds: float) -> None:
    assert chunk_frames(channels=channels, frame_rate_hz=100) == pytest.approx(seconds * 100, abs=1)
    assert chunk_frames(channels=channels, frame_rate_hz=50) == pytest.approx(seconds * 50, abs=1)
