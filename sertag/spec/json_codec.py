"""Frozen dataclasses to plain JSON values and back, with every value checked against its annotation.

Used by `sertag.spec`. Standard library only.
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Any

from sertag.errors import SpecError


def plain(value: Any) -> Any:
    """A value that `json` can write: dataclasses and mappings become dicts, tuples become lists."""
    if dataclasses.is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, MappingProxyType | dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def build(kind: Any, document: Any, where: str) -> Any:
    """Create a dataclass from a JSON object.

    Args:
        kind: the dataclass; its annotations are strings.
        document: the parsed JSON.
        where: the place in the document, for messages.

    Returns:
        An instance of `kind`.

    Raises:
        SpecError: a key is missing or unknown, or a value has the wrong type or is out of range.
    """
    if not isinstance(document, dict):
        raise SpecError(f"{where}: expected an object, found {type(document).__name__}")
    fields = {item.name: item for item in dataclasses.fields(kind)}
    unknown = sorted(set(document) - set(fields))
    required = {
        name
        for name, item in fields.items()
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    }
    missing = sorted(required - set(document))
    if missing or unknown:
        raise SpecError(f"{where}: missing {missing or 'nothing'}, unknown {unknown or 'nothing'}")
    return kind(**{name: _typed(value, str(fields[name].type), f"{where}.{name}") for name, value in document.items()})


def require(condition: bool, where: str, found: object, expected: object) -> None:
    """Refuse a value; the message says its place, what was found and what was expected."""
    if not condition:
        raise SpecError(f"{where} is {str(found)[:80]!r}, expected {expected}", code="bad_spec")


def _typed(value: Any, annotation: str, where: str) -> Any:
    """Check one JSON value against an annotation and freeze lists and objects."""
    if annotation.startswith("tuple[str"):
        all_text = isinstance(value, list) and all(isinstance(item, str) for item in value)
        require(all_text, where, value, "list of strings")
        return tuple(value)
    if annotation.startswith("tuple[float"):
        require(isinstance(value, list) and all(_is_number(item) for item in value), where, value, "list of numbers")
        return tuple(float(item) for item in value)
    if annotation.startswith("MappingProxyType"):
        require(isinstance(value, dict), where, value, "an object")
        if annotation.endswith("float]"):
            require(all(_is_number(item) for item in value.values()), where, value, "an object of numbers")
        return MappingProxyType(value)
    if annotation == "int":
        require(isinstance(value, int) and not isinstance(value, bool), where, value, "an integer")
    elif annotation.startswith("float"):
        absent = value is None and annotation.endswith("None")
        require(absent or _is_number(value), where, value, "a finite number")
        return None if absent else float(value)
    elif annotation in ("str", "Kind", "Framing", "Normalisation", "Pooling"):
        require(isinstance(value, str), where, value, "a string")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300  # false for a NaN
