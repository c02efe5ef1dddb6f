"""Windows to probabilities: one ONNX file with its specification, run on one thread.

Stage: windows -> **model** -> aggregate. The graph takes `features` float32 (w, t, c) and, where the spec
asks for it, `channel_mean` (w, c), `channel_std` (w, c) and `speech_frames` (w, 1); it returns probabilities (w, k)
and, if it has an output named `speech`, the probability (w,) or (w, 1) that a window holds speech at all.
The results are calibrated: log-probabilities are divided by the spec's temperature and renormalised.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from sertag.errors import ModelError
from sertag.model.calibration import Floats, log_probs, softmax
from sertag.model.model_file import DEFAULT_MODEL, EXPORT_HINT, bundled, described, read
from sertag.records import BoolArray, FloatArray, Statistics
from sertag.spec import ModelSpec
from sertag.text import display_text

__all__ = ["BATCH_WINDOWS", "DEFAULT_MODEL", "Model", "Prediction", "bundled", "load"]

BATCH_WINDOWS = 16  # wide enough for the matrix units, small enough for the cache

SPEECH_OUTPUT = "speech"  # low for music on hold, typing, engines and tones

_STATISTICS = ("channel_mean", "channel_std", "speech_frames")
_FIRST_WINDOW_S = 60.0  # the longest that the graph may take for one; what ships takes a thousandth of a second


@dataclass(frozen=True, slots=True)
class Prediction:
    """Output of a model for a batch of windows.

    Attributes:
        probs: float64 (w, k), calibrated; each row sums to 1.
        speech: float64 (w,), the probability that a window contains speech; None for graphs without that output.
    """

    probs: Floats
    speech: Floats | None = None

    def is_speech(self, least: float) -> BoolArray:
        """Which windows contain speech with at least that probability, bool (w,); all, if the graph has no output."""
        if self.speech is None:
            return np.ones(len(self.probs), dtype=np.bool_)
        return np.asarray(self.speech >= least)


class Model:
    """A loaded model file; it has an ONNX Runtime session, so every worker loads it anew.

    Attributes:
        path: path of the file.
        sha256: SHA-256 of its bytes, hexadecimal.
        spec: specification in the file.
    """

    def __init__(self, *, path: str, content: bytes) -> None:
        """Open a session on the bytes of a model file and check it against the specification in the file.

        Raises:
            ModelError: not a model, or its inputs and outputs contradict its specification.
            SpecError: no specification, or not a valid one.
        """
        file = described(path, content)
        self.path, self.sha256 = file.path, file.sha256
        self.spec: ModelSpec = file.spec
        self._session = _open_session(path, content)
        self._input = _check_inputs(self._session, self.spec, path)
        # A graph with 8-bit weights scales values by the whole batch, and a window must not depend on others.
        self._one_by_one = self._session.get_inputs()[0].shape[0] == 1
        self._outputs = _check_outputs(self._session, path)
        self._check_first_window()

    def predict(self, features: FloatArray, *, statistics: Statistics | None = None) -> Prediction:
        """Predictions for one batch of windows of one channel.

        Args:
            features: float32 (w, t, c).
            statistics: of the channel; needed unless the spec's normalisation is `none`.
        """
        probs, speech = self._answer(features, statistics, None)
        return Prediction(self.calibrated(probs), speech)

    def run(self, features: FloatArray, *, statistics: Statistics | None = None) -> Floats:
        """Calibrated probabilities of one batch of windows, float64 (w, k); each row sums to 1."""
        return self.predict(features, statistics=statistics).probs

    def raw(self, features: FloatArray, *, statistics: Statistics | None = None) -> Floats:
        """Probabilities before calibration, as the graph returns them: float64 (w, k)."""
        return self._answer(features, statistics, None)[0]

    def calibrated(self, probs: Floats) -> Floats:
        """Apply the temperature of the spec to probabilities (w, k) (Guo et al. 2017, arXiv 1706.04599)."""
        return softmax(log_probs(probs) / self.spec.temperature)  # (w, k)

    def _answer(self, features: FloatArray, statistics: Statistics | None, run: Any) -> tuple[Floats, Floats | None]:
        feed = {self._input: np.ascontiguousarray(features, dtype=np.float32)}
        if self.spec.features.by_channel:
            if statistics is None:
                raise ModelError(f"{self.path}: the model needs the statistics of the channel", code="no_statistics")
            feed |= _statistics_feed(statistics, len(features))
        probs, *speech = self._run(feed, len(features), run)
        return np.asarray(probs, dtype=np.float64), self._speech(speech[0], len(features)) if speech else None

    def _run(self, feed: dict[str, FloatArray], count: int, run: Any) -> list[Any]:
        """All outputs for a batch; window by window if the graph takes only one at a time."""
        names = list(self._outputs)
        if not self._one_by_one or count == 1:
            return list(self._session.run(names, feed, run))
        windows = ({name: values[index : index + 1] for name, values in feed.items()} for index in range(count))
        found = [self._session.run(names, window, run) for window in windows]
        return [np.concatenate(output) for output in zip(*found, strict=True)]

    def _speech(self, found: Any, count: int) -> Floats:
        """One probability of speech a window, float64 (w,).

        Raises:
            ModelError: the graph returned something else.
        """
        speech = np.asarray(found, dtype=np.float64)
        expected = f"expected ({count},) or ({count}, 1)"
        if speech.shape not in ((count,), (count, 1)):
            message = f"{self.path}: output {SPEECH_OUTPUT} has shape {speech.shape} for {count} window(s), {expected}"
            raise ModelError(message, code="bad_model")
        if not ((speech >= 0) & (speech <= 1)).all():  # false for a NaN
            worst = speech[~((speech >= 0) & (speech <= 1))][0]
            message = f"{self.path}: output {SPEECH_OUTPUT} is {worst:g}, expected probabilities (sigmoid inside)"
            raise ModelError(message, code="bad_model")
        return speech.reshape(count)

    def _check_first_window(self) -> None:
        """Run one window of zeros: dynamic shapes and endless loops are detected only by running the graph."""
        features = self.spec.features
        rows, columns = self.spec.window_frames, features.n_coefficients
        if features.pooling == "mean":
            rows, columns = columns, 1
        zeros = np.zeros((1, rows, columns), dtype=np.float32)
        size = features.n_coefficients
        neutral = Statistics(np.zeros(size, np.float32), np.ones(size, np.float32), 100)
        run = onnxruntime.RunOptions()
        watch = threading.Timer(_FIRST_WINDOW_S, setattr, (run, "terminate", True))
        watch.start()
        try:
            probs, _ = self._answer(zeros, neutral, run)
        except ModelError:
            raise
        except Exception as error:
            message = f"{self.path}: the graph cannot take what its specification describes, {zeros.shape}"
            if run.terminate:
                message += f", within {_FIRST_WINDOW_S:g} s"
            raise ModelError(f"{message}: {_one_line(error)}", code="bad_model") from error
        finally:
            watch.cancel()
        expected = (1, len(self.spec.labels))
        if probs.shape != expected:
            message = f"{self.path}: the graph returns shape {probs.shape}, its specification has {expected[1]} labels"
            raise ModelError(f"{message}; {EXPORT_HINT}", code="bad_model")
        if not (np.isfinite(probs).all() and abs(probs.sum() - 1) < 1e-3 and (probs >= 0).all()):
            message = f"{self.path}: the graph returns {probs[0].tolist()}, expected probabilities (softmax inside)"
            raise ModelError(message, code="bad_model")


def load(name_or_path: str = DEFAULT_MODEL) -> Model:
    """Load a bundled model by name or a model file by path.

    Args:
        name_or_path: `phone`, or a path; names of bundled models take precedence, so use `./phone` for a file.

    Raises:
        ModelError: no such model, unreadable, not a model.

    >>> load("phone").spec.features.rate_hz
    8000
    """
    path, content = read(name_or_path)
    return Model(path=path, content=content)


def _open_session(path: str, content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # sertag is parallel over files; one thread also fixes the order of every sum
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # no warnings of the runtime
    try:
        # From bytes, not from the path: the bytes that are hashed are those that run, and no other files are read.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own, derived from Exception alone
        message = f"{path}: not a usable ONNX model ({len(content)} bytes): {_one_line(error)}"
        raise ModelError(message, code="bad_model") from error


def _check_inputs(session: Any, spec: ModelSpec, path: str) -> str:
    """The name of the input for features, after a check of all inputs against the specification."""
    found: dict[str, tuple[str, list[Any]]] = {item.name: (item.type, item.shape) for item in session.get_inputs()}
    extra = _STATISTICS if spec.features.by_channel else ()
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


def _check_outputs(session: Any, path: str) -> tuple[str, ...]:
    """The names of the outputs that are read: the probabilities, then that of speech if the graph has it."""
    found = {item.name: item.type for item in session.get_outputs()}
    others = [name for name in found if name != SPEECH_OUTPUT]
    if not others:
        message = f"{path}: the graph returns {SPEECH_OUTPUT!r} alone, expected the probabilities of the labels too"
        raise ModelError(message, code="bad_model")
    if found.get(SPEECH_OUTPUT, "tensor(float)") != "tensor(float)":
        message = f"{path}: output {SPEECH_OUTPUT} is {found[SPEECH_OUTPUT]}, expected float32 (windows,)"
        raise ModelError(message, code="bad_model")
    return (others[0], SPEECH_OUTPUT) if SPEECH_OUTPUT in found else (others[0],)


def _one_line(error: Exception) -> str:
    """The message of onnxruntime, which may be long and quote the file, shortened to one line."""
    return display_text(" ".join(str(error).split())[:300])


def _statistics_feed(statistics: Statistics, count: int) -> dict[str, FloatArray]:
    size = len(statistics.mean)
    return {
        "channel_mean": np.ascontiguousarray(np.broadcast_to(statistics.mean, (count, size)), dtype=np.float32),
        "channel_std": np.ascontiguousarray(np.broadcast_to(statistics.std, (count, size)), dtype=np.float32),
        "speech_frames": np.full((count, 1), statistics.speech_frames, dtype=np.float32),
    }
