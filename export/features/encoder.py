"""A frozen encoder: windows of features, float32 (w, t, c), to frames, float32 (w, s, d), that its graph makes of them.

It stands alone in a file, or in front of a network inside a model file, from where `cut_out` takes it: who has the
model needs nothing else to train a network of their own on the same frames.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from export.cache import cache_bytes
from export.errors import ExportError
from sertag.model.model_file import describe
from sertag.records import FloatArray
from sertag.text import display_name

FRAMES = "frames"
BUNDLED = "phone-deep"


class Encoder:
    """An encoder in memory, on one thread: processes are parallel over clips."""

    def __init__(self, content: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.steps, self.columns = self._session.get_outputs()[0].shape[1:]

    @staticmethod
    @lru_cache(maxsize=2)
    def load(place: Path) -> Encoder:
        """The encoder of a file, opened once a process; an ExportError where it is none."""
        try:
            return Encoder(place.read_bytes())
        except Exception as error:  # onnxruntime raises classes of its own, derived from Exception alone
            message = f"{display_name(str(place))}: not a usable encoder: {' '.join(str(error).split())[:200]}"
            raise ExportError(f"{message}; make it with `python -m export encoder`", code="bad_encoder") from error

    def run(self, features: FloatArray) -> npt.NDArray[np.float16]:
        """Frames of windows, perhaps of none: float32 (w, t, c) -> float16 (w, s, d)."""
        # One by one, as the tagger does: 8 bits are scaled to all that a graph is given at a time.
        windows = (features[index : index + 1] for index in range(len(features)))
        parts = [self._session.run([FRAMES], {"features": window})[0].astype(np.float16) for window in windows]
        return np.concatenate([np.zeros((0, self.steps, self.columns), dtype=np.float16), *parts])


def find_encoder(place: Path | None, *, cache: Path) -> Path:
    """The file of an encoder: the one that is named, else that of the bundled model, cut out of it into the cache."""
    if place is not None:
        return place
    model = describe(BUNDLED)
    cut = cache / f"encoder-{model.sha256[:12]}.onnx"
    if not cut.exists():
        cache_bytes(cut, cut_out(Path(model.path)))
    return cut


def cut_out(model: Path) -> bytes:
    """The encoder in front of the network of a model file, as a file of its own; an ExportError where it has none."""
    import onnx
    from onnx.utils import Extractor

    whole = onnx.load(model)
    if not any(FRAMES in node.output for node in whole.graph.node):
        found = f"{display_name(str(model))}: its graph has no {FRAMES}, so there is no encoder in it"
        raise ExportError(f"{found}; give phone-deep or a model that was trained from it", code="bad_encoder")
    part: bytes = Extractor(whole).extract_model(["features"], [FRAMES]).SerializeToString()
    return part
