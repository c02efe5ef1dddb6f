"""Takes results of unchanged files from the journal, has new files tagged, and yields both in the order of the input.

Used by `run`. A result is stored only if the recording did not change while it was read, and only if a later change
can be detected: a file that was written a moment ago can be written again with the same mtime (the "racy" rule of git).
Failures are never stored, so they are tried again.

If a file or folder cannot be accessed, it is not known whether its recordings have changed. Their rows of the last
table stay in the table, after the row with the error, until the path can be accessed again.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from logging import Logger
from typing import Any, NamedTuple

from sertag.limits import CPU
from sertag.model.model_file import ModelFile
from sertag.records import FAILURES, SCHEMA, STDIN, AudioFile, FileResult, Options, Problem
from sertag.run.settings import Request
from sertag.shards import Shard
from sertag.spec import ModelSpec
from sertag.storage.journal import Journal, Key
from sertag.storage.journal_codec import CHANNEL_FIELDS, SEGMENT_FIELDS
from sertag.text import display_name, plural

PIPELINE_VERSION = 6  # raised with every change of the code that changes a row of any recording

_COARSE_NS, _FINE_NS = 2_000_000_000, 100_000_000  # FAT counts two seconds; clocks of kernels tick every 10 ms or less
_SECOND_NS = 1_000_000_000
_MOST_WAITING = 100_000  # files with stored results that wait behind new ones: some 30 MB


def parameters(options: Options, spec: ModelSpec) -> dict[str, Any]:
    """All settings that determine rows besides the recordings and the model file, with the defaults of the model.

    The processor as provider is not among them, so that journals of former versions stay valid.
    """
    hop_s = spec.hop_s if options.hop_s is None else options.hop_s
    window_floor, row_floor = spec.thresholds(options.min_confidence)
    chosen = asdict(options)
    if options.provider == CPU:
        del chosen["provider"]
    return chosen | {"hop_s": hop_s, "min_confidence": window_floor, "row_min_confidence": row_floor}


def has_journal(request: Request) -> bool:
    """Whether an earlier run may have left results."""
    return request.journal is not None and os.path.exists(request.journal)


def open_journal(request: Request, *, model: ModelFile, logger: Logger) -> Journal | None:
    """Open the journal of a run and log what is wrong with it.

    Args:
        request: settings of the run.
        model: the model of the rows.
        logger: for messages.

    Returns:
        The journal; None if the table is not a regular file.

    Raises:
        OutputError: the journal cannot be read.
    """
    if request.journal is None:
        return None
    fingerprint = {
        "schema": SCHEMA,
        "pipeline": PIPELINE_VERSION,
        "record": [CHANNEL_FIELDS, SEGMENT_FIELDS],
        "model_sha256": model.sha256,
        "parameters": parameters(request.options, model.spec),
    }
    path, name = request.journal, display_name(request.journal)
    journal = Journal(path, fingerprint=fingerprint, folder=_folder(path), renew=not request.resume)
    if journal.unrecognized:
        message = "%s is not a journal of this version of sertag; it is renamed to %s.foreign-1 or the next free number"
        logger.warning(message, name, name)
    if journal.damaged:
        logger.warning("%s: %s cannot be read; their files are tagged again", name, plural(journal.damaged, "line"))
    return journal


def results(
    files: Iterable[AudioFile],
    *,
    journal: Journal | None,
    tag: Callable[[Iterable[AudioFile], Callable[[FileResult], None]], Iterator[FileResult]],
) -> Iterator[tuple[FileResult, bool]]:
    """The results of all files, from the journal if it has them.

    Args:
        files: read lazily; each path only once.
        journal: new results are added to it; None for no journal.
        tag: tags files lazily and yields their results in order. It calls its second argument with each result as soon
            as the file is tagged, so that a result that waits behind a long recording is already stored.

    Yields:
        For each file in order: its result, and whether it is from the journal.
    """
    if journal is None:
        yield from ((result, False) for result in tag(files, lambda result: None))
        return
    turns = (_turn(file, journal) for file in files)
    for first in turns:
        if first.offset is not None:  # nothing new is before it, so it does not wait
            yield FileResult(first.file.path, journal.read(first.offset)), True
            continue
        waiting: OrderedDict[str, _Turn] = OrderedDict()
        for result in tag(_new(chain((first,), turns), waiting), partial(_keep, waiting, journal)):
            yield from _known(waiting, journal)
            _, turn = waiting.popitem(last=False)
            yield from _with_kept(turn, result, journal)
        yield from _known(waiting, journal)


def present(files: Iterable[AudioFile], journal: Journal | None, *, shard: Shard | None = None) -> Iterator[AudioFile]:
    """The files without empty folders, and without problems of other shards, if the journal has no recordings there."""
    for file in files:
        if file.problem is not None and (
            file.problem.code == "empty_folder" or (shard is not None and not shard.has(file.path))
        ):
            if journal is None or not journal.find_below(file.path):
                continue
        yield file


def is_known(file: AudioFile, journal: Journal) -> bool:
    """Whether the journal has the result of a file."""
    return _turn(file, journal).offset is not None


def kept(file: AudioFile, journal: Journal) -> Iterator[FileResult]:
    """The results in the last table of recordings at or below a path that cannot be accessed."""
    for offset in _kept(_turn(file, journal), journal):
        yield FileResult(*journal.read_file(offset))


def with_count(problem: Problem, kept: int) -> Problem:
    """The problem of a path that cannot be accessed, with the number of recordings that stay in the table."""
    if not kept:
        return problem
    return replace(problem, message=f"{problem.message}; the table keeps {plural(kept, 'recording')} of the last run")


class _Turn(NamedTuple):
    """A file with its place in the journal.

    Attributes:
        file: as discovered.
        reached: whether it can be accessed.
        key: key to store its result under; None if the result must not be stored.
        offset: offset of its result in the journal; None if it is new.
    """

    file: AudioFile
    reached: bool
    key: Key | None
    offset: int | None


def _turn(file: AudioFile, journal: Journal) -> _Turn:
    if file.problem is not None or file.path == STDIN:
        return _Turn(file, file.problem is None or file.problem.code == "not_a_file", None, None)
    now_ns = time.time_ns()
    # The file was looked at when it was found, which is before `now_ns` and before it is read, as it has to be.
    key = _found_key(file)
    offset = None if key is None else journal.find(key)
    reached = key is not None or file.remote is not None
    fresh = key is not None and file.remote is None and _is_fresh(key, now_ns)
    return _Turn(file, reached, None if fresh else key, offset)


def _with_kept(turn: _Turn, result: FileResult, journal: Journal) -> Iterator[tuple[FileResult, bool]]:
    """A new result, followed by results of the last table that stay because a path cannot be accessed."""
    offsets = _kept(turn, journal)
    yield _with_kept_count(result, len(offsets)), False
    for offset in offsets:
        yield FileResult(*journal.read_file(offset)), True


def _kept(turn: _Turn, journal: Journal) -> list[int]:
    return [] if turn.reached else journal.find_below(turn.file.path)


def _with_kept_count(result: FileResult, count: int) -> FileResult:
    """A result whose messages contain the number of recordings that stay."""
    channels = (
        channel if channel.problem is None else replace(channel, problem=with_count(channel.problem, count))
        for channel in result.channels
    )
    return replace(result, channels=tuple(channels))


def _new(turns: Iterable[_Turn], waiting: OrderedDict[str, _Turn]) -> Iterator[AudioFile]:
    """The new files, until too many files with stored results wait behind them; all are added to `waiting`."""
    for turn in turns:
        waiting[turn.file.path] = turn
        if turn.offset is None:
            yield turn.file
        elif len(waiting) >= _MOST_WAITING:
            return


def _known(waiting: OrderedDict[str, _Turn], journal: Journal) -> Iterator[tuple[FileResult, bool]]:
    """The stored results that are next in order, up to the next new file."""
    while (turn := next(iter(waiting.values()), None)) is not None and turn.offset is not None:
        waiting.popitem(last=False)
        yield FileResult(turn.file.path, journal.read(turn.offset)), True


def _keep(waiting: Mapping[str, _Turn], journal: Journal, result: FileResult) -> None:
    turn = waiting[result.path]
    failed = any(channel.status in FAILURES for channel in result.channels)
    if turn.key is not None and not failed and _key(turn.file) == turn.key:
        journal.add(turn.key, result.channels)


def _found_key(file: AudioFile) -> Key | None:
    """The key of a file as it was when it was found."""
    if file.size_bytes is not None and file.mtime_ns is not None:
        return Key(file.path, file.size_bytes, file.mtime_ns)
    return _key(file)


def _key(file: AudioFile) -> Key | None:
    """The key of a file as it is now."""
    if file.remote is not None:  # workers refuse an object that is not this version any more
        size_bytes, version = file.size_bytes, file.remote.version
        known = size_bytes is not None and version is not None
        return Key(file.path, size_bytes or 0, _number(version or "")) if known else None
    try:
        status = os.stat(file.path)
    except (OSError, ValueError):  # removed since it was found, or not a valid name; tagging it gives the error
        return None
    return Key(file.path, status.st_size, status.st_mtime_ns)


def _number(version: str) -> int:
    """A version of an object as a number, which takes the place of the mtime of files."""
    return int.from_bytes(hashlib.sha256(version.encode("utf-8", "surrogatepass")).digest()[:8], "big") >> 1


def _is_fresh(key: Key, now_ns: int) -> bool:
    """Whether the file could be written once more without a change of its mtime."""
    grain_ns = _COARSE_NS if key.mtime_ns % _SECOND_NS == 0 else _FINE_NS
    return key.mtime_ns + grain_ns > now_ns


def _folder(journal_path: str) -> str:
    """The working folder, relative to the folder of the journal."""
    try:
        return os.path.relpath(os.getcwd(), os.path.dirname(os.path.realpath(journal_path)))
    except OSError:  # the working folder was removed, so relative paths are not valid
        return ""
