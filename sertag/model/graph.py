"""Whether a graph takes and returns what its specification says, by the names and types of its inputs and outputs.

Used by `session`, which loads the runtime.
"""

from __future__ import annotations

from typing import Any

from sertag.errors import ModelError
from sertag.spec import ModelSpec

SPEECH_OUTPUT = "speech"  # low for music on hold, typing, engines and tones
DIMENSIONS_OUTPUT = "dimensions"
STATISTICS = ("channel_mean", "channel_std", "speech_frames")


def check_inputs(session: Any, spec: ModelSpec, path: str) -> str:
    """The name of the input for features, after a check of all inputs against the specification."""
    found: dict[str, tuple[str, list[Any]]] = {item.name: (item.type, item.shape) for item in session.get_inputs()}
    extra = STATISTICS if spec.features.by_channel else ()
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


def check_outputs(session: Any, spec: ModelSpec, path: str) -> tuple[str, ...]:
    """The names of the outputs that are read: the probabilities, then the dimensions and that of speech."""
    found = {item.name: item.type for item in session.get_outputs()}
    named = [name for name in (DIMENSIONS_OUTPUT, SPEECH_OUTPUT) if name in found]
    if spec.outputs and DIMENSIONS_OUTPUT not in found:
        message = f"{path}: the graph returns {sorted(found)}, its specification needs {DIMENSIONS_OUTPUT!r} too"
        raise ModelError(message, code="bad_model")
    if not spec.outputs and DIMENSIONS_OUTPUT in named:
        named.remove(DIMENSIONS_OUTPUT)
    others = [name for name in found if name not in named][: 1 if spec.labels else 0]
    if spec.labels and not others:
        message = f"{path}: the graph returns {', '.join(map(repr, named))} alone"
        raise ModelError(f"{message}, expected the probabilities of the labels too", code="bad_model")
    for name in named:
        if found[name] != "tensor(float)":
            shape = "(windows,)" if name == SPEECH_OUTPUT else f"(windows, {len(spec.outputs)})"
            message = f"{path}: output {name} is {found[name]}, expected float32 {shape}"
            raise ModelError(message, code="bad_model")
    return (*others, *named)
