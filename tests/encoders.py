"""A frozen encoder of random weights, small enough for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

WIDTH, FRAMES, BANDS = 64, 20, 80  # one head; two steps of a tenth of a second


def random_weights(*, layers: int = 2, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of so many layers by the names that Whisper's have."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:], initial=1))).astype(np.float32)

    found = {
        "conv1/weight": normal(WIDTH, BANDS, 3),
        "conv1/bias": normal(WIDTH) * 0.1,
        "conv2/weight": normal(WIDTH, WIDTH, 3),
        "conv2/bias": normal(WIDTH) * 0.1,
        "position_encodings/encodings": normal(FRAMES, WIDTH) * 0.1,
    }
    for layer in range(layers):
        for name, rows, columns in (
            ("self_attention/linear_0", 3 * WIDTH, WIDTH),
            ("self_attention/linear_1", WIDTH, WIDTH),
            ("ffn/linear_0", 4 * WIDTH, WIDTH),
            ("ffn/linear_1", WIDTH, 4 * WIDTH),
        ):
            found[f"layer_{layer}/{name}/weight"] = normal(rows, columns)
            found[f"layer_{layer}/{name}/bias"] = normal(rows) * 0.1
        for name in ("self_attention/layer_norm", "ffn/layer_norm"):
            found[f"layer_{layer}/{name}/gamma"] = 1 + 0.1 * normal(WIDTH)
            found[f"layer_{layer}/{name}/beta"] = 0.1 * normal(WIDTH)
    return found


def tiny_encoder(*, frames: int = FRAMES, seed: int = 0) -> Any:
    """The graph of such an encoder, as an ONNX ModelProto."""
    from export.conversion.whisper import encoder

    weights = random_weights(seed=seed)
    positions = np.random.default_rng(seed).standard_normal((frames // 2, WIDTH)) * 0.1
    return encoder({**weights, "position_encodings/encodings": positions.astype(np.float32)}, frames=frames, layers=2)


def write_encoder(place: Path, *, frames: int = FRAMES, columns: int = 0, seed: int = 0) -> Path:
    """The same as a file, with principal components of random frames where `columns` are asked for."""
    from export.conversion.whisper import project

    model = tiny_encoder(frames=frames, seed=seed)
    if columns:
        some = np.random.default_rng(seed).standard_normal((500, 2 * WIDTH)).astype(np.float32)
        model = project(model, some, columns=columns)
    place.write_bytes(model.SerializeToString())
    return place


def log_mel(count: int, *, frames: int = FRAMES, seed: int = 1) -> np.ndarray:
    """Windows like mel power in dB, float32 (w, t, 80)."""
    rng = np.random.default_rng(seed)
    return (-40 + 15 * rng.standard_normal((count, frames, BANDS))).astype(np.float32)
