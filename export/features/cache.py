"""Arrays that are kept on disk between runs: a `.npz` file that is there whole or not at all."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from export.errors import ExportError


def keep_progress(place: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Write what an interrupted training goes on from.

    Args:
        place: the file; its folder is there.
        arrays: by name.

    Raises:
        ExportError: the file cannot be written; nothing of it is left, and an older one still stands.
    """
    try:
        _save(place, arrays)
    except OSError as error:
        reason = error.strerror or str(error)
        advice = "make room or name another --out; the same command goes on from what was kept last"
        raise ExportError(f"{place}: cannot keep the training: {reason}; {advice}", code="cannot_write") from error


def cache_arrays(place: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Write features; arguments and errors as of `keep_progress`."""
    try:
        _save(place, arrays)
    except OSError as error:
        raise _cannot_cache(place.parent, error) from error


def make_cache(folder: Path) -> None:
    """Make the folder of a cache where it is not there.

    Raises:
        ExportError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_cache(folder, error) from error


def _save(place: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    memory = io.BytesIO()  # an archive that is written straight to a full disk fails again when it is closed
    np.savez(memory, **arrays)  # type: ignore[arg-type]
    unfinished = place.with_name(f"{place.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(memory.getbuffer())
        unfinished.replace(place)
    except OSError:
        with suppress(OSError):  # what went wrong first is what has to be told
            unfinished.unlink()
        raise


def _cannot_cache(folder: Path, error: OSError) -> ExportError:
    reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
    advice = "what is there already stays of use: make room and run the same command again, or name another folder"
    return ExportError(f"{folder}: cannot keep features: {reason}; {advice} with --cache", code="cannot_cache")
