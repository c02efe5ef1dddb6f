"""Windows to probabilities: one ONNX file with its specification, run on one thread.

Stage: windows -> **model** -> aggregate. The graph takes `features` float32 (w, t, c) and, where the spec
asks for it, `channel_mean` (w, c), `channel_std` (w, c) and `speech_frames` (w, 1). It returns probabilities (w, k) if
the spec has labels, `dimensions` (w, d) if the spec has those, and, if it has an output named `speech`, the probability
(w,) or (w, 1) that a window holds speech at all.
The results are calibrated: log-probabilities are divided by the spec's temperature and renormalised.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from sertag.errors import ModelError
from sertag.limits import CPU
from sertag.model.calibration import Floats, log_probs, softmax
from sertag.model.graph import DIMENSIONS_OUTPUT, SPEECH_OUTPUT, check_inputs, check_outputs
from sertag.model.model_file import DEFAULT_MODEL, EXPORT_HINT, bundled, described, read
from sertag.model.providers import not_started, runtime_names
from sertag.records import BoolArray, FloatArray, Statistics
from sertag.spec import ModelSpec
from sertag.text import display_text

__all__ = ["BATCH_WINDOWS", "DEFAULT_MODEL", "Model", "Prediction", "bundled", "load"]

BATCH_WINDOWS = 16  # wide enough for the matrix units, small enough for the cache

_FIRST_WINDOW_S = 60.0  # the longest that the graph may take for one; what ships takes a thousandth of a second


@dataclass(frozen=True, slots=True)
class Prediction:
    """Output of a model for a batch of windows.

    Attributes:
        probs: float64 (w, k), calibrated; each row sums to 1; k is 0 for models without labels.
        dimensions: float64 (w, d), as the graph estimates them; d is 0 for models without dimensions.
        speech: float64 (w,), the probability that a window contains speech; None for graphs without that output.
    """

    probs: Floats
    dimensions: Floats
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

    def __init__(self, *, path: str, content: bytes, provider: str = CPU) -> None:
        """Open a session on the bytes of a model file and check it against the specification in the file.

        Args:
            path: path of the file.
            content: its bytes.
            provider: what computes, one of `providers.PROVIDERS`.

        Raises:
            ModelError: not a model, its inputs and outputs contradict its specification, or the provider is not there.
            SpecError: no specification, or not a valid one.
        """
        file = described(path, content)
        self.path, self.sha256 = file.path, file.sha256
        self.spec: ModelSpec = file.spec
        self._session = _open_session(path, content, provider)
        self._input = check_inputs(self._session, self.spec, path)
        # A graph with 8-bit weights scales values by the whole batch, and a window must not depend on others.
        self._one_by_one = self._session.get_inputs()[0].shape[0] == 1
        self._outputs = check_outputs(self._session, self.spec, path)
        self._check_first_window()

    def predict(self, features: FloatArray, *, statistics: Statistics | None = None) -> Prediction:
        """Predictions for one batch of windows of one channel.

        Args:
            features: float32 (w, t, c).
            statistics: of the channel; needed unless the spec's normalisation is `none`.
        """
        found = self._answer(features, statistics, None)
        return Prediction(self.calibrated(found.probs), found.dimensions, found.speech)

    def run(self, features: FloatArray, *, statistics: Statistics | None = None) -> Floats:
        """Calibrated probabilities of one batch of windows, float64 (w, k); each row sums to 1."""
        return self.predict(features, statistics=statistics).probs

    def raw(self, features: FloatArray, *, statistics: Statistics | None = None) -> Floats:
        """Probabilities before calibration, as the graph returns them: float64 (w, k)."""
        return self._answer(features, statistics, None).probs

    def calibrated(self, probs: Floats) -> Floats:
        """Apply the temperature of the spec to probabilities (w, k) (Guo et al. 2017, arXiv 1706.04599)."""
        return softmax(log_probs(probs) / self.spec.temperature) if self.spec.labels else probs  # (w, k)

    def _answer(self, features: FloatArray, statistics: Statistics | None, run: Any) -> Prediction:
        """What the graph returns, before calibration."""
        feed = {self._input: np.ascontiguousarray(features, dtype=np.float32)}
        if self.spec.features.by_channel:
            if statistics is None:
                raise ModelError(f"{self.path}: the model needs the statistics of the channel", code="no_statistics")
            feed |= _statistics_feed(statistics, len(features))
        found = dict(zip(self._outputs, self._run(feed, len(features), run), strict=True))
        nothing = np.zeros((len(features), 0))
        speech = found.pop(SPEECH_OUTPUT, None)
        dimensions = found.pop(DIMENSIONS_OUTPUT, nothing) if self.spec.outputs else nothing
        (probs,) = found.values() or (nothing,)
        return Prediction(
            np.asarray(probs, dtype=np.float64),
            np.asarray(dimensions, dtype=np.float64),
            None if speech is None else self._speech(speech, len(features)),
        )

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
            found = self._answer(zeros, neutral, run)
        except ModelError:
            raise
        except Exception as error:
            message = f"{self.path}: the graph cannot take what its specification describes, {zeros.shape}"
            if run.terminate:
                message += f", within {_FIRST_WINDOW_S:g} s"
            raise ModelError(f"{message}: {_one_line(error)}", code="bad_model") from error
        finally:
            watch.cancel()
        self._check_shape(found.probs, len(self.spec.labels), "labels")
        self._check_shape(found.dimensions, len(self.spec.outputs), "outputs")
        probs = found.probs
        whole = not self.spec.labels or abs(probs.sum() - 1) < 1e-3
        if not (np.isfinite(probs).all() and whole and (probs >= 0).all()):
            message = f"{self.path}: the graph returns {probs[0].tolist()}, expected probabilities (softmax inside)"
            raise ModelError(message, code="bad_model")
        if not np.isfinite(found.dimensions).all():
            message = f"{self.path}: the graph returns {found.dimensions[0].tolist()} as {DIMENSIONS_OUTPUT}"
            raise ModelError(f"{message}, expected finite numbers", code="bad_model")

    def _check_shape(self, found: Floats, count: int, what: str) -> None:
        if found.shape != (1, count):
            message = f"{self.path}: the graph returns shape {found.shape}, its specification has {count} {what}"
            raise ModelError(f"{message}; {EXPORT_HINT}", code="bad_model")


def load(name_or_path: str = DEFAULT_MODEL, *, provider: str = CPU) -> Model:
    """Load a bundled model by name or a model file by path.

    Args:
        name_or_path: `phone`, or a path; names of bundled models take precedence, so use `./phone` for a file.
        provider: what computes, one of `providers.PROVIDERS`.

    Raises:
        ModelError: no such model, unreadable, not a model; no such provider.

    >>> load("phone").spec.features.rate_hz
    8000
    """
    path, content = read(name_or_path)
    return Model(path=path, content=content, provider=provider)


def _open_session(path: str, content: bytes, provider: str) -> Any:
    names = runtime_names(provider, available=onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # sertag is parallel over files; one thread also fixes the order of every sum
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # no warnings of the runtime
    try:
        # From bytes, not from the path: the bytes that are hashed are those that run, and no other files are read.
        session = onnxruntime.InferenceSession(content, options, providers=names)
    except Exception as error:  # onnxruntime raises classes of its own, derived from Exception alone
        if provider != CPU:
            raise not_started(provider, path=path, reason=_one_line(error)) from error
        message = f"{path}: not a usable ONNX model ({len(content)} bytes): {_one_line(error)}"
        raise ModelError(message, code="bad_model") from error

    if names[0] not in session.get_providers():  # the runtime falls back on the processor with no more than a warning
        raise not_started(provider, path=path, reason="")
    return session


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
