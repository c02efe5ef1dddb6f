"""Pieces of recordings for the page: ten seconds around the worst one, and the outline of a waveform.

They are made in a separate process, because a recording may crash the library that reads it; then only that piece is
missing from the page. The process reads jobs as lines of JSON and answers each with one line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sertag.errors import SertagError
from sertag.text import display_name

_TIMEOUT_S = 120.0
_PEAKS_RATE_HZ = 8000
_PEAKS = 1200  # of a waveform: more than a page is wide
# Not `-m`, which would search the current folder for modules first, and that may contain untrusted files.
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from sertag.report.excerpts import main; main()"


@dataclass(frozen=True, slots=True)
class Job:
    """A piece that is wanted.

    Attributes:
        kind: `sound`, an Ogg file with Opus, or `peaks`, the outline of each channel.
        file: path of the recording as Python opens it.
        start_s, end_s: of the sound; of peaks the whole recording.
    """

    kind: Literal["sound", "peaks"]
    file: str
    start_s: float
    end_s: float


def make(jobs: Sequence[Job], *, timeout_s: float = _TIMEOUT_S) -> Iterator[tuple[Job, dict[str, Any] | str]]:
    """Do all jobs, in order.

    Args:
        jobs: what is wanted.
        timeout_s: longest time for one.

    Yields:
        Each job and its answer: of a sound `data` (base64), `start_s` and `end_s`; of peaks `channels`, a text of
        base64 for each, a byte a bin. Or, where it failed, why, in a sentence.
    """
    todo = list(jobs)
    while todo:
        done = 0
        for answer in _answers(todo, timeout_s):
            yield todo[done], answer
            done += 1
        todo = todo[done:]
        if todo:  # the process ended at the first of them
            yield (
                todo[0],
                f"{display_name(todo[0].file)}: the process that read it crashed or took over {timeout_s:g} s",
            )
            del todo[0]


def main() -> None:
    """The process's end."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever a decoder prints is no answer
    for line in sys.stdin:
        job = Job(**json.loads(line))
        try:
            answer: object = _sound(job) if job.kind == "sound" else _peaks(job)
        except SertagError as error:
            answer = str(error)
        print(json.dumps(answer), file=answers, flush=True)


def _answers(jobs: Sequence[Job], timeout_s: float) -> Iterator[dict[str, Any] | str]:
    process = subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-c", _PROGRAM, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="ascii",
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process without pipes")
    try:
        # Written beside the reading: more jobs than a pipe holds would wait for each other's answers.
        threading.Thread(target=_write, args=(process, jobs), daemon=True).start()
        for _ in jobs:
            timer = threading.Timer(timeout_s, process.kill)
            timer.start()
            line = process.stdout.readline()
            timer.cancel()
            if not line.endswith("\n"):
                return
            yield json.loads(line)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _write(process: subprocess.Popen[str], jobs: Sequence[Job]) -> None:
    if process.stdin is not None:
        try:
            process.stdin.writelines(json.dumps(asdict(job)) + "\n" for job in jobs)
            process.stdin.close()
        except OSError:  # it has ended, which whoever reads its answers sees
            return


def _sound(job: Job) -> dict[str, Any]:
    from sertag.audio.decode import open_audio
    from sertag.audio.encoders.opus import encode_opus

    with open_audio(job.file) as source:
        rate_hz = 8000 if source.rate_hz <= 8000 else 16000
        first, last = (max(0, round(second * rate_hz)) for second in (job.start_s, job.end_s))
        pieces, at = [], 0
        for block in source.blocks(rate_hz=rate_hz):
            piece = block[:, max(0, first - at) : max(0, last - at)]
            at += block.shape[1]
            if piece.shape[1]:
                pieces.append(piece if source.channels <= 2 else piece.mean(axis=0, keepdims=True))
            if at >= last:
                break
    if not pieces:
        raise SertagError(f"{display_name(job.file)}: has no sound at {job.start_s:.1f} s; was it changed?")
    data = encode_opus(pieces, rate_hz=rate_hz, channels=len(pieces[0]))
    length_s = sum(piece.shape[1] for piece in pieces) / rate_hz
    return {"data": b64encode(data).decode(), "start_s": first / rate_hz, "end_s": first / rate_hz + length_s}


def _peaks(job: Job) -> dict[str, Any]:
    import numpy as np

    from sertag.audio.decode import open_audio

    with open_audio(job.file) as source:
        bins = np.zeros((source.channels, _PEAKS), dtype=np.float32)
        per_second, at = _PEAKS / job.end_s, 0
        for block in source.blocks(rate_hz=_PEAKS_RATE_HZ):
            places = ((at + np.arange(block.shape[1])) / _PEAKS_RATE_HZ * per_second).astype(np.int64)
            for channel, samples in zip(bins, block, strict=True):
                np.maximum.at(channel, np.minimum(places, _PEAKS - 1), np.abs(samples))
            at += block.shape[1]
    return {"channels": [b64encode((255 * channel).astype(np.uint8).tobytes()).decode() for channel in bins]}
