"""What `--calibrate` does to the confidence of a network that somebody else trained.

    python -m benchmarks.networks.calibration --network speech-emotion-recognition.h5 --data CORPORA

The network is that of `originals` that was trained on TESS alone. Everything is done by commands, as docs/models.md
shows them: it is wrapped as it is and with 200 clips of half of the speakers of RAVDESS, and both files tag clips of
the other half and of two other corpora. `sertag agree` compares their rows with the labels. CORPORA has the folders
ravdess, crema_d and emodb.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.networks.originals import NETWORKS
from export.corpora.clips import Clip
from export.corpora.loading import find_corpora
from sertag.tables.readers import open_results

RESULTS = Path(__file__).parents[1] / "results" / "calibration.json"
NETWORK = "CNN on mean MFCC, .h5 of Keras 2"

_CLIPS = 200
_SEED = 1


def measure(network: Path, data: Path, folder: Path) -> dict[str, Any]:
    """Temperature and clips of the fit, and of each set of clips how sure the two files are and how often right.

    Args:
        network: the file of Keras.
        data: folder of the corpora.
        folder: for model files and tables.
    """
    of = next(one for one in NETWORKS if one.name == NETWORK)
    for name, document in (of.written or {}).items():
        (folder / name).write_text(json.dumps(document))
    labels = of.options[of.options.index("--labels") + 1].split(",")
    sets = _sets(data, labels)
    _write(folder / "fit.csv", ("path", "label", "speaker"), ((c.path, c.label, c.speaker) for c in sets["fit"]))
    wrap = ["export", "wrap", str(network), *of.options, "--out"]
    _run(folder, *wrap, "before.onnx")
    said = _run(folder, *wrap, "after.onnx", "--calibrate", "mine=fit.csv")
    fitted = next(line for line in said.stderr.splitlines() if line.startswith("temperature"))
    result: dict[str, Any] = {"network": of.name, "package": of.package, "fitted": fitted, "sets": {}}
    for name, clips in sets.items():
        row = {model: _compared(folder, model, name, clips) for model in ("before", "after")}
        result["sets"][name] = {"clips": len(clips), "speakers": len({clip.speaker for clip in clips})} | row
    return result


def _sets(data: Path, labels: Sequence[str]) -> dict[str, list[Clip]]:
    """Clips to fit on, of other speakers of that corpus, and of other corpora."""
    corpora = find_corpora([f"{name}={data / name}" for name in ("ravdess", "crema_d", "emodb")])
    clips = {one.name: [clip for clip in one.clips if clip.label in labels] for one in corpora}
    ravdess = clips["ravdess"]
    half = sorted({clip.speaker for clip in ravdess})[::2]
    found = {
        "fit": [clip for clip in ravdess if clip.speaker in half],
        "ravdess, other speakers": [clip for clip in ravdess if clip.speaker not in half],
        "crema_d": clips["crema_d"],
        "emodb": clips["emodb"],
    }
    draw = random.Random(_SEED)  # noqa: S311 - no secret
    return {name: draw.sample(own, _CLIPS) for name, own in found.items()}


def _compared(folder: Path, model: str, name: str, clips: Sequence[Clip]) -> dict[str, float]:
    (folder / "list.txt").write_text("".join(f"{clip.path}\n" for clip in clips))
    _write(folder / "v.csv", ("path", "channel", "start_s", "label"), ((c.path, 0, "", c.label) for c in clips))
    table = f"{model} {name}.csv"
    _run(folder, "sertag", "--files-from", "list.txt", "-m", f"{model}.onnx", "--min-confidence", "0", "-o", table)
    found = json.loads(_run(folder, "sertag", "agree", table, "--verdicts", "v.csv", "--of", "rows", "--json").stdout)
    with open_results(str(folder / table)) as rows:
        sure = [row["confidence"] for row in rows.rows if row["confidence"] is not None]
    return {
        "confidence": round(sum(sure) / len(sure), 4),
        "right": found["agreement"]["value"],
        "calibration_error": found["calibration_error"],
    }


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).parents[2]
    words = [sys.executable, "-W", "ignore", "-m", *command]
    done = subprocess.run(  # noqa: S603 - our own programs
        words, cwd=folder, env={**os.environ, "PYTHONPATH": str(here)}, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):  # 1: a clip without speech, or no threshold
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, required=True, help="the .h5 file")
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(measure(given.network.resolve(), given.data.resolve(), Path(folder)), indent=1) + "\n"
    given.out.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
