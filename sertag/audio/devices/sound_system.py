"""The sound system of this computer, through miniaudio (the extra `listen`), which needs no library of its own.

No other module imports miniaudio.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sertag.errors import SertagError
from sertag.text import display_text

_NOTHING = "Null"  # the backend that miniaudio falls back to where there is none


class DeviceError(SertagError):
    """There is no such device, or the extra is not installed."""


def load_miniaudio() -> Any:
    """The library.

    Raises:
        DeviceError: it is not installed.
    """
    try:
        return importlib.import_module("miniaudio")
    except ImportError as error:
        message = (
            "microphones and loudspeakers need miniaudio, which is not installed; run: pip install 'sertag[listen]'"
        )
        raise DeviceError(message, code="needs_listen") from error


def backends(library: Any, *, null: bool) -> list[Any] | None:
    """Which sound systems to try: all of them, or one that nobody hears and that hears nothing."""
    return [library.Backend.NULL] if null else None


@contextmanager
def opening(library: Any, device: str) -> Iterator[None]:
    """Open a device in this block: what libraries of the system print there is kept back, and errors are one line.

    Args:
        library: what `load_miniaudio` gave.
        device: what messages call it, such as `the microphone`.

    Raises:
        DeviceError: it cannot be opened.
    """
    try:
        with _quiet():
            yield
    except library.MiniaudioError as error:
        reason = display_text(" ".join(map(str, error.args)))
        message = f"{device} cannot be opened ({reason}); is there one, and does no other program use it?"
        raise DeviceError(message, code="no_device") from error


def check_backend(opened: Any, device: str, *, null: bool) -> None:
    """Refuse the stand-in for a sound system that is not there.

    Args:
        opened: a device, or a list of devices, of miniaudio.
        device: what messages call it.
        null: the stand-in is wanted.

    Raises:
        DeviceError: it is the stand-in.
    """
    if opened.backend == _NOTHING and not null:
        raise DeviceError(f"{device} cannot be opened: there is no sound system here", code="no_device")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what is written to the descriptor of standard error: ALSA prints a page where there is no card."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
