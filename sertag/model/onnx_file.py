"""Reads an ONNX file without running it, so that a harmful file is refused before a runtime loads it.

Used by `model_file`. The format is protocol buffers (onnx.proto of ONNX 1.x). Only the fields that are needed are read,
one after the other and without recursion, so that deeply nested or numerous fields cannot exhaust this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sertag.errors import ModelError
from sertag.text import display_name, display_text

MOST_BYTES = (1 << 31) - 1  # of a protocol buffer

_MOST_FIELDS = 5_000_000  # some seconds of looking; what export tools write has thousands
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})  # built into ONNX Runtime
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_LONGEST_VARINT = 10
_VALUES_PER_BYTE = 2  # at most, of four bits each; what is negative is a huge number here

# Message -> field number -> the message in it. Everything that can hold a tensor or a node is here.
_MESSAGES = {
    "model": {7: "graph", 14: "property", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
}
# Message -> numbers of its two texts: a key and a value, or a domain and a name in it.
_TEXTS = {"property": (1, 2), "node": (7, 4), "function": (10, 1)}
_DIMENSIONS, _EXTERNAL_DATA, _DATA_LOCATION = 1, 13, 14  # of a tensor

_Value = int | range  # a number, or where bytes lie


class _BadFileError(Exception):
    """The file does not follow onnx.proto, or exceeds a limit."""


@dataclass(slots=True)
class _Found:
    """Contents of a file; pairs are (domain, name)."""

    graphs: int = 0
    properties: dict[str, str] = field(default_factory=dict)
    functions: set[tuple[str, str]] = field(default_factory=set)
    operators: dict[tuple[str, str], None] = field(default_factory=dict)  # in the order of the file
    external: int = 0


def read_metadata(content: bytes, *, source: str) -> dict[str, str]:
    """The `metadata_props` of a model, after a check that the file is safe to load.

    Args:
        content: bytes of an ONNX file.
        source: its name, for messages.

    Returns:
        Keys and values.

    Raises:
        ModelError: `bad_model` if it is not an ONNX file or has tensors larger than itself, `external_data` if it
            refers to other files, `custom_operator` if it needs operators that are not part of ONNX Runtime.

    >>> read_metadata(b"", source="x.onnx")
    Traceback (most recent call last):
    sertag.errors.ModelError: x.onnx: not a usable ONNX model (0 bytes): it has no graph; was it copied completely?
    """
    name = display_name(source)
    try:
        found = _look_at(content)
        if not found.graphs:
            raise _BadFileError("it has no graph")
    except _BadFileError as error:
        message = f"{name}: not a usable ONNX model ({len(content)} bytes): {error}; was it copied completely?"
        raise ModelError(message, code="bad_model") from error
    if found.external:
        message = f"{name}: keeps {found.external} tensor(s) in other files, expected all in this one"
        raise ModelError(f"{message}; save it again with save_as_external_data=False", code="external_data")
    custom = [pair for pair in found.operators if pair[0] not in _DOMAINS and pair not in found.functions]
    if custom:
        names = display_text(", ".join(":".join(pair) for pair in custom[:3]))
        message = f"{name}: needs operators that ONNX Runtime does not have ({names}); export it without them"
        raise ModelError(message, code="custom_operator")
    return found.properties


def _look_at(content: bytes) -> _Found:
    """Visit every message that can hold a tensor or a node, without recursion."""
    found = _Found()
    budget = iter(range(_MOST_FIELDS))
    pending = [("model", range(len(content)))]
    while pending:
        kind, place = pending.pop()
        if kind == "sparse tensor":
            raise _BadFileError("it has sparse tensors, which can be a million times larger than the file")
        if kind == "tensor":
            found.external += _is_external(content, place, budget)
            continue
        inside, texts = _MESSAGES.get(kind, {}), {number: "" for number in _TEXTS.get(kind, ())}
        for number, value in _fields(content, place, budget):
            if isinstance(value, range) and number in inside:
                pending.append((inside[number], value))
            elif isinstance(value, range) and number in texts:
                texts[number] = content[value.start : value.stop].decode("utf-8", "replace")
        _note(found, kind, tuple(texts.values()))
    return found


def _note(found: _Found, kind: str, texts: tuple[str, ...]) -> None:
    match kind, texts:
        case "graph", _:
            found.graphs += 1
        case "property", (key, value):
            found.properties[key] = value
        case "function", (domain, name):
            found.functions.add((domain, name))
        case "node", (domain, name):
            found.operators[domain, name] = None


def _is_external(content: bytes, place: range, budget: Iterator[int]) -> bool:
    """Whether the values of a tensor are in another file; checks that its dimensions are possible."""
    sizes: list[int] = []
    external = False
    for number, value in _fields(content, place, budget):
        if number == _DIMENSIONS:
            sizes += [value] if isinstance(value, int) else _varints(content, value, budget)
        elif number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value):
            external = True
    count = 0 if 0 in sizes else 1
    for size in sizes:
        count *= size
        if count > _VALUES_PER_BYTE * len(content):
            raise _BadFileError(f"it has a tensor of {count} values or more, which it cannot hold")
    return external


def _fields(content: bytes, place: range, budget: Iterator[int]) -> Iterator[tuple[int, _Value]]:
    """Numbers and values of the fields of one message."""
    position = place.start
    while position < place.stop:
        _spend(budget)
        tag, position = _varint(content, position, place.stop)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _varint(content, position, place.stop)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, position = _varint(content, position, place.stop)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise _BadFileError(f"byte {position} begins nothing that is known")
        if position + size > place.stop:
            raise _BadFileError(f"it ends inside what begins at byte {position}")
        if kind == _BYTES:
            yield tag >> 3, range(position, position + size)
        position += size


def _varints(content: bytes, place: range, budget: Iterator[int]) -> Iterator[int]:
    position = place.start
    while position < place.stop:
        _spend(budget)
        value, position = _varint(content, position, place.stop)
        yield value


def _varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the position behind it."""
    value = 0
    for shift, byte in enumerate(content[position : min(end, position + _LONGEST_VARINT)]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, position + shift + 1
    raise _BadFileError(f"it ends inside a number at byte {position}")


def _spend(budget: Iterator[int]) -> None:
    if next(budget, None) is None:
        raise _BadFileError(f"it has more than {_MOST_FIELDS:,} fields")
