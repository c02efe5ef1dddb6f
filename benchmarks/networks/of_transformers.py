"""Architectures of transformers, small and with random weights, exported by torch.onnx: part of the comparison.

Needs torch and transformers, which are no dependencies; without them nothing is measured.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sertag.model.session import load

_LABELS = {0: "angry", 1: "happy", 2: "neutral", 3: "sad"}
NEAR = 1e-5

_SAMPLES = 48_000
_CONVOLUTIONS = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "conv_dim": (32,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 32,
}
_LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
_WHISPER = {
    "d_model": 64,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_layers": 1,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 64,
    "classifier_proj_size": 32,
}
# Name -> class, configuration, attention mask, feature extractor's `do_normalize`, exporter of torch 2.
_NETWORKS: dict[str, tuple[str, dict[str, Any], bool, bool, bool]] = {
    "wav2vec2-base": ("Wav2Vec2", _CONVOLUTIONS, False, True, False),
    "wav2vec2-large, attention mask": ("Wav2Vec2", _CONVOLUTIONS | _LARGE, True, True, False),
    "wav2vec2-base, weights in another file": ("Wav2Vec2", _CONVOLUTIONS, False, True, True),
    "HuBERT": ("Hubert", _CONVOLUTIONS, False, False, False),
    "WavLM": ("WavLM", _CONVOLUTIONS, False, True, False),
    "Whisper encoder": ("Whisper", _WHISPER, False, False, False),
}


def measure(
    folder: Path, wrapped: Callable[[Path, Sequence[str], Path], Any], samples: Any
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and results; nothing without torch and transformers.

    Args:
        folder: for files.
        wrapped: runs `wrap`.
        samples: windows of speech, float32 (w, n) at 16 kHz.
    """
    if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
        return
    for number, name in enumerate(_NETWORKS):
        place = folder / f"transformers-{number}"
        place.mkdir()
        answers = _exported(name, place, samples)
        files = [str(place / "config.json"), str(place / "preprocessor_config.json")]
        done = wrapped(place / "model.onnx", ["--from-hf", *files], place / "out.onnx")
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr}")
        ours = load(str(place / "out.onnx")).raw(samples[..., None])
        yield f"transformers: {name}", _result(name, ours, answers)


def compared(ours: Any, theirs: Any) -> dict[str, Any]:
    """How many windows there are, how many of them answer within 0.00001, and the largest difference of any number."""
    differences = np.abs(np.asarray(ours) - np.asarray(theirs, dtype=np.float64)).max(axis=1)
    near = int((differences <= NEAR).sum())
    return {"windows": len(differences), "near": near, "difference": float(f"{differences.max():.1e}")}


def _result(name: str, ours: Any, answers: Any) -> dict[str, Any]:
    packages = (importlib.import_module(name) for name in ("transformers", "torch"))
    what = "log-mel frames of 30 s" if _NETWORKS[name][0] == "Whisper" else "samples"
    return {
        "package": ", ".join(f"{package.__name__} {package.__version__.partition('+')[0]}" for package in packages),
        "what": f"{what}; four emotions, random weights",
        "command": "python -m export wrap model.onnx --from-hf config.json preprocessor_config.json --out model.onnx",
        **compared(ours, answers),
    }


def _exported(name: str, place: Path, samples: Any) -> Any:
    """Write graph and configuration; returns what transformers answer, (w, 4)."""
    torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    kind, sizes, mask, normalize, dynamo = _NETWORKS[name]
    named = {"id2label": _LABELS, "label2id": {label: number for number, label in _LABELS.items()}}
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**sizes, **named)
    head = "AudioClassification" if kind == "Whisper" else "SequenceClassification"
    model = getattr(transformers, f"{kind}For{head}")(config).eval()
    if kind == "Whisper":
        extractor = transformers.WhisperFeatureExtractor()
        example: tuple[Any, ...] = (torch.randn(2, 80, 3000),)
    else:
        extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalize, return_attention_mask=mask)
        example = (torch.randn(2, _SAMPLES), *([torch.ones(2, _SAMPLES, dtype=torch.long)] if mask else []))
    config.save_pretrained(place)
    extractor.save_pretrained(place)
    _export(torch, model, example, place / "model.onnx", names=_names(kind, mask), dynamo=dynamo)
    answers = []
    for one in samples:
        taken = extractor(one, sampling_rate=16_000, return_tensors="pt", return_attention_mask=mask)
        with torch.no_grad():
            answers.append(model(**taken).logits.softmax(-1).numpy()[0])
    return np.stack(answers)


def _names(kind: str, mask: bool) -> list[str]:
    return ["input_features"] if kind == "Whisper" else ["input_values", *(["attention_mask"] if mask else [])]


def _export(torch: Any, model: Any, example: Any, place: Path, *, names: list[str], dynamo: bool) -> None:
    class Logits(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, sound: Any, mask: Any = None) -> Any:
            return self.model(sound, **({} if mask is None else {"attention_mask": mask})).logits

    axes = {name: {0: "batch", 1: "samples"} if name != "input_features" else {0: "batch"} for name in names}
    torch.onnx.export(
        Logits().eval(),  # otherwise the exporter leaves the network in training mode
        example,
        str(place),
        input_names=names,
        output_names=["logits"],
        dynamic_axes=axes | {"logits": {0: "batch"}},
        opset_version=18 if dynamo else 17,
        dynamo=dynamo,
    )
