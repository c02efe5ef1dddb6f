"""A microphone, through the sound system of this computer (the extra `listen`)."""

from __future__ import annotations

import queue
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from sertag.audio.devices.sound_system import DeviceError, backends, check_backend, load_miniaudio, opening
from sertag.live.events import Gap, Reason
from sertag.live.sources.source import SourceError
from sertag.records import FloatArray
from sertag.text import display_text

GONE_S = 3.0  # a microphone that gives nothing for so long, not even silence, is gone

_PERIOD_MS = 100
_LONGEST_S = 60.0  # of audio that waits for the reader, which waits for nothing
_ADVICE = "`sertag listen --list-devices` shows what there is"


class Microphone:
    """An open microphone; see `source.Source`."""

    def __init__(self, *, rate_hz: int, channels: int, device: str | None = None, null: bool = False) -> None:
        """Open it and begin to record.

        Args:
            rate_hz: that miniaudio converts to.
            channels: likewise.
            device: number or a part of the name of a microphone; None for the system's default.
            null: a device that gives silence, for tests.

        Raises:
            SourceError: the extra is not installed, there is no such device, or it cannot be opened.
        """
        self.name, self.channels, self.rate_hz = "microphone", channels, rate_hz
        self.call: dict[str, str] = {}
        self.reason: Reason = "end_of_stream"
        self.declared_samples: int | None = None
        self._pieces: queue.Queue[bytes | None] = queue.Queue(round(1000 * _LONGEST_S / _PERIOD_MS))
        self._closed = False
        try:
            self._device = self._opened(device, null)
        except DeviceError as error:
            raise SourceError(
                f"{error}; {_ADVICE}" if error.code == "no_device" else str(error), code=error.code
            ) from error

    def _opened(self, device: str | None, null: bool) -> Any:
        """The device at work."""
        library = load_miniaudio()
        chosen = None if device is None else _find(library, device, null)
        with opening(library, "the microphone"):
            opened = library.CaptureDevice(
                input_format=library.SampleFormat.FLOAT32,
                nchannels=self.channels,
                sample_rate=self.rate_hz,
                buffersize_msec=_PERIOD_MS,
                device_id=None if chosen is None else chosen["id"],
                backends=backends(library, null=null),
                app_name="sertag",
            )
            check_backend(opened, "the microphone", null=null)
            opened.stop_callback = self._stopped
            recorder = self._record()
            next(recorder)
            opened.start(recorder)
        if chosen is not None:
            self.call["device"] = chosen["name"]
        return opened

    def items(self) -> Iterator[FloatArray | Gap]:
        """The samples, float32 (n, channels), until it is closed."""
        while True:
            try:
                data = self._pieces.get(timeout=GONE_S)
            except queue.Empty:
                data = None
            if data is None:
                if self._closed:
                    return
                message = f"the microphone gives nothing any more; was it unplugged? {_ADVICE}"
                raise SourceError(message, code="microphone_gone")
            yield np.frombuffer(data, dtype=np.float32).reshape(-1, self.channels)

    def close(self) -> None:
        """Stop recording."""
        self._closed = True
        self._device.close()
        self._stopped()

    def _record(self) -> Generator[None, bytes, None]:
        """What miniaudio sends to, on its own thread, which must never wait."""
        while True:
            data = yield
            try:
                self._pieces.put_nowait(bytes(data))
            except queue.Full:
                return  # nobody reads any more; a reader that only lags has a minute

    def _stopped(self) -> None:
        try:
            self._pieces.put_nowait(None)
        except queue.Full:
            pass  # then nobody waits


def device_names(*, null: bool = False) -> list[str]:
    """The microphones there are, in the order of their numbers.

    Raises:
        SourceError: the extra is not installed, or there is no sound system.
    """
    try:
        return [display_text(found["name"]) for found in _devices(load_miniaudio(), null)]
    except DeviceError as error:
        raise SourceError(str(error), code=error.code) from error


def _devices(library: Any, null: bool) -> list[dict[str, Any]]:
    with opening(library, "the microphone"):
        found = library.Devices(backends(library, null=null))
        check_backend(found, "the microphone", null=null)
        return list(found.get_captures())


def _find(library: Any, device: str, null: bool) -> dict[str, Any]:
    devices = _devices(library, null)
    if device.isascii() and device.isdigit() and int(device) < len(devices):
        return devices[int(device)]
    matching = [found for found in devices if device.lower() in found["name"].lower()]
    if len(matching) != 1:
        found = f"{len(matching)} microphones match" if matching else "no microphone matches"
        raise DeviceError(f"{found} {display_text(device)!r}", code="no_device")
    return matching[0]
