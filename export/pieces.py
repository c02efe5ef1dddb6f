"""Measured figures in small files, each written once it is known, so that hours of measuring fit into any sittings.

A piece says under `rules` what it depends on. Where that is still the same, it is not measured again.
"""

from __future__ import annotations

import ast
import datetime
import hashlib
import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from joblib import Parallel

from export.errors import ExportError
from export.report import Report
from sertag.output import Output

Piece = dict[str, Any]

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


def fingerprint(parts: Any) -> str:
    """What tells one set of code, settings and clips from another: 12 digits of a hash over plain objects.

    >>> fingerprint([1, "phone"]) == fingerprint([1, "phone"]) != fingerprint([2, "phone"])
    True
    """
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def slug(name: str) -> str:
    """A name as a part of a file's name.

    >>> slug("TESS: speaker OAF")
    'tess-speaker-oaf'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def is_there(place: Path, rules: str) -> bool:
    """Whether a piece was measured by the same rules."""
    return place.exists() and bool(json.loads(place.read_text(encoding="utf-8"))["rules"] == rules)


def read_all(folder: Path) -> list[Piece]:
    """The pieces in a folder, in the order of their names; none where there is no folder."""
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]


def read_lines(log: Path) -> list[Piece]:
    """One piece a line, in their order; none where there is no file."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def keep(place: Path, piece: Piece) -> None:
    """Write a piece in one step.

    Raises:
        ExportError: its folder cannot be made.
        OutputError: the file cannot be written.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{place.parent}: cannot keep what was measured: {error.strerror}; name another --out"
        raise ExportError(message, code="cannot_write") from error
    with Output(str(place)) as output:
        output.write(json.dumps(piece).encode() + b"\n")


def origin() -> dict[str, str]:
    """When and with what a piece is measured."""
    import keras

    backend = keras.backend.backend()
    command = ["git", "rev-parse", "--short", "HEAD"]
    told = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)  # noqa: S603
    return {
        "date": datetime.date.today().isoformat(),
        "commit": told.stdout.strip(),
        "python": sys.version.split()[0],
        "keras": keras.__version__,
        "backend": f"{backend} {importlib.import_module(backend).__version__}",
        "numpy": version("numpy"),
    }


def do_all(work: Sequence[Any], *, jobs: int, report: Report, what: str) -> None:
    """Measure, several things at a time, each on one thread; to be called from the main thread, for the signals.

    Args:
        work: of `joblib.delayed`; each returns lines to tell.
        jobs: at a time.
        report: of the progress.
        what: is measured, in a word.
    """
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # workers inherit them; more threads would compete for the same processors
    with _workers_end_with_us():
        done = Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")(work)
        for number, lines in enumerate(done, start=1):
            for line in lines:
                report(f"{what}: {line}", number / len(work))
    report(what, 1.0)


@contextmanager
def _workers_end_with_us() -> Iterator[None]:
    """Make SIGTERM an exception, on which joblib ends its workers; else they would go on with hours of training."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def code_of_modules(modules: Iterable[ModuleType]) -> str:
    """The code that figures come from, without comments and docstrings, which decide nothing."""
    trees = [ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8")) for module in modules]
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return "\n".join(ast.unparse(tree) for tree in trees)
