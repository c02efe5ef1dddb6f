"""A recording through the loudspeaker (the extra `listen`), decoded by what decodes all others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np

from sertag.audio.decode import AudioSource, open_audio
from sertag.audio.devices.sound_system import backends, check_backend, load_miniaudio, opening
from sertag.errors import SertagError
from sertag.records import FloatArray
from sertag.show.clip import from_start

_BLOCK_S = 0.25
_BUFFER_MS = 100
_TICK_S = 0.1
_MOST_CHANNELS = 2
_HIGHEST_RATE_HZ = 384_000  # of miniaudio


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
        stop: set it to stop the playback.
        moved: called ten times a second with the position, seconds.
        null: use a silent device, for tests.

    Returns:
        The second at which it ended.

    Raises:
        DecodeError: it cannot be read.
        DeviceError: the extra is not installed, or there is no sound system.
    """
    library = load_miniaudio()
    with open_audio(path, raw=raw) as audio:
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
    """The loudspeaker at work."""
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
    """What miniaudio asks for, on its own thread."""

    def __init__(self, blocks: Iterator[FloatArray], channels: int) -> None:
        self._blocks, self.channels = blocks, channels
        self.samples = 0  # played, of each channel
        self.over = threading.Event()
        self.error: SertagError | None = None

    def stream(self) -> Generator[bytes, int, None]:
        """So many samples as it asks for, interleaved."""
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
        except SertagError as error:  # it would be printed and lost on that thread
            self.error = error
        self.over.set()
        yield b""

    def _mixed(self, block: FloatArray) -> FloatArray:
        """One or two channels as they are; the mean of more of them on both sides."""
        if len(block) == self.channels:
            return block
        return np.repeat(block.mean(axis=0, keepdims=True), self.channels, axis=0)
