"""A model file with what was measured of its recipe since it was trained; the network is not touched."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from export.errors import ExportError
from sertag.model_file import described, read
from sertag.output import Output
from sertag.spec import SPEC_KEY, to_json


def renew(model: Path, *, strangers: Mapping[str, Any], version: str, out: Path) -> Path:
    """Write a model file anew, with other figures of its protocol and another version, otherwise the same.

    Args:
        model: the file, which has such figures.
        strangers: see `export.phone_figures`.
        version: of what is written, since a file of other bytes has another hash in every row.
        out: the file to write; may be `model`.

    Returns:
        `out`.

    Raises:
        ExportError: the figures were measured with other code than those in the file, which has none, or it has this
            version already.
        SertagError: not a model file of sertag, or a file that cannot be written.
    """
    import onnx

    path, content = read(str(model))
    spec = described(path, content).spec
    had, code = (found.get("codes", []) for found in (spec.metrics.get("strangers", {}), strangers))
    if had != code:
        found = f"{model}: its figures are of code {', '.join(had) or 'unknown'}, the new ones of {', '.join(code)}"
        raise ExportError(f"{found}; train it anew with `train phone --figures`", code="bad_figures")
    if version == spec.version:
        message = f"{model}: is version {version} already; give the file with other figures another --model-version"
        raise ExportError(message, code="bad_version")
    metrics = MappingProxyType({**spec.metrics, "strangers": dict(strangers)})
    proto = onnx.load_model_from_string(content)
    for entry in proto.metadata_props:
        if entry.key == SPEC_KEY:
            entry.value = to_json(dataclasses.replace(spec, version=version, metrics=metrics))
    with Output(str(out)) as output:
        output.write(proto.SerializeToString())
    return out
