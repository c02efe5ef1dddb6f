from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from sertag.parallel.memory import keep_freed_memory

FAULTS = """
import resource
import numpy as np
from sertag.parallel.memory import keep_freed_memory
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


LIMITED = """
import numpy as np
from sertag.parallel.memory import limit_memory
limit_memory(model_bytes={model_bytes})
kept = [np.empty(1 << 30, np.uint8) for _ in range({gib})]
print("there was enough")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit does not count arrays")
@pytest.mark.parametrize(("model_bytes", "gib", "enough"), [(0, 3, True), (0, 5, False), (1 << 30, 5, True)])
def test_a_process_has_its_share_and_no_more(model_bytes: int, gib: int, enough: bool) -> None:
    command = [sys.executable, "-c", LIMITED.format(model_bytes=model_bytes, gib=gib)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ("there was enough" in done.stdout) == enough
    assert ("MemoryError" in done.stderr) != enough
