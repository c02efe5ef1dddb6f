"""Lists what a run would tag, without tagging: file names on standard output, messages on stderr.

Used by `run`. As with `rsync -n`, files that would not be tagged are listed only with `-v`, among the messages.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from logging import Logger

from sertag.errors import Exit
from sertag.model.model_file import DEFAULT_MODEL, describe
from sertag.records import AudioFile, Problem
from sertag.run import resume
from sertag.run.inputs import inputs, is_empty_shard, nothing_found
from sertag.run.settings import Request
from sertag.storage.atomic_output import Output
from sertag.storage.journal import Journal
from sertag.text import display_name, plural


def dry_run(request: Request, logger: Logger) -> Exit:
    """List what would be tagged, count what would be reused.

    Args:
        request: settings of the run.
        logger: for messages.

    Returns:
        The exit code.

    Raises:
        ModelError: there is a journal, and the model cannot be used, so its rows in the journal cannot be found.
        OutputError: standard output cannot be written, or the journal cannot be read.
    """
    journal = _journal(request, logger)
    new = reused = 0
    with Output("-") as output, journal or nullcontext():
        files = inputs(request, empty_folders=journal is not None)
        for file in resume.present(files, journal, shard=request.shard):
            if journal is not None and resume.is_known(file, journal):
                reused += 1
                logger.debug("%s: has not changed, would be reused", display_name(file.path))
                continue
            new += 1
            _list(file, output, end=b"\0" if request.null else b"\n")
            if file.problem is not None:
                reused += _warn(file, file.problem, journal, logger)
    if new + reused == 0 and not is_empty_shard(request):
        logger.error("%s", nothing_found(request))
        return Exit.NOTHING_TAGGED
    logger.info("%s would be tagged, %s reused", plural(new, "file"), f"{reused:,}")
    return Exit.OK


def _journal(request: Request, logger: Logger) -> Journal | None:
    if not resume.has_journal(request):  # without a journal the model is not needed
        return None
    return resume.open_journal(request, model=describe(request.model or DEFAULT_MODEL), logger=logger)


def _warn(file: AudioFile, problem: Problem, journal: Journal | None, logger: Logger) -> int:
    """Log the problem of a file and the number of its recordings that stay in the table; returns that number."""
    kept = 0 if journal is None else sum(1 for _ in resume.kept(file, journal))
    message = resume.with_count(problem, kept).message
    logger.warning("%s", message, extra={"per_file": True, "path": file.path})
    return kept


def _list(file: AudioFile, output: Output, *, end: bytes) -> None:
    # The next program opens these files, so it gets the names as bytes, not escaped as in tables.
    output.write((display_name(file.path).encode() if output.terminal else os.fsencode(file.path)) + end)
