"""The model file on a worker: the same path, the model of that name in the package, or a copy that was sent once.

Copies are kept in `$XDG_CACHE_HOME/sertag/models` (`~/.cache`), named by their digest, for all workers of a computer
and for later runs. Whatever is found is used only if its SHA-256 is that of the run.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from sertag.errors import ModelError, OutputError
from sertag.model.model_file import bundled, read
from sertag.storage.atomic_output import Output


def find(path: str, sha256: str) -> str | None:
    """Path of a model file on this computer; None if it is not here.

    Args:
        path: where the computer that runs the command has it, absolute.
        sha256: digest of its bytes, hexadecimal.
    """
    name = Path(path).stem
    for place in (path, *([name] if name in bundled() else []), *(str(copy) for copy in _copies(sha256))):
        try:
            found, content = read(place)
        except ModelError:  # not there, which is what is asked
            continue
        if hashlib.sha256(content).hexdigest() == sha256:
            return found
    return None


def keep(content: bytes) -> str:
    """Store a model file on this computer.

    Args:
        content: its bytes.

    Returns:
        Its path.

    Raises:
        OutputError: it cannot be written in any of the folders.
    """
    reasons = []
    for path in _copies(hashlib.sha256(content).hexdigest()):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with Output(str(path)) as output:
                output.write(content)
                output.finish()
            return str(path)
        except (OSError, OutputError) as error:
            reasons.append(str(error))
    message = f"the model of {len(content)} bytes cannot be kept on this worker: {'; '.join(reasons)}"
    raise OutputError(message, code="no_space_for_model")


def _copies(sha256: str) -> list[Path]:
    """Where a copy may be: the user's cache, or a folder of the user where there is none."""
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    temporary = Path(tempfile.gettempdir()) / f"sertag-{os.getuid()}"
    return [place / f"{sha256}.onnx" for place in (Path(folder) / "sertag" / "models", temporary / "models")]
