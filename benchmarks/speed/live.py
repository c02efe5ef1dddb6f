"""What listening costs, and how late it is: a stereo call in packets of 20 ms, at the pace of a telephone.

    python -m benchmarks.speed.live

Twice. On a core of its own: time is that of the audio and the processor time that each packet took, which is what a
machine with nothing else to do gives, and does not depend on what else this one does. Through a pipe: `sertag listen`
as users run it, measured from outside, from the writing of a window's last packet to the reading of its line, with
whatever else keeps the machine busy; the load before it is in the JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.machine import machine as described
from sertag.live.events import Window
from sertag.live.session.session import Session
from sertag.model.session import load
from sertag.records import Options

ROOT = Path(__file__).parents[2]
CALL = ROOT / "examples" / "calls" / "2026-03-02_0901_billing_complaint.wav"
RESULTS = ROOT / "benchmarks" / "results" / "listen.json"
PACKET_S = 0.02


def main(argv: list[str] | None = None) -> int:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="on a core of its own")
    parser.add_argument("--pipe-seconds", type=float, default=60.0, help="through a pipe")
    parser.add_argument("--models", nargs="+", default=["phone-deep", "phone"])
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(argv)
    report: dict[str, Any] = {"machine": described(), "call": CALL.name}
    report |= {"seconds": given.seconds, "pipe_seconds": given.pipe_seconds}
    report["runs"] = [
        alone(model, given.seconds) | {"pipe": piped(model, given.pipe_seconds)} for model in given.models
    ]
    given.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report["runs"], indent=1))
    return 0


def alone(model: str, seconds: float) -> dict[str, Any]:
    """Listen on a core of its own, whose time is that of the audio and what it computes."""
    whole, rate_hz = _call(seconds)
    loaded, lags_ms, spent_s = load(model), [], 0.0
    session = Session(model=loaded, channels=whole.shape[1], rate_hz=rate_hz, options=Options(), path="-")
    step = round(PACKET_S * rate_hz)
    for start in range(0, len(whole), step):
        packet = (whole[start : start + step] / np.float32(32768)).astype(np.float32)
        before_s = time.process_time()
        events = session.push(packet)
        took_s = time.process_time() - before_s
        spent_s += took_s
        windows = [event for event in events if isinstance(event, Window)]
        lags_ms += [1000 * (session.duration_s - event.segment.end_s + took_s) for event in windows]
    before_s = time.process_time()
    session.finish("end_of_stream")
    return {
        "model": model,
        "windows": len(lags_ms),
        "lag_ms": _lags(lags_ms),
        "core_share": round(spent_s / seconds, 4),
        "last_word_s": round(time.process_time() - before_s, 2),
    }


def piped(model: str, seconds: float) -> dict[str, Any]:
    """Listen through a pipe, in real time."""
    whole, rate_hz = _call(seconds)
    command = [sys.executable, "-m", "sertag", "listen", "--raw", "s16le", "--channels", str(whole.shape[1])]
    command += ["--rate", str(rate_hz), "--model", model]
    with subprocess.Popen(  # noqa: S603 - the arguments are those of this module
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        lines: list[tuple[float, dict[str, Any]]] = []
        reader = threading.Thread(target=_read, args=(process, lines))
        reader.start()
        written_s, spent_s = _write(process, whole, rate_hz, lines)
        over_s = time.monotonic()
        reader.join()
    windows = [(at_s, line) for at_s, line in lines if line["event"] == "window" and line["provisional"]]
    end_s, end = lines[-1]
    if process.returncode or end["event"] != "end" or end["dropped_ms"]:
        raise ValueError(f"listening with {model} ended with {process.returncode}: {end}")
    return {
        "lag_ms": _lags([1000 * (at_s - _when(written_s, line["end_s"])) for at_s, line in windows]),
        "core_share": round(spent_s / seconds, 4),
        "last_word_s": round(end_s - over_s, 2),
    }


def _call(seconds: float) -> tuple[Any, int]:
    """So many seconds of a call, int16 (n, channels), again and again, and its rate."""
    samples, rate_hz = soundfile.read(CALL, dtype="int16")
    return np.resize(samples, (round(seconds * rate_hz), samples.shape[1])), rate_hz


def _lags(lags_ms: list[float]) -> dict[str, int]:
    return {"median": round(sorted(lags_ms)[len(lags_ms) // 2]), "largest": round(max(lags_ms))}


def _write(
    process: subprocess.Popen[bytes], whole: Any, rate_hz: int, lines: list[tuple[float, dict[str, Any]]]
) -> tuple[list[float], float]:
    """Write packets when they are due; when each was written, and the processor seconds since the start."""
    if process.stdin is None:
        raise ValueError("no pipe")
    while not lines:  # it says `start` at once, as the format is known
        time.sleep(0.01)
    started_s, before_s, written_s = time.monotonic(), _spent_s(process.pid), []
    step = round(PACKET_S * rate_hz)
    for number, start in enumerate(range(0, len(whole), step)):
        time.sleep(max(0.0, started_s + (number + 1) * PACKET_S - time.monotonic()))
        process.stdin.write(whole[start : start + step].tobytes())
        process.stdin.flush()
        written_s.append(time.monotonic())
    spent_s = _spent_s(process.pid) - before_s
    process.stdin.close()
    return written_s, spent_s


def _read(process: subprocess.Popen[bytes], lines: list[tuple[float, dict[str, Any]]]) -> None:
    if process.stdout is None:
        raise ValueError("no pipe")
    for line in process.stdout:
        lines.append((time.monotonic(), json.loads(line)))


def _when(written_s: list[float], end_s: float) -> float:
    return written_s[min(len(written_s), max(1, round(end_s / PACKET_S + 0.499))) - 1]


def _spent_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
