"""Model files: finds a file by name or path, and reads its digest and its specification.

Not part of the pipeline. The graph is not run and no runtime is loaded, so this is cheap, and safe with untrusted
files. `session` loads the model.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from sertag.errors import ModelError, SpecError
from sertag.model.onnx_file import MOST_BYTES, read_metadata
from sertag.spec import SPEC_KEY, ModelSpec, from_json

DEFAULT_MODEL = "phone-deep"
EXPORT_HINT = "export it with `python -m export convert`, which writes the specification into the file"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file with a specification.

    Attributes:
        path: path of the file.
        sha256: SHA-256 of its bytes, hexadecimal.
        spec: specification in the file.
    """

    path: str
    sha256: str
    spec: ModelSpec


def describe(name_or_path: str = DEFAULT_MODEL) -> ModelFile:
    """Read the specification of a model file; whether the graph matches it is checked when the model is loaded.

    Args:
        name_or_path: as for `session.load`.

    Raises:
        ModelError: no such model, unreadable, not an ONNX file, or one that may do harm.
        SpecError: no specification, or not a valid one.

    >>> describe("phone").spec.features.rate_hz
    8000
    """
    path, content = read(name_or_path)
    return described(path, content)


def read(name_or_path: str) -> tuple[str, bytes]:
    """Path and bytes of a bundled model or of a file; names of bundled models take precedence.

    Raises:
        ModelError: there is no such file, or it cannot be read.
    """
    names = bundled()
    path = str(_folder() / f"{name_or_path}.onnx") if name_or_path in names else name_or_path
    try:
        return path, _content(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        message = f"model {name_or_path!r}: {reason}; expected a path to an .onnx file or one of: {', '.join(names)}"
        raise ModelError(message, code="no_model") from error


def described(path: str, content: bytes) -> ModelFile:
    """The specification in the bytes of a model file; errors as in `describe`."""
    metadata = read_metadata(content, source=path)
    if SPEC_KEY not in metadata:
        found = sorted(metadata) or "no metadata"
        message = f"{path}: the model does not describe itself: no {SPEC_KEY} in its metadata ({found})"
        raise SpecError(f"{message}; {EXPORT_HINT}", code="no_spec")
    spec = from_json(metadata[SPEC_KEY], source=path)
    return ModelFile(path, hashlib.sha256(content).hexdigest(), spec)


def bundled() -> list[str]:
    """Names of the models in the package.

    >>> DEFAULT_MODEL in bundled()
    True
    """
    return sorted(item.stem for item in _folder().iterdir() if item.suffix == ".onnx")


def _folder() -> Path:
    return Path(__file__).parents[1] / "models"  # not by `importlib.resources`, whose import takes longer than all this


def _content(path: str) -> bytes:
    """All bytes of a regular file; anything else could block, or never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(21, "Is a directory")
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        if status.st_size > MOST_BYTES:
            raise ValueError(f"it has {status.st_size} bytes, an ONNX file {MOST_BYTES} at most")
        return stream.read(MOST_BYTES + 1)
