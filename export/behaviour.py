"""What a model file does, apart from what it says: two files that differ in figures alone tag alike."""

from __future__ import annotations

import hashlib
import json

from export.pieces import fingerprint
from sertag.model_file import described, read
from sertag.spec import to_json

_TOLD = ("name", "version", "licence", "training", "metrics", "libraries", "probe")  # of a specification, for people


def behaviour(model: str) -> str:
    """What tells a model file's answers from another's: 12 digits of a hash of its graph and how it is fed and read.

    Args:
        model: name or path, as for `sertag.model.load`.

    Raises:
        ModelError, SpecError: no such model, or not one of sertag.
    """
    import onnx

    path, content = read(model)
    spec = described(path, content).spec
    proto = onnx.load_model_from_string(content)
    del proto.metadata_props[:]
    decides = {name: value for name, value in json.loads(to_json(spec)).items() if name not in _TOLD}
    return fingerprint([hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest(), decides])
