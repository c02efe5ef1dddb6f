"""What a worker needs with a model: the largest process of a run with one worker.

    python -m benchmarks.memory RECORDING phone phone-deep "wav2vec2-base=big.onnx"

The table of docs/models.md is made of the results; `sertag.parallel.memory` counts on them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import measure
from sertag.model.model_file import read
from sertag.parallel.memory import worker_bytes

RESULTS = Path(__file__).parent / "results" / "memory.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", help="half a minute of speech is enough")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a name, or NAME=FILE")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    found = []
    for model in given.models:
        name, _, file = model.partition("=")
        path, content = read(file or name)
        command = [sys.executable, "-m", "sertag", given.recording, "--model", path, "--jobs", "1", "-q", "-f", "jsonl"]
        done = measure(command)
        row = {"model": name, "file_mb": len(content) / 1e6, "worker_mb": done.largest_mb or 0.0}
        found.append({**row, "counted_mb": worker_bytes(path) / 1e6})
        print(found[-1], file=sys.stderr, flush=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
