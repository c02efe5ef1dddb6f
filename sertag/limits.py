"""Defaults of limits. Standard library only and apart from `records`, because `--help` shows them."""

from __future__ import annotations

TIMEOUT_S = 3600.0  # for one file
CPU = "cpu"  # the execution provider that every ONNX Runtime has
MAX_DURATION_S = 86_400.0  # of a recording, or of live audio
GARBAGE_OBJECTS = (
    50_000  # that are new until Python looks for unreachable ones: modules are loaded without a look at them
)
