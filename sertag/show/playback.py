"""A recording through the loudspeaker, by miniaudio (the extra `listen`), decoded by what decodes all others."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np

from sertag.audio.decode import open_audio
from sertag.errors import SertagError
from sertag.records import FloatArray
from sertag.show.clip import from_start
from sertag.text import display_text

_BLOCK_S = 0.25
_BUFFER_MS = 100
_TICK_S = 0.1
_MOST_CHANNELS = 2
_HIGHEST_RATE_HZ = 384_000  # of miniaudio


class PlaybackError(SertagError):
    """There is nothing to play on."""


def play(
    path: str,
    *,
    start_s: float = 0.0,
    raw: str | None = None,
    stop: threading.Event,
    moved: Callable[[float], None],
    null: bool = False,
) -> float:
    """Play a recording to its end.

    Args:
        path: of the recording.
        start_s: where to begin.
        raw: how samples without a header are written.
        stop: set by whoever has heard enough.
        moved: is told ten times a second which second is being played.
        null: a device that nobody hears, for tests.

    Returns:
        The second at which it ended.

    Raises:
        DecodeError: it cannot be read.
        PlaybackError: the extra is not installed, or there is no sound system.
    """
    library = _miniaudio()
    with open_audio(path, raw=raw) as audio:
        channels = min(audio.channels, _MOST_CHANNELS)
        rate_hz = min(audio.rate_hz, _HIGHEST_RATE_HZ)
        sound = _Sound(from_start(audio, start_s, block_s=_BLOCK_S), channels)
        try:
            with library.PlaybackDevice(
                output_format=library.SampleFormat.FLOAT32,
                nchannels=channels,
                sample_rate=rate_hz,
                buffersize_msec=_BUFFER_MS,
                backends=[library.Backend.NULL] if null else None,
                app_name="sertag",
            ) as device:
                if device.backend == "Null" and not null:
                    raise PlaybackError("there is no sound system to play on", code="no_loudspeaker")
                stream = sound.stream()
                next(stream)
                device.start(stream)
                while not (stop.is_set() or sound.over.wait(_TICK_S)):
                    moved(start_s + sound.samples / audio.rate_hz)
        except library.MiniaudioError as error:
            reason = display_text(" ".join(map(str, error.args)))
            raise PlaybackError(f"the loudspeaker cannot be opened ({reason})", code="no_loudspeaker") from error
        if sound.error is not None:
            raise sound.error
        end_s = start_s + sound.samples / audio.rate_hz
        moved(end_s)
        return end_s


class _Sound:
    """What miniaudio asks for, on its own thread."""

    def __init__(self, blocks: Iterator[FloatArray], channels: int) -> None:
        self._blocks, self._channels = blocks, channels
        self.samples = 0  # played, of each channel
        self.over = threading.Event()
        self.error: SertagError | None = None

    def stream(self) -> Generator[bytes, int, None]:
        """So many samples as it asks for, interleaved."""
        wanted = yield b""
        rest = np.zeros((self._channels, 0), dtype=np.float32)
        try:
            while True:
                while rest.shape[1] < wanted and (block := next(self._blocks, None)) is not None:
                    rest = np.concatenate([rest, self._mixed(block)], axis=1)
                part, rest = rest[:, :wanted], rest[:, wanted:]
                if not part.shape[1]:
                    break
                self.samples += part.shape[1]
                wanted = yield np.ascontiguousarray(part.T, dtype=np.float32).tobytes()
        except SertagError as error:  # it would be printed and lost on that thread
            self.error = error
        self.over.set()
        yield b""

    def _mixed(self, block: FloatArray) -> FloatArray:
        """One or two channels as they are; the mean of more of them on both sides."""
        if len(block) == self._channels:
            return block
        return np.repeat(block.mean(axis=0, keepdims=True), self._channels, axis=0)


def _miniaudio() -> Any:
    try:
        return importlib.import_module("miniaudio")
    except ImportError as error:
        message = "playing needs miniaudio, which is not installed; run: pip install 'sertag[listen]'"
        raise PlaybackError(message, code="needs_listen") from error
