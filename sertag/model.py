"""Windows to probabilities: one self-describing ONNX file, run on one thread.

Station of the line: windows -> **model** -> aggregate. The graph takes `features` float32 (w, t, c) and, where the spec
asks for it, `channel_mean` (w, c), `channel_std` (w, c) and `speech_frames` (w, 1); it returns probabilities (w, k).
What leaves this station is calibrated: log-probabilities divided by the spec's temperature and renormalised.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from sertag.errors import ModelError, SpecError
from sertag.records import FloatArray, Statistics
from sertag.softmax import log_probs, softmax
from sertag.spec import SPEC_KEY, ModelSpec, from_json

DEFAULT_MODEL = "phone"
BATCH_WINDOWS = 16  # wide enough for the matrix units, small enough for the cache

_STATISTICS = ("channel_mean", "channel_std", "speech_frames")
_EXPORT_HINT = "export it with `python -m export convert`, which writes the specification into the file"


class Model:
    """A loaded model file; holds an ONNX Runtime session, so it is made anew in every worker.

    Attributes:
        path: of the file.
        sha256: of its bytes, hexadecimal.
        spec: what the file says of itself.
    """

    def __init__(self, *, path: str, content: bytes) -> None:
        """Open a session on the bytes of a model file and check it against its own specification.

        Raises:
            ModelError: not a model, or its inputs and outputs contradict its specification.
            SpecError: no specification, or not a valid one.
        """
        self.path = path
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._session = _open_session(path, content)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if SPEC_KEY not in metadata:
            found = sorted(metadata) or "no metadata"
            message = f"{path}: the model does not describe itself: no {SPEC_KEY} in its metadata ({found})"
            raise SpecError(f"{message}; {_EXPORT_HINT}", code="no_spec")
        self.spec: ModelSpec = from_json(metadata[SPEC_KEY], source=path)
        self._input = _check_inputs(self._session, self.spec, path)
        self._check_output()

    def run(self, features: FloatArray, *, statistics: Statistics | None = None) -> npt.NDArray[np.float64]:
        """Calibrated probabilities of one batch of windows of one channel.

        Args:
            features: float32 (w, t, c).
            statistics: of the channel; needed where the spec's normalisation is `channel_speech`.

        Returns:
            float64 (w, k); each row sums to 1.
        """
        return self.calibrated(self.raw(features, statistics=statistics))

    def raw(self, features: FloatArray, *, statistics: Statistics | None = None) -> npt.NDArray[np.float64]:
        """What the graph itself answers, before the temperature: float64 (w, k)."""
        feed = {self._input: np.ascontiguousarray(features, dtype=np.float32)}
        if self.spec.features.normalisation == "channel_speech":
            if statistics is None:
                raise ModelError(f"{self.path}: the model needs the statistics of the channel", code="no_statistics")
            feed |= _statistics_feed(statistics, len(features))
        return np.asarray(self._session.run(None, feed)[0], dtype=np.float64)

    def calibrated(self, probs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Apply the temperature of the spec to probabilities (w, k) (Guo et al. 2017, arXiv 1706.04599)."""
        return softmax(log_probs(probs) / self.spec.temperature)  # (w, k)

    def _check_output(self) -> None:
        """Run one window of zeros: shapes that are dynamic in the file show only when it runs."""
        features = self.spec.features
        rows, columns = self.spec.window_frames, features.n_coefficients
        if features.pooling == "mean":
            rows, columns = columns, 1
        zeros = np.zeros((1, rows, columns), dtype=np.float32)
        size = features.n_coefficients
        neutral = Statistics(np.zeros(size, np.float32), np.ones(size, np.float32), 100)
        try:
            probs = self.raw(zeros, statistics=neutral)
        except Exception as error:
            message = f"{self.path}: the graph cannot take what its specification describes, {zeros.shape}"
            raise ModelError(f"{message}: {_one_line(error)}", code="bad_model") from error
        expected = (1, len(self.spec.labels))
        if probs.shape != expected:
            message = f"{self.path}: the graph returns shape {probs.shape}, its specification has {expected[1]} labels"
            raise ModelError(f"{message}; {_EXPORT_HINT}", code="bad_model")
        if not (np.isfinite(probs).all() and abs(probs.sum() - 1) < 1e-3 and (probs >= 0).all()):
            message = f"{self.path}: the graph returns {probs[0].tolist()}, expected probabilities (softmax inside)"
            raise ModelError(message, code="bad_model")


def load(name_or_path: str = DEFAULT_MODEL) -> Model:
    """Load a bundled model by name or a model file by path.

    Args:
        name_or_path: `phone`, or a path; a name that is bundled wins, so write `./phone` for a file of that name.

    Raises:
        ModelError: no such model, unreadable, not a model.

    >>> load("phone").spec.features.rate_hz
    8000
    """
    names = bundled()
    folder = resources.files("sertag") / "models"
    path = folder / f"{name_or_path}.onnx" if name_or_path in names else Path(name_or_path)
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        message = f"model {name_or_path!r}: {reason}; expected a path to an .onnx file or one of: {', '.join(names)}"
        raise ModelError(message, code="no_model") from error
    return Model(path=str(path), content=content)


def bundled() -> list[str]:
    """Names of the models in the package.

    >>> DEFAULT_MODEL in bundled()
    True
    """
    folder = resources.files("sertag") / "models"
    return sorted(item.name[: -len(".onnx")] for item in folder.iterdir() if item.name.endswith(".onnx"))


def _open_session(path: str, content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # sertag is parallel over files; one thread also fixes the order of every sum
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its warnings are not for the user of a table
    try:
        # From bytes, not from the path: what is hashed is what runs, and a file cannot point at other files.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own, derived from Exception alone
        message = f"{path}: not a usable ONNX model ({len(content)} bytes): {_one_line(error)}"
        raise ModelError(message, code="bad_model") from error


def _check_inputs(session: Any, spec: ModelSpec, path: str) -> str:
    """The name of the input that takes features, once all inputs are as the specification needs them."""
    found: dict[str, tuple[str, list[Any]]] = {item.name: (item.type, item.shape) for item in session.get_inputs()}
    extra = _STATISTICS if spec.features.normalisation == "channel_speech" else ()
    others = [name for name in found if name not in extra]
    if len(others) != 1 or any(name not in found for name in extra):
        expected = ", ".join(("features", *extra))
        message = f"{path}: the graph takes {sorted(found)}, its specification needs: {expected}"
        raise ModelError(message, code="bad_model")
    kind, shape = found[others[0]]
    if kind != "tensor(float)" or len(shape) != 3:
        message = f"{path}: input {others[0]} is {kind} {shape}, expected float32 (windows, time, coefficients)"
        raise ModelError(message, code="bad_model")
    return others[0]


def _one_line(error: Exception) -> str:
    """What onnxruntime says, which may be a page."""
    return " ".join(str(error).split())[:300]


def _statistics_feed(statistics: Statistics, count: int) -> dict[str, FloatArray]:
    size = len(statistics.mean)
    return {
        "channel_mean": np.ascontiguousarray(np.broadcast_to(statistics.mean, (count, size)), dtype=np.float32),
        "channel_std": np.ascontiguousarray(np.broadcast_to(statistics.std, (count, size)), dtype=np.float32),
        "speech_frames": np.full((count, 1), statistics.speech_frames, dtype=np.float32),
    }
