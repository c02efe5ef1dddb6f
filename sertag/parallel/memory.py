"""Memory of a process that is ours alone, a worker: freed blocks stay with it, and there is a most that it may have.

Every block of a recording needs the same memory again; by default glibc returns large arrays to the system and takes
them back page by page, which costs a tenth of a run. And no recording needs more than some hundred megabytes, however
long, so that whatever asks for gigabytes is damaged or hostile, and is refused by the kernel.
"""

from __future__ import annotations

import ctypes
import resource

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h, see mallopt(3)
_KEPT_BYTES = 128 << 20  # at the end of the heap
_HEAP_BYTES = 32 << 20  # arrays up to this size come from the heap; the most that glibc takes

_MOST_BYTES = 4 << 30  # for recordings; the largest there can be, 64 channels, takes a tenth of it
_MODEL_TIMES = 4  # its file's bytes, its graph, its weights as the runtime lays them out, and what it computes


def keep_freed_memory() -> None:
    """Have glibc keep what is freed for the next block; does nothing where the C library is another."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # no glibc: no such function, or no way to look
        return
    mallopt(_MMAP_THRESHOLD, _HEAP_BYTES)
    mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def limit_memory(*, model_bytes: int) -> None:
    """Have the kernel refuse more memory than recordings and a model can need.

    Args:
        model_bytes: size of the model file.
    """
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _MOST_BYTES + _MODEL_TIMES * model_bytes
    limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
