"""Plays a recording through the loudspeaker (the extra `listen`), with the same decoders as tagging."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np

from sertag.audio.decode import AudioSource, open_recording
from sertag.audio.devices.sound_system import backends, check_backend, load_miniaudio, opening
from sertag.errors import SertagError
from sertag.records import AudioFile, FloatArray
from sertag.show.clip import from_start

_BLOCK_S = 0.25
_BUFFER_MS = 100
_TICK_S = 0.1
_MOST_CHANNELS = 2
_HIGHEST_RATE_HZ = 384_000  # limit of miniaudio


def play(
    file: AudioFile,
    *,
    start_s: float = 0.0,
    raw: str | None = None,
    stop: threading.Event,
    moved: Callable[[float], None],
    null: bool = False,
) -> float:
    """Play a recording to its end.

    Args:
        file: the recording.
        start_s: start of the playback, in seconds.
        raw: format of samples without a header.
        stop: an event that stops the playback when it is set.
        moved: called ten times a second with the position in seconds.
        null: use a silent device, for tests.

    Returns:
        The position at the end, in seconds.

    Raises:
        DecodeError: the recording cannot be read.
        DeviceError: the extra is not installed, or there is no sound system.
    """
    library = load_miniaudio()
    with open_recording(file, raw=raw) as audio:
        sound = _Sound(from_start(audio, start_s, block_s=_BLOCK_S), min(audio.channels, _MOST_CHANNELS))
        with _opened(library, audio, sound, null):
            while not (stop.is_set() or sound.over.wait(_TICK_S)):
                moved(start_s + sound.samples / audio.rate_hz)
        if sound.error is not None:
            raise sound.error
        end_s = start_s + sound.samples / audio.rate_hz
        moved(end_s)
        return end_s


def _opened(library: Any, audio: AudioSource, sound: _Sound, null: bool) -> Any:
    """The started playback device."""
    with opening(library, "the loudspeaker"):
        device = library.PlaybackDevice(
            output_format=library.SampleFormat.FLOAT32,
            nchannels=sound.channels,
            sample_rate=min(audio.rate_hz, _HIGHEST_RATE_HZ),
            buffersize_msec=_BUFFER_MS,
            backends=backends(library, null=null),
            app_name="sertag",
        )
        check_backend(device, "the loudspeaker", null=null)
        stream = sound.stream()
        next(stream)
        device.start(stream)
    return device


class _Sound:
    """Supplies the samples that miniaudio requests on its own thread."""

    def __init__(self, blocks: Iterator[FloatArray], channels: int) -> None:
        self._blocks, self.channels = blocks, channels
        self.samples = 0  # played samples per channel
        self.over = threading.Event()
        self.error: SertagError | None = None

    def stream(self) -> Generator[bytes, int, None]:
        """Yields the requested number of interleaved samples."""
        wanted = yield b""
        rest = np.zeros((self.channels, 0), dtype=np.float32)
        try:
            while True:
                while rest.shape[1] < wanted and (block := next(self._blocks, None)) is not None:
                    rest = np.concatenate([rest, self._mixed(block)], axis=1)
                part, rest = rest[:, :wanted], rest[:, wanted:]
                if not part.shape[1]:
                    break
                self.samples += part.shape[1]
                wanted = yield np.ascontiguousarray(part.T, dtype=np.float32).tobytes()
        except SertagError as error:  # raised on that thread it would be lost
            self.error = error
        self.over.set()
        yield b""

    def _mixed(self, block: FloatArray) -> FloatArray:
        """One or two channels unchanged; more channels as their mean, on both sides."""
        if len(block) == self.channels:
            return block
        return np.repeat(block.mean(axis=0, keepdims=True), self.channels, axis=0)
