"""The command line in the process of a test: the real pipeline, without workers and without a start of Python."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sertag.model.session import load
from sertag.parallel import engine
from sertag.records import AudioFile, FileResult, Options
from sertag.tagging.pipeline import tag_file


def without_workers(patch: pytest.MonkeyPatch) -> None:
    """Have recordings tagged here, by the same pipeline."""
    patch.setattr(engine, "tag_all", tag_here)
    patch.setattr(engine, "prestart", lambda first, *, jobs, prestarted: None)
    patch.setattr(engine, "prestart_first", lambda prestarted: None)


def tag_here(
    files: Iterable[AudioFile],
    *,
    model: Any,
    options: Options,
    done: Callable[[FileResult], None] = lambda result: None,
    **_: object,
) -> Iterator[FileResult]:
    """`engine.tag_all` without workers, which tests of `parallel` are about."""
    network = load(model.path)
    for file in files:
        result = tag_file(file, model=network, options=options)
        done(result)
        yield result


@contextmanager
def standard_input(content: bytes) -> Iterator[None]:
    """Let descriptor 0 be a pipe that holds these bytes."""
    reading, writing = os.pipe()
    before = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)

    def write() -> None:
        with os.fdopen(writing, "wb") as stream:
            stream.write(content)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield
        while os.read(0, 65536):  # what nobody wanted, so that the writer ends
            pass
        writer.join(30)
    finally:
        os.dup2(before, 0)
        os.close(before)
