"""What is kept on disk between runs: features and finished networks. Safe to delete; files are there whole or not.

One `.npz` a clip, named by everything that decides it: `joblib.Memory` would keep three files each, throw all of them
away when a line of the function changes, and say nothing to somebody whose disk is full.
"""

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
from sertag.text import display_name


def default_cache() -> Path:
    """The user's folder for caches: `sertag` in `$XDG_CACHE_HOME`, by default in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sertag"


def cache_arrays(place: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Keep arrays by name as `.npz`; errors as of `cache_bytes`."""
    memory = io.BytesIO()  # an archive that is written straight to a full disk fails again when it is closed
    np.savez(memory, **arrays)  # type: ignore[arg-type]
    cache_bytes(place, memory.getvalue())


def cache_bytes(place: Path, content: bytes) -> None:
    """Keep a file, in a folder that is made; an ExportError, and nothing left, where it cannot be written."""
    unfinished = place.with_name(f"{place.name}.{os.getpid()}.tmp")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(place)
    except OSError as error:
        with suppress(OSError):  # what went wrong first is what has to be told
            unfinished.unlink()
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        advice = "make room and run the same command again, which goes on from what is there, or name another folder"
        message = f"{display_name(str(place))}: cannot keep this for the next run: {reason}; {advice} with --cache"
        raise ExportError(message, code="cannot_cache") from error
