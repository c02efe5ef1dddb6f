"""A run from a request to an exit code: the pipeline, outputs, journal, messages and counts.

Used by `cli`. At the end all outputs are flushed to the disk before any of them is moved into place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from logging import DEBUG, ERROR, INFO, Logger
from typing import TYPE_CHECKING, Any

from sertag import signals
from sertag.errors import ClusterError, Exit, ModelError, OutputError, SertagError
from sertag.model.model_file import DEFAULT_MODEL, ModelFile, describe
from sertag.parallel import engine, memory
from sertag.parallel.tasks import usable_cpus
from sertag.parallel.worker import Worker
from sertag.records import FAILURES, STRICT_FAILURES, AudioFile, FileResult, Status
from sertag.remote.output import make_state_folder
from sertag.remote.urls import is_url
from sertag.run import resume
from sertag.run.checks import check
from sertag.run.dry_run import dry_run
from sertag.run.inputs import can_be_read_again, inputs, is_empty_shard, nothing_found
from sertag.run.messages.log import to_stderr_and_file
from sertag.run.outputs import open_outputs, open_tables
from sertag.run.settings import Request, RequestError, segments_format, table_format
from sertag.run.summary import FileWarnings, Tally, last_line, run_summary
from sertag.storage import lock
from sertag.storage.journal import Journal
from sertag.tables.columns import ModelInfo
from sertag.tables.formats import Format
from sertag.tables.writers import finish_json
from sertag.text import display_name, display_text

if TYPE_CHECKING:
    from sertag.parallel.cluster.session import ClusterChoice

_CODES = {
    ModelError: Exit.MODEL,
    OutputError: Exit.OUTPUT,
    ClusterError: Exit.CLUSTER,
    lock.LockedError: Exit.LOCKED,
}


def run(request: Request, *, prestarted: list[Worker] | None = None) -> Exit:
    """Run a request.

    Args:
        request: settings of the run.
        prestarted: workers that are already starting; those that are used are taken out, the caller ends the others.

    Returns:
        The exit code; all messages have been logged.

    Raises:
        RequestError: the settings contradict each other; nothing was done.
        Stopped: a signal ended the run.
        BrokenPipeError: the reader of standard output has closed it.
    """
    check(request)
    level = DEBUG if request.verbose else ERROR if request.quiet else INFO
    try:
        with to_stderr_and_file(level=level, log_file=request.log_file, log_format=request.log_format) as logger:
            return _logged(request, logger, [] if prestarted is None else prestarted)
    except OutputError as error:  # the log file cannot be written, so the message goes to stderr
        sys.stderr.write(f"error: {error}\n")
        return Exit.OUTPUT


def _logged(request: Request, logger: Logger, prestarted: list[Worker]) -> Exit:
    """Run a request; an error that ends the run becomes one message and an exit code."""
    try:
        return dry_run(request, logger) if request.dry_run else _tag(request, logger, prestarted)
    except (BrokenPipeError, RequestError):
        raise
    except SertagError as error:
        more = _continues(request) if isinstance(error, ClusterError) else ""
        logger.error("%s%s", display_text(str(error)), more)
        return next((code for kind, code in _CODES.items() if isinstance(error, kind)), Exit.SOME_FAILED)
    except signals.Stopped as stop:
        logger.error("stopped by %s%s", stop.signum.name, _continues(request))
        raise
    except Exception as error:
        # Errors without an exit code of their own give 1; the traceback is shown with -v and in the log file.
        message = display_text(f"{type(error).__name__}: {error}")
        logger.error("%s; this is a fault of sertag, please report it (-v shows where)", message, exc_info=True)
        return Exit.SOME_FAILED


def _continues(request: Request) -> str:
    more = "; run the same command again to continue" if request.journal and request.resume else ""
    return f"; the output files are unchanged{more}"


@dataclass(frozen=True, slots=True)
class _Run:
    """Everything that the steps of a run share.

    Attributes:
        request: settings of the run.
        formats: formats of the result table and of the table of windows.
        logger: for messages.
        model: the model file; workers load it.
        journal: None if the table is not a regular file.
        wanted_jobs: workers; None for one a processor.
        prestarted: workers that are already starting.
        tally: counts of the results so far.
        cluster: does the work; None for this computer.
    """

    request: Request
    formats: tuple[Format, Format | None]
    logger: Logger
    model: ModelFile
    journal: Journal | None
    wanted_jobs: int | None
    prestarted: list[Worker]
    tally: Tally
    cluster: ClusterChoice | None

    @property
    def jobs(self) -> int:
        if self.cluster is not None:
            return self.request.jobs or self.cluster.at_once
        return self.wanted_jobs or usable_cpus()

    @property
    def origin(self) -> ModelInfo:
        return ModelInfo.of(self.model.spec, sha256=self.model.sha256)


def _tag(request: Request, logger: Logger, prestarted: list[Worker]) -> Exit:
    formats = _formats(request)
    with ExitStack() as stack:
        if request.lock is not None:
            if is_url(request.out):
                make_state_folder()
            stack.enter_context(lock.hold(request.lock, of=request.out))
        files = inputs(request, empty_folders=resume.has_journal(request))
        first = list(islice(files, engine.FEW_FILES))
        if not first and not is_empty_shard(request):
            logger.error("%s", nothing_found(request))
            return Exit.NOTHING_TAGGED
        model = describe(request.model or DEFAULT_MODEL)
        if not model.spec.calibrated:
            message = "%s is not calibrated: its confidences may be far too high; `python -m export wrap --calibrate`"
            logger.warning(f"{message} fits them on labelled clips", display_name(model.path))
        journal = resume.open_journal(request, model=model, logger=logger)
        files = resume.present(chain(first, files), journal, shard=request.shard)
        first = list(islice(files, engine.FEW_FILES))
        if not first and not is_empty_shard(request):
            logger.error("%s", nothing_found(request))
            return Exit.NOTHING_TAGGED
        jobs = request.jobs
        if request.backend == "local":
            jobs = memory.limited_jobs(
                model.path, jobs=jobs, files=len(first), count_cpus=usable_cpus, warn=logger.warning
            )
        stack.callback(engine.end, prestarted)
        if request.backend == "local" and (
            journal is None or journal.is_empty
        ):  # otherwise the number of new files is not known yet
            engine.prestart(first, jobs=jobs, prestarted=prestarted)
        if journal is not None:
            stack.enter_context(journal)
        tally, cluster = Tally(failures=_failures(request)), _cluster(request, logger)
        run = _Run(request, formats, logger, model, journal, jobs, prestarted, tally, cluster)
        exit_code = _write(run, chain(first, files))
    where = "table on standard output" if request.out == "-" else f"table in {display_name(request.out)}"
    logger.info("%s", last_line(run.tally, where=where))
    return exit_code


def _write(run: _Run, files: Iterable[AudioFile]) -> Exit:
    """Tag everything and put the outputs in place."""
    warnings = FileWarnings(run.logger, failures=_failures(run.request), roles=run.request.roles)
    with ExitStack() as opened:
        outputs = open_outputs(run.request, opened)
        tables = [opened.enter_context(table) for table in open_tables(run.request, outputs, run.formats, run.origin)]
        show = opened.enter_context(_progress(run))
        for result, reused in opened.enter_context(_results(run, files)):
            warnings.log(result, reused=reused)
            for table in tables:
                table.add(result)
            run.tally.add(result, reused=reused)
            show()
        _maintain(run, Journal.note_moved)
        signals.ignore()  # the work is done; moving the outputs into place is short and must not be interrupted
        exit_code = _exit_code(run.tally)
        if outputs.summary is not None:
            document = run_summary(run.tally, run.request, model=run.model, origin=run.origin, jobs=run.jobs)
            finish_json(outputs.summary, document | {"exit_code": int(exit_code)})
    _maintain(run, Journal.compact)  # it may take a while, and now the outputs are in place
    return exit_code


def _formats(request: Request) -> tuple[Format, Format | None]:
    out = table_format(request, terminal=_is_terminal(sys.stdout))
    return out, None if request.segments is None else segments_format(request.segments)


@contextmanager
def _progress(run: _Run) -> Iterator[Any]:
    """Yields a function to be called after each file."""
    request = run.request
    shown = request.progress
    if shown is None:
        # Rows on the same terminal would break up the progress line.
        mixed = request.out == "-" and _is_terminal(sys.stdout) and run.formats[0] != "table"
        shown = _is_terminal(sys.stderr) and not request.quiet and not mixed
    if not shown:
        yield lambda: None
        return
    from sertag.run.messages.progress import Progress

    countable = can_be_read_again(request)
    with Progress(run.tally, files=(lambda: inputs(request, count_only=True)) if countable else None) as progress:
        yield progress.advance


@contextmanager
def _results(run: _Run, files: Iterable[AudioFile]) -> Iterator[Iterator[tuple[FileResult, bool]]]:
    """Yields an iterator over the results; an exception in the block ends the work."""

    def tag(new: Iterable[AudioFile], done: Callable[[FileResult], None]) -> Iterator[FileResult]:
        request = run.request
        return engine.tag_all(
            new,
            model=run.model,
            options=request.options,
            jobs=run.wanted_jobs,
            timeout_s=request.timeout,
            done=done,
            prestarted=run.prestarted,
            cluster=run.cluster,
        )

    results = resume.results(files, journal=run.journal, tag=tag)
    try:
        yield results
    except BaseException:
        signals.ignore()  # a signal has been handled by now; the cleanup must not be interrupted
        if isinstance(results, Generator):
            results.close()
        raise


def _cluster(request: Request, logger: Logger) -> ClusterChoice | None:
    if request.backend == "local":
        return None
    from sertag.parallel.cluster.session import ClusterChoice

    return ClusterChoice(request.backend, request.scheduler, partial(logger.warning, "%s"))


def _maintain(run: _Run, work: Callable[[Journal], None]) -> None:
    """Do something with the journal that the rows do not depend on."""
    try:
        if run.journal is not None:
            work(run.journal)
    except OutputError as error:  # the journal is unchanged and still valid
        run.logger.warning("%s", display_text(str(error)))


def _failures(request: Request) -> frozenset[Status]:
    return STRICT_FAILURES if request.strict else FAILURES


def _exit_code(tally: Tally) -> Exit:
    if tally.inputs and tally.failed_inputs == tally.inputs:
        return Exit.NOTHING_TAGGED
    return Exit.SOME_FAILED if tally.failed_rows else Exit.OK


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()
