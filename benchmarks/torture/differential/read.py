"""Reads recordings as sertag does and says what it found; `benchmarks.torture.differential` runs it as a child.

    python read.py < PATHS      # one path a line; one JSON line for each

It imports nothing of the benchmarks, so that PYTHONPATH decides which sertag is tried. What libraries write to standard
error belongs to the answer, because a user would see it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from typing import Any

import numpy as np

from sertag.audio.decode import open_audio
from sertag.errors import DecodeError

RATE_HZ, OUTLINE_STEP = 8000, 400  # as in `ffmpeg`
_LONGEST_S = 400.0
_MEMORY_BYTES = 4 << 30


def main() -> None:
    """Answer path by path."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        for line in sys.stdin:
            found = read(line.rstrip("\n"))
            said.seek(0)
            found["said"] = said.read().decode(errors="replace")[:500]
            said.seek(0)
            said.truncate()
            print(json.dumps(found), flush=True)


def read(path: str) -> dict[str, Any]:
    """What is read of a recording: seconds, channels, rate, notes, and the outline of its loudness."""
    found: dict[str, Any] = {"code": "", "message": "", "note": "", "note_code": "", "seconds": 0.0, "outline": []}
    blocks: list[Any] = []
    try:
        with open_audio(path) as audio:
            found |= {"channels": audio.channels, "rate_hz": audio.rate_hz}
            for block in audio.blocks(rate_hz=RATE_HZ):
                blocks.append(block)
                if audio.duration_s > _LONGEST_S:
                    break
            found["seconds"] = audio.duration_s
            if audio.problem is not None:
                found |= {"note_code": audio.problem.code, "note": audio.problem.message}
    except DecodeError as error:
        return found | {"code": error.code, "message": str(error)}
    except Exception as error:  # what must never happen is to be reported, not to end the run
        return found | {"code": "raised", "message": f"{type(error).__name__}: {error}"}
    return found | {"outline": _outline(np.concatenate(blocks, axis=1))} if blocks else found


def _outline(samples: Any) -> list[list[float]]:
    whole = samples[:, : samples.shape[1] // OUTLINE_STEP * OUTLINE_STEP]
    magnitudes = np.abs(whole.reshape(len(samples), -1, OUTLINE_STEP)).mean(axis=2)  # (c, n)
    return [[round(float(x), 5) for x in channel] for channel in magnitudes]


if __name__ == "__main__":
    main()
