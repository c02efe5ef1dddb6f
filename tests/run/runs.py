"""Runs of the command line whose tagging is a function of the content of a file, and is counted."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sertag import signals
from sertag.cli.commands import cli
from sertag.records import AudioFile, ChannelResult, FileResult, Options, Status
from tests.results import ok, unreadable

LONG_AGO_NS = 1_772_442_061_123_456_789


@dataclass
class Runs:
    """Runs of the command line in which tagging is a function of the content of the file, and is counted."""

    folder: Path
    model: Path
    tagged: list[str] = field(default_factory=list)
    before: Callable[[AudioFile], None] = lambda file: None  # called before each file is tagged
    after: Callable[[AudioFile], None] = lambda file: None  # and after it
    result: Callable[[AudioFile, Options], FileResult] = lambda file, options: made_up(file, options)

    def __call__(self, *arguments: str, code: int = 0, input: bytes | None = None) -> Result:
        self.tagged.clear()
        settings = {"SERTAG_MODEL": str(self.model), "XDG_CONFIG_HOME": str(self.folder / "none"), "SERTAG_JOBS": "1"}
        result = CliRunner().invoke(cli, arguments, env=settings, prog_name="sertag", input=input)
        assert result.exit_code == code, result.output
        return result

    def stopped(self, *arguments: str) -> None:
        """A run that is ended by a signal while it tags."""
        with pytest.raises(signals.Stopped):
            self(*arguments)

    def tag_all(
        self, files: Iterable[AudioFile], *, options: Options, done: Callable[[FileResult], None], **_: Any
    ) -> Iterator[FileResult]:
        for file in files:
            self.before(file)
            self.tagged.append(os.path.basename(file.path))
            result = self.result(file, options)
            self.after(file)
            done(result)
            yield result

    def write(self, name: str, content: str = "", *, mtime_ns: int = LONG_AGO_NS) -> Path:
        path = self.folder / "calls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content or name)
        os.utime(path, ns=(mtime_ns, mtime_ns))
        return path

    def table(self, name: str = "r.csv") -> bytes:
        return (self.folder / name).read_bytes()

    def lines(self) -> int:
        """Results in the journal."""
        journal = self.folder / "r.csv.journal"
        return journal.read_bytes().count(b"]]]\n") if journal.exists() else 0


def made_up(file: AudioFile, options: Options) -> FileResult:
    """A result that tells the content of the file; one that cannot be read for a file of the word `bad`."""
    if file.problem is not None:
        failed = ChannelResult(channel=None, status=Status.UNREADABLE, problem=file.problem)
        return FileResult(file.path, (failed,))
    content = "-" if file.path == "-" else Path(file.path).read_text()
    if content == "bad":
        return unreadable(file.path)
    result = ok(file.path, channels=2)
    number = int(hashlib.sha256(content.encode()).hexdigest()[:8], 16) / 2**32
    roles = (*options.roles, "", "")
    channels = (replace(c, margin=number, role=roles[i]) for i, c in enumerate(result.channels))
    return replace(result, channels=tuple(channels))


def paths(table: bytes) -> list[str]:
    rows = csv.DictReader(io.StringIO(table.decode(), newline=""))
    return list(dict.fromkeys(os.path.basename(row["path"]) for row in rows))


def rows(runs: Runs, name: str = "r.csv") -> list[tuple[str, str]]:
    """Path and error code of each row."""
    table = csv.DictReader(io.StringIO(runs.table(name).decode(), newline=""))
    return [(row["path"], row["error_code"]) for row in table if row["channel"] in ("", "0")]


def move(runs: Runs, name: str) -> None:
    """What is at a path goes out of sight, or comes back."""
    here, there = runs.folder / name, runs.folder / "out of sight"
    here, there = (there, here) if there.exists() else (here, there)
    here.rename(there)


def stop_at(name: str) -> Callable[[AudioFile], None]:
    def stop(file: AudioFile) -> None:
        if file.path.endswith(name):
            raise signals.Stopped(signal.SIGTERM)

    return stop
