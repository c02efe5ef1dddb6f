"""Runs of the fuzzer in a process of its own, and what it says at the end.

Used by `benchmarks.torture`; `benchmarks.torture.fuzz_decode` is what runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HANG_S, MEMORY_MB, LONGEST_BYTES = 20, 2048, 65_536
_TROUBLE = {"crashes": "crash-*", "hangs": "timeout-*", "out_of_memory": "oom-*"}


def run_fuzzer(corpus: Path, *, seconds: int, seed: int) -> dict[str, Any]:
    """Fuzz the decoders.

    Args:
        corpus: folder that keeps what reached new code, and inputs that made trouble.
        seconds: how long.
        seed: of the fuzzer.

    Returns:
        Counts, which `mutant_runs.add` adds to those of other runs.

    Raises:
        RuntimeError: it did not run, for example because atheris is not installed.
    """
    kept, trouble = corpus / "kept", corpus / "trouble"
    for folder in (kept, trouble):
        folder.mkdir(parents=True, exist_ok=True)
    before = _trouble(trouble)
    limits = [f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_len={LONGEST_BYTES}", "-print_final_stats=1"]
    options = [*limits, f"-max_total_time={seconds}", f"-seed={seed}", f"-artifact_prefix={trouble}/"]
    started_s = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.torture.fuzz_decode", str(kept), *options]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    statistics = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
    found = {name: count - before[name] for name, count in _trouble(trouble).items()}
    if "number_of_executed_units" not in statistics and not any(found.values()):
        raise RuntimeError(f"the fuzzer ended with {done.returncode}: {done.stderr[-2000:]}")
    return {
        "runs": 1,
        "seconds": round(time.monotonic() - started_s, 1),
        "executions": int(statistics.get("number_of_executed_units", 0)),
        "new_inputs": int(statistics.get("new_units_added", 0)),
        "largest_mb": int(statistics.get("peak_rss_mb", 0)),
        **found,
    }


def _trouble(folder: Path) -> dict[str, int]:
    return {name: len(list(folder.glob(pattern))) for name, pattern in _TROUBLE.items()}
