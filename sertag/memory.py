"""Freed memory stays with the process: every block of a recording needs the same again.

By default glibc returns large arrays to the system and takes them back page by page, which costs a tenth of a run. This
is for processes that are ours alone, the command and its workers, not for a program that imports sertag.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h, see mallopt(3)
_KEPT_BYTES = 128 << 20  # at the end of the heap
_HEAP_BYTES = 32 << 20  # arrays up to this size come from the heap; the most that glibc takes


def keep_freed_memory() -> None:
    """Have glibc keep what is freed for the next block; does nothing where the C library is another."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # no glibc: no such function, or no way to look
        return
    mallopt(_MMAP_THRESHOLD, _HEAP_BYTES)
    mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
