"""Which sertag and which libraries a process has: the same recording gives the same row only with the same ones.

Used by `session` for this process and by `node` for the worker's.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import sertag

_LIBRARIES = ("av", "numpy", "onnxruntime", "scipy", "soundfile", "soxr")  # what decodes and computes


@dataclass(frozen=True, slots=True)
class Installation:
    """What a process has.

    Attributes:
        version: of sertag.
        code: digest of its source, because two checkouts can have the same version.
        libraries: names and versions of Python and of the libraries that decode and compute.
    """

    version: str
    code: str
    libraries: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"sertag {self.version} (source {self.code})"


@lru_cache(1)
def installation() -> Installation:
    """That of this process."""
    digest = hashlib.sha256()
    folder = Path(sertag.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\n".encode())
        digest.update(path.read_bytes())
    found = [("Python", platform.python_version())]
    for name in _LIBRARIES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append((name, "none"))
    return Installation(sertag.__version__, digest.hexdigest()[:8], tuple(found))


def other_libraries(here: Installation, there: Installation) -> str:
    """What differs, in words; empty if nothing does.

    >>> here = Installation("1.0", "00", (("numpy", "2.0"), ("soxr", "1.1")))
    >>> other_libraries(here, Installation("1.0", "00", (("numpy", "1.26"), ("soxr", "1.1"))))
    'numpy 1.26 (here 2.0)'
    """
    mine = dict(here.libraries)
    return ", ".join(f"{name} {found} (here {mine[name]})" for name, found in there.libraries if found != mine[name])
