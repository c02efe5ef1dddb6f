"""A run from a request to an exit code: the line of stations with its outputs, progress, messages and counts around it.

Used by `cli`. Model and workers are imported when they are needed, so that a dry run does without them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict
from itertools import chain, islice
from logging import DEBUG, ERROR, INFO, WARNING, Logger
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sertag import __version__, signals
from sertag.discover import discover, read_list
from sertag.errors import ModelError, OutputError
from sertag.exit_codes import Exit
from sertag.log import to_stderr_and_file
from sertag.names import display_name
from sertag.output import Output
from sertag.records import FAILURES, STRICT_FAILURES, AudioFile, FileResult, Problem, Status
from sertag.request import Request, RequestError, check, segments_format, table_format
from sertag.rows import Origin
from sertag.summary import Tally, document, last_line, plural
from sertag.write import Table, open_table, results_view, segments_view, write_json

if TYPE_CHECKING:
    from sertag.model import Model


def run(request: Request) -> Exit:
    """Do what a request says.

    Args:
        request: of the user.

    Returns:
        The exit code; everything there is to say has been said.

    Raises:
        RequestError: the settings contradict each other; nothing was done.
        Stopped: a signal ended the run.
        BrokenPipeError: nobody reads standard output any more.
    """
    check(request)
    level = DEBUG if request.verbose else ERROR if request.quiet else INFO
    try:
        with to_stderr_and_file(level=level, log_file=request.log_file, log_format=request.log_format) as logger:
            return _logged(request, logger)
    except OutputError as error:  # of the log file; there is no other place to say it
        sys.stderr.write(f"error: {error}\n")
        return Exit.OUTPUT


def _logged(request: Request, logger: Logger) -> Exit:
    """Run, and turn whatever ends the run early into one message and its exit code."""
    try:
        return _dry_run(request, logger) if request.dry_run else _tag(request, logger)
    except (ModelError, OutputError) as error:
        logger.error("%s", display_name(str(error)))
        return Exit.MODEL if isinstance(error, ModelError) else Exit.OUTPUT
    except (BrokenPipeError, RequestError):
        raise
    except signals.Stopped as stop:
        logger.error("stopped by %s; the output files are as they were", stop.signum.name)
        raise
    except Exception as error:
        # 1 stands for failures that have no code of their own; the traceback is for -v and the log file.
        message = display_name(f"{type(error).__name__}: {error}")
        logger.error("%s; this is a fault of sertag, please report it (-v shows where)", message, exc_info=True)
        return Exit.SOME_FAILED


def _dry_run(request: Request, logger: Logger) -> Exit:
    count = 0
    with Output("-") as output:
        for file in _files(request):
            count += 1
            name = display_name(file.path) if output.terminal else file.path
            output.write(name.encode("utf-8", "surrogateescape") + (b"\0" if request.null else b"\n"))
            if file.problem is not None:
                logger.warning("%s", file.problem.message, extra={"per_file": True, "path": file.path})
    if count == 0:
        return _nothing_found(request, logger)
    logger.info("%s would be tagged", plural(count, "file"))
    return Exit.OK


def _tag(request: Request, logger: Logger) -> Exit:
    from sertag import parallel

    jobs = request.jobs or parallel.usable_cpus()
    files = _files(request)
    first = list(islice(files, 1 if jobs == 1 else parallel.FEW_FILES))
    if not first:
        return _nothing_found(request, logger)
    tally = Tally(failures=_failures(request))
    with ExitStack() as open_things:
        if parallel.start(first, jobs=jobs):
            open_things.push(_stop_workers)
        from sertag import model as models  # takes as long as workers take to start
        from sertag.memory import keep_freed_memory

        keep_freed_memory()
        model = models.load(request.model or models.DEFAULT_MODEL)
        origin = Origin(labels=model.spec.labels, model=model.spec.name, model_sha256=model.sha256)
        tables = [open_things.enter_context(table) for table in _tables(request, origin)]
        show = open_things.enter_context(_progress(request, tally))
        results = open_things.enter_context(_results(chain(first, files), request=request, model=model, jobs=jobs))
        for result in _reported(results, request=request, logger=logger):
            for table in tables:
                table.add(result)
            tally.add(result)
            show()
        signals.ignore()  # the work is done; moving the tables into place is short and must not be cut in two
    exit_code = _exit_code(tally)
    if request.summary is not None:
        params = _params(request, model)
        facts = document(tally, version=__version__, origin=origin, jobs=jobs, params=params, exit_code=int(exit_code))
        write_json(request.summary, facts)
    where = "table on standard output" if request.out == "-" else f"table in {display_name(request.out)}"
    logger.info("%s", last_line(tally, where=where))
    return exit_code


def _files(request: Request) -> Iterator[AudioFile]:
    return discover(_paths(request), include=request.include, exclude=request.exclude)


def _paths(request: Request) -> Iterator[str]:
    yield from request.paths
    if request.files_from is None:
        return
    with ExitStack() as opened:
        try:
            here = request.files_from == "-"
            stream = sys.stdin.buffer if here else opened.enter_context(open(request.files_from, "rb"))
        except OSError as error:
            reason = f"--files-from {display_name(request.files_from)}: {error.strerror or error}"
            raise RequestError(reason) from error
        for path in read_list(stream, null=request.null):
            yield "./-" if path == "-" else path  # in a list it is a file of that name, not standard input


def _nothing_found(request: Request, logger: Logger) -> Exit:
    given = [*request.paths, *([f"the list {request.files_from}"] if request.files_from else [])]
    names = display_name(", ".join(given[:3])) + (", …" if len(given) > 3 else "")
    advice = "directories are searched for audio suffixes, or for --include"
    logger.error("no audio found in %s; %s; output files are left as they were", names, advice)
    return Exit.NOTHING_TAGGED


def _tables(request: Request, origin: Origin) -> Iterator[AbstractContextManager[Table]]:
    fmt = table_format(request, terminal=_is_terminal(sys.stdout))
    if fmt == "table":
        from sertag.progress import open_screen_table

        yield open_screen_table(request.out)
    else:
        yield open_table(request.out, fmt=fmt, view=results_view(origin), bom=request.bom)
    if request.segments is not None:
        fmt = segments_format(request.segments)
        yield open_table(request.segments, fmt=fmt, view=segments_view(origin), bom=request.bom)


@contextmanager
def _progress(request: Request, tally: Tally) -> Iterator[Any]:
    """Yields what is to be called after each file."""
    shown = request.progress
    if shown is None:
        # Rows that run over the same screen would tear the line apart.
        mixed = request.out == "-" and _is_terminal(sys.stdout) and table_format(request, terminal=True) != "table"
        shown = _is_terminal(sys.stderr) and not request.quiet and not mixed
    if not shown:
        yield lambda: None
        return
    from sertag.progress import Progress

    # A list can be read a second time only if it is a regular file.
    countable = request.files_from is None or os.path.isfile(request.files_from)
    with Progress(tally, files=(lambda: _files(request)) if countable else None) as progress:
        yield progress.advance


@contextmanager
def _results(
    files: Iterable[AudioFile], *, request: Request, model: Model, jobs: int
) -> Iterator[Iterator[FileResult]]:
    """Yields the results; whatever ends the block early ends the work."""
    from sertag import parallel

    results = parallel.tag_all(files, model=model, options=request.options, jobs=jobs)
    try:
        yield results
    except BaseException:
        signals.ignore()  # if it was one, it has arrived; what follows must not be cut in two
        if isinstance(results, Generator):
            results.close()
        raise


def _stop_workers(kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
    """End the workers at once if something ended the run early; else they end by themselves."""
    if kind is None:
        return
    from sertag import parallel

    signals.ignore()  # if one came, it has arrived; what follows must not be cut in two
    with suppress(ImportError):  # a signal may have cut the import of the pool in two
        parallel.stop()


def _reported(results: Iterable[FileResult], *, request: Request, logger: Logger) -> Iterator[FileResult]:
    """Pass the results on and say what is wrong with them."""
    failures = _failures(request)
    roles_said = not request.roles
    for result in results:
        for problem, status in dict.fromkeys((channel.problem, channel.status) for channel in result.channels):
            if problem is not None:
                # A call without speech is a fact, not a fault, unless --strict makes it one.
                level = WARNING if status in failures or status is Status.OK else DEBUG
                facts = {"per_file": True, "path": result.path, "status": status.value, "code": problem.code}
                logger.log(level, "%s", _message(result.path, problem), extra=facts)
        if result.crash is not None:
            logger.debug("%s", result.crash)
        if not roles_said and _has_nameless_channel(result, request.roles):
            roles_said = True
            message = "%s has more channels than --roles has names; the role of the others is left empty (said once)"
            logger.warning(message, display_name(result.path))
        yield result


def _failures(request: Request) -> frozenset[Status]:
    return STRICT_FAILURES if request.strict else FAILURES


def _message(path: str, problem: Problem) -> str:
    """One line that names the file, whoever wrote the message."""
    name, message = display_name(path), display_name(problem.message)
    return message if message.startswith(name) else f"{name}: {message}"


def _has_nameless_channel(result: FileResult, roles: tuple[str, ...]) -> bool:
    return any(isinstance(row.channel, int) and row.channel >= len(roles) for row in result.channels)


def _exit_code(tally: Tally) -> Exit:
    if tally.failed_inputs == tally.inputs:
        return Exit.NOTHING_TAGGED
    return Exit.SOME_FAILED if tally.failed_rows else Exit.OK


def _params(request: Request, model: Model) -> dict[str, Any]:
    """What decides the rows besides inputs and model, with the model's defaults filled in."""
    chosen = asdict(request.options)
    hop_s = model.spec.hop_s if request.hop is None else request.hop
    floor = model.spec.min_confidence if request.min_confidence is None else request.min_confidence
    return chosen | {"hop_s": hop_s, "min_confidence": floor, "strict": request.strict}


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()
