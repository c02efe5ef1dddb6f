"""Recordings for tests, synthesised: sound ones of every kind, and those that recorders, disks and people break."""

from __future__ import annotations

import io
import struct

import numpy as np
import numpy.typing as npt
import soundfile

FloatArray = npt.NDArray[np.float32]


def tones(seconds: float, *, rate_hz: int = 8000, channels: int = 1, level: float = 0.3) -> FloatArray:
    """Float32 (n, channels): a chord in each channel, every channel another one, so that a mix-up shows."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    base_hz = min(220.0, rate_hz / 16)
    columns = [np.sin(2 * np.pi * base_hz * (1 + c / 8) * t) + 0.5 * np.sin(5.1 * base_hz * t) for c in range(channels)]
    return (level / 1.5 * np.stack(columns, axis=1)).astype(np.float32)


def encoded(samples: FloatArray, *, rate_hz: int = 8000, format: str = "WAV", subtype: str | None = None) -> bytes:
    """A file that libsndfile writes."""
    buffer = io.BytesIO()
    buffer.name = "buffer"  # without a suffix, so that only `format` counts
    soundfile.write(buffer, samples, rate_hz, format=format, subtype=subtype)
    return buffer.getvalue()


def wav(
    samples: FloatArray, *, rate_hz: int = 8000, data_size: int | None = None, tail: bytes = b"", header_rate: int = 0
) -> bytes:
    """A 16-bit PCM WAV file whose header may say what is not so.

    Args:
        samples: float32 (n, channels).
        rate_hz: sample rate.
        data_size: bytes that the data chunk claims to hold; the truth where None.
        tail: what follows the samples.
        header_rate: sample rate that the header claims; the truth where 0.
    """
    channels = samples.shape[1]
    data = np.round(samples * 32767).astype("<i2").tobytes()
    rate = header_rate or rate_hz
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2 & 0xFFFFFFFF, channels * 2, 16)
    claimed = len(data) if data_size is None else data_size
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", claimed) + data + tail
    return b"RIFF" + struct.pack("<I", min(len(body), 0xFFFFFFFF)) + body


def with_format_tag(wav_file: bytes, tag: int) -> bytes:
    """A WAV file that claims another codec."""
    place = wav_file.index(b"fmt ") + 8
    return wav_file[:place] + struct.pack("<H", tag) + wav_file[place + 2 :]


def id3_tag(size: int) -> bytes:
    """An ID3v2 tag in front of a file, with `size` bytes of picture."""
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00\x00" + digits + b"\xff\xfb" * (size // 2) + b"\0" * (size % 2)
