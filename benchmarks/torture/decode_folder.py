"""Decodes every file of a folder as the first stage of the pipeline does, and says how each ended.

    python -m benchmarks.torture.decode_folder FOLDER [NAME]     # from the file NAME on

Writes one JSON line a file: its name, the code of the error that refused it (empty for a sound that was read) and
seconds. What `open_audio` and `blocks` must never do (raise anything else, crash, hang) ends the program.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.processes import peak_bytes
from sertag.audio.decode import open_audio
from sertag.errors import DecodeError
from sertag.parallel.worker import limit_memory

RATE_HZ = 8000


def main() -> None:
    """Decode and report."""
    limit_memory(model_bytes=0)
    first = sys.argv[2] if len(sys.argv) > 2 else ""
    for path in sorted(Path(sys.argv[1]).iterdir()):
        if path.name >= first:
            start_s = time.monotonic()
            code = decode(str(path))
            took_s = time.monotonic() - start_s
            line = {"name": path.name, "code": code, "seconds": took_s, "peak_mb": peak_bytes() / 1e6}
            print(json.dumps(line), flush=True)


def decode(path: str) -> str:
    """Read a recording to its end; the code of its refusal, or nothing."""
    try:
        with open_audio(path) as audio:
            for _ in audio.blocks(rate_hz=RATE_HZ):
                if audio.duration_s > 86_400:  # as `--max-duration` does
                    return "too_long"
    except DecodeError as error:
        return error.code
    return ""


if __name__ == "__main__":
    main()
