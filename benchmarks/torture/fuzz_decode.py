"""The decoders under a fuzzer that keeps what reaches new code (atheris, libFuzzer for Python).

    python -m benchmarks.torture.fuzz_decode CORPUS -max_total_time=60    # further options are those of libFuzzer

CORPUS is a folder that it may add to; small sounds of every format are the beginning. An input that makes the decoders
raise anything but `DecodeError`, crash, hang or eat memory ends it and is written to a file. Coverage is that of
sertag's own code, which chooses, measures and splices; the decoders behind it are libraries and are seen as they are.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sertag"]):
    from sertag.audio.decode import open_audio
    from sertag.errors import DecodeError

from benchmarks.torture.mutants import sources

RATE_HZ = 8000
_LONGEST_S = 60.0  # more of one sound shows nothing new
_SEED_BYTES = 20_000  # small inputs are mutated to more purpose


def main() -> None:
    """Fuzz."""
    corpus = Path(sys.argv[1])
    for source in sources():
        (corpus / f"seed-{source.name}").write_bytes(source.content[:_SEED_BYTES])
    descriptor = os.memfd_create("sound")

    def one(content: bytes) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content, 0)
        read(f"/proc/self/fd/{descriptor}")

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


def read(path: str) -> None:
    """Decode the first minute of what may be a sound."""
    try:
        with open_audio(path) as audio:
            for _ in audio.blocks(rate_hz=RATE_HZ):
                if audio.duration_s > _LONGEST_S:
                    return
    except DecodeError:
        return


if __name__ == "__main__":
    main()
