"""Batch speech emotion tagging of call recordings.

    from sertag import Tagger
    result = Tagger().tag("call.wav")

Names are loaded when they are first used, so that the command line starts fast.
"""

from __future__ import annotations

import os

# Newer builds of ONNX Runtime send telemetry from their import on, unless this is set before. sertag sends no data.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

TYPE_CHECKING = False  # that of `typing`, whose loading would be most of what this takes
if TYPE_CHECKING:
    from typing import Any

    from sertag.errors import ClusterError, DecodeError, ModelError, OutputError, SertagError, SpecError
    from sertag.exports.data_frames import segments_to_pandas, to_pandas
    from sertag.live.stream import stream
    from sertag.records import ChannelResult, FileResult, Segment, Sentiment, Status, Trend
    from sertag.tagger import Tagger
    from sertag.text import decode_path

__version__ = "0.1.0"

__all__ = [
    "ChannelResult",
    "ClusterError",
    "DecodeError",
    "FileResult",
    "ModelError",
    "OutputError",
    "Segment",
    "Sentiment",
    "SertagError",
    "SpecError",
    "Status",
    "Tagger",
    "Trend",
    "__version__",
    "decode_path",
    "segments_to_pandas",
    "stream",
    "to_pandas",
]

_HOMES = {
    "Tagger": "sertag.tagger",
    "decode_path": "sertag.text",
    "segments_to_pandas": "sertag.exports.data_frames",
    "to_pandas": "sertag.exports.data_frames",
    "stream": "sertag.live.stream",
    **dict.fromkeys(("ChannelResult", "FileResult", "Segment", "Sentiment", "Status", "Trend"), "sertag.records"),
    **dict.fromkeys(
        ("ClusterError", "DecodeError", "ModelError", "OutputError", "SertagError", "SpecError"), "sertag.errors"
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
