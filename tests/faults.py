"""Faults that recordings cause, played by their names: imported by a worker in place of real decoders that fail.

`kills_3.wav` kills the process that opens it; `ok_3.wav` is opened as it is.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

from sertag.audio import decode
from sertag.model.session import Model
from sertag.records import AudioFile, FileResult, Options
from sertag.tagging import pipeline

PATIENCE_S = 30.0

_tag_file = pipeline.tag_file


def tag_file(file: AudioFile, *, model: Model, options: Options) -> FileResult:
    """Fail where nobody catches it, as where there is no memory left for the answer."""
    if Path(file.path).name == "chokes.wav":
        raise MemoryError("no room for the answer")
    return _tag_file(file, model=model, options=options)


def open_audio(path: str, *, raw: str | None = None) -> decode.AudioSource:
    """Do what the name of the file says, and open it if that comes to an end."""
    name = Path(path).name.split(".")[0].split("_")[0]
    if name in FAULTS:
        FAULTS[name]()
    elif name == "patient":
        _wait_for(Path(path).with_name("last.opened"))
    elif name == "once":
        _kills_once(Path(path))
    elif name == "last":
        Path(path).with_name("last.opened").touch()
    return decode.open_audio(path, raw=raw)


def open_recording(file: AudioFile, *, raw: str | None = None) -> decode.AudioSource:
    """The same for a recording that was found."""
    return open_audio(file.path, raw=raw) if file.remote is None else decode.open_recording(file, raw=raw)


def _kills() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kills_once(path: Path) -> None:
    """As a system does that is short of memory for a moment."""
    if not (tried := path.with_suffix(".tried")).exists():
        tried.touch()
        _kills()


def _crashes() -> None:
    ctypes.string_at(0)


def _leaves() -> None:
    os._exit(3)


def _hangs() -> None:
    """In C, with the interpreter locked: no other thread of the process runs again."""
    ctypes.PyDLL(None).sleep(1000)


def _loops() -> None:
    while True:
        pass


def _stops() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _waits() -> None:
    time.sleep(0.7)


def _shouts() -> None:
    for descriptor in (1, 2):
        os.write(descriptor, b"\x1b[31m a decoder complains\n" * 1000)


def _raises() -> None:
    raise ZeroDivisionError("nobody \x1b[31m foresaw this")


def _eats() -> None:
    """More than a worker may have, and less than a system gives away that does not count what is only promised."""
    bytes(5 << 30)


def _wait_for(place: Path) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not place.exists():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{place.name} is not there")
        time.sleep(0.01)


FAULTS = {
    "kills": _kills,
    "crashes": _crashes,
    "leaves": _leaves,
    "hangs": _hangs,
    "loops": _loops,
    "stops": _stops,
    "waits": _waits,
    "shouts": _shouts,
    "raises": _raises,
    "eats": _eats,
}

pipeline.open_recording = open_recording
pipeline.tag_file = tag_file
