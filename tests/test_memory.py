from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from sertag.memory import keep_freed_memory

FAULTS = """
import resource
import numpy as np
from sertag.memory import keep_freed_memory
{call}
np.ones(3_000_000, np.float32)  # the first time is never free of charge
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    first = np.ones(3_000_000, np.float32)
    second = np.ones(3_000_000, np.float32)
    del first, second
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_freed_arrays_are_used_again_without_page_faults() -> None:
    command = [sys.executable, "-c", FAULTS.format(call="keep_freed_memory()")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    arrays_bytes = 20 * 2 * 3_000_000 * 4
    assert int(done.stdout) < arrays_bytes / 4096 / 4


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert keep_freed_memory() is None
