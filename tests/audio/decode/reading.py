"""Reading of recordings that a test has just made."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from sertag.audio.decode import open_audio
from sertag.errors import DecodeError
from sertag.records import FloatArray, Problem
from tests.audio_files import tones


def put(folder: Path, content: bytes, name: str = "call.wav") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def read(path: str, *, rate_hz: int | None = None, block_s: float = 60.0) -> FloatArray:
    """All samples, (channels, n), at the file's own rate unless told."""
    with open_audio(path) as audio:
        return np.concatenate(list(audio.blocks(rate_hz=rate_hz or audio.rate_hz, block_s=block_s)), axis=1)


def read_with_problem(path: str) -> tuple[float, Problem | None]:
    with open_audio(path) as audio:
        for _ in audio.blocks(rate_hz=audio.rate_hz):
            pass
        return audio.duration_s, audio.problem


def refusal(path: str) -> DecodeError:
    with pytest.raises(DecodeError) as caught, open_audio(path) as audio:
        list(audio.blocks(rate_hz=8000))
    assert path == "-" or os.path.basename(path) in str(caught.value)
    return caught.value


def correlation(a: FloatArray, b: FloatArray) -> float:
    n = min(a.shape[1], b.shape[1])
    return float(np.corrcoef(a[:, :n].ravel(), b[:, :n].ravel())[0, 1])


def av_file(folder: Path, *, container: str, codec: str, rate_hz: int, seconds: float = 3) -> tuple[str, FloatArray]:
    """A file that PyAV writes, named .wav because names do not matter, and its samples."""
    av = pytest.importorskip("av")
    samples = tones(seconds, rate_hz=rate_hz)
    path = str(folder / "call.wav")
    with av.open(path, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz)
        stream.layout, stream.bit_rate = "mono", 64_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="mono")
        frame.rate = rate_hz
        fifo = av.AudioFifo()
        fifo.write(frame)
        while part := fifo.read(stream.frame_size or 1024, partial=True):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return path, samples.T


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
