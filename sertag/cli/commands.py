"""The command line: commands, options and usage errors. Only `cli` imports click.

Heavy modules are imported inside the commands, so that `--help` and completion are fast. Settings come from flags, then
`SERTAG_*` variables, then the file of `--config`, then the user's configuration file.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from sertag import __version__, signals
from sertag.cli.groups import DefaultGroup, Deferred, TagCommand
from sertag.cli.params import (
    HOP,
    MIN_CONFIDENCE,
    MODEL,
    PROVIDER,
    ROLES,
    STORAGE_OPTIONS,
    Channels,
    Number,
    ShardType,
    load_config,
)
from sertag.errors import Exit
from sertag.limits import MAX_DURATION_S, TIMEOUT_S
from sertag.parallel import BACKENDS, ONE_THREAD
from sertag.tables.formats import FORMATS

if TYPE_CHECKING:
    from sertag.parallel.worker import Worker

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic only since click 8.5

_CONTEXT = {"max_content_width": 100}


@click.group(cls=DefaultGroup, context_settings=_CONTEXT, options_metavar="", subcommand_metavar="[OPTIONS] PATHS...")
def cli() -> None:
    """Tag call recordings with emotions: one row for every file and channel.

    PATHS are files, directories, which are searched, or - for audio on standard input. Every option can also be set
    by an environment variable (SERTAG_JOBS=4) or in a configuration file (jobs = 4).
    """


@cli.command(
    cls=TagCommand,
    context_settings=_CONTEXT | {"auto_envvar_prefix": "SERTAG"},
    short_help="Tag recordings (the default).",
)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "-o",
    "--out",
    default="-",
    metavar="FILE",
    help="Result table; the suffix decides the format: .csv .tsv "
    ".json .jsonl .parquet. - is standard output: a table on a terminal, CSV in a pipe.  [default: -]",
)
@click.option("-f", "--format", type=click.Choice(FORMATS), help="Format of the result table, overrides the suffix.")
@click.option("--segments", metavar="FILE", help="Second table: one row per window, format from its suffix.")
@click.option("--summary", metavar="FILE", help="JSON summary of the run.")
@click.option("--files-from", metavar="FILE", help="Read paths from a list, one per line; - is standard input.")
@click.option("-0", "--null", is_flag=True, help="The list, and the output of --dry-run, is NUL-separated.")
@click.option(
    "--include",
    multiple=True,
    metavar="GLOB",
    help="In directories, take files that match, with any suffix; repeatable.  [default: audio suffixes]",
)
@click.option("--exclude", multiple=True, metavar="GLOB", help="In directories, skip files that match; repeatable.")
@click.option(
    "--channels",
    type=Channels(),
    default="split",
    help="One row per channel, all mixed down, or only channel N, counted from 0.  [default: split]",
)
@ROLES
@click.option("--only-role", metavar="NAME", help="Score only that role; the others get no rows.")
@MODEL
@PROVIDER
@HOP
@MIN_CONFIDENCE
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Worker processes; on a cluster, batches of files at the same time.  [default: the processors this process "
    "may use; all that the workers of the cluster take]",
)
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default="local",
    help="Where the work is done: on this computer, or by the workers of a Dask or Ray cluster.  [default: local]",
)
@click.option(
    "--scheduler",
    metavar="ADDR",
    help="Address of the cluster: tcp://host:8786 or the scheduler file of Dask; ray://host:10001 or host:6379 of "
    "Ray.  [default: as configured for Dask or Ray, else workers on this computer]",
)
@click.option(
    "--timeout",
    type=Number(over=0),
    default=TIMEOUT_S,
    metavar="SECONDS",
    help=f"A file that takes longer becomes a `failed` row.  [default: {TIMEOUT_S:g}]",
)
@click.option(
    "--raw",
    metavar="FORMAT[:RATE[:CHANNELS]]",
    help="Files without a header are samples of that kind, whatever their suffix: ulaw, alaw, s16le, gsm, vox, g722, "
    "…  [default: by the suffix, as .ulaw or .sln16]",
)
@click.option(
    "--max-duration",
    type=Number(over=0),
    default=MAX_DURATION_S,
    metavar="SECONDS",
    help=f"A longer recording becomes a `failed` row.  [default: {MAX_DURATION_S:g}, a day]",
)
@click.option(
    "--resume/--no-resume",
    default=True,
    help="Reuse the rows of unchanged files from the journal beside --out, in which every run stores finished files."
    "  [default: resume]",
)
@click.option(
    "--shard",
    type=ShardType(),
    help="Tag only part K of N, for schedulers that start N runs, each with its own --out; see `sertag merge`.",
)
@click.option(
    "--partition-by",
    type=click.Choice(("day",)),
    help="--out is a folder of Parquet files, out/day=2026-03-02/part-0.parquet, by the day in the path, else the day "
    "of writing.",
)
@STORAGE_OPTIONS
@click.option("--strict", is_flag=True, help="no_speech, too_short and uncertain count as failures for the exit code.")
@click.option("--dry-run", is_flag=True, help="List files that would be tagged, count reused ones, and tag nothing.")
@click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    callback=load_config,
    help="TOML file with long option names "
    "as keys. Flags and SERTAG_* variables come first; $XDG_CONFIG_HOME/sertag/config.toml comes last.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show only errors.")
@click.option("-v", "--verbose", is_flag=True, help="More messages, with tracebacks.")
@click.option("--log-file", metavar="FILE", help="Append all messages to a file.")
@click.option(
    "--log-format", type=click.Choice(("text", "json")), default="text", help="Format of messages.  [default: text]"
)
@click.option("--progress/--no-progress", default=None, help="Show progress on stderr.  [default: on a terminal]")
@click.option("--bom", is_flag=True, help="Begin CSV and TSV with a byte-order mark, for spreadsheets.")
@click.version_option(__version__, message="sertag %(version)s")
def tag(**given: Any) -> None:
    """Tag recordings with emotions: one row for every file and channel."""
    from sertag.parallel import engine

    del given["config"]  # its callback has set the defaults of the other options
    workers: list[Worker] = []
    try:
        if _will_work(given):
            engine.prestart_first(workers)  # before this process loads what a run needs: both load at the same time
        code = _run(given, workers)
    finally:
        engine.end(workers)
    click.get_current_context().exit(int(code))


def _will_work(given: dict[str, Any]) -> bool:
    """Whether a worker is likely to be needed here: not if an earlier run has left results that may be all of them."""
    continues = given["resume"] and os.path.exists(f"{given['out']}.journal")
    anything = given["paths"] or given["files_from"]
    return bool(anything and given["backend"] == "local" and not given["dry_run"] and not continues)


def _run(given: dict[str, Any], workers: list[Worker]) -> Exit:
    from sertag.run.batch import run
    from sertag.run.settings import Request, RequestError

    try:
        return run(Request(**given), prestarted=workers)
    except RequestError as error:
        raise click.UsageError(str(error)) from error
    except BrokenPipeError:  # the reader, such as `head`, has ended: exit silently, as `cat` does
        return Exit.READER_LEFT


@cli.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    For bash: eval "$(sertag completion bash)" in ~/.bashrc.
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"no completion for {shell}")
    script = complete(cli, {}, "sertag", "_SERTAG_COMPLETE")
    # Not `source()`, which for bash runs bash to look at its version.
    click.echo(script.source_template % script.source_vars())


for _home, _help in {
    "models": "Show bundled models and model files.",
    "report": "Make an HTML page for review.",
    "show": "Show, play or cut one recording.",
    "listen": "Tag live audio.",
    "tables.worst": "List the calls to listen to first.",
    "tables.by": "Count and average groups of calls.",
    "tables.diff": "Compare two tables.",
    "tables.agree": "Set the threshold from verdicts of listeners.",
    "tables.merge": "Put tables of parts together.",
    "tables.convert": "Write tables for other programs.",
}.items():
    cli.add_command(Deferred(_home, _help))


def main() -> None:
    """Entry point of the `sertag` command."""
    os.environ |= ONE_THREAD | os.environ  # before numpy is loaded, which reads it once
    try:
        signals.install()
        cli.main(prog_name="sertag")
    except signals.Stopped as stop:
        signals.ignore()
        _exit_at_once(stop.exit_code)
    except SystemExit as end:
        if isinstance(end.code, int) and _nothing_waits():
            _exit_at_once(end.code)
        raise


def _nothing_waits() -> bool:
    """Whether Python would wait for no other thread, and has nothing left to write or to complain about."""
    threads = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except OSError:  # the disk is full, for instance
        return False
    return all(thread.daemon for thread in threads)


def _exit_at_once(code: int) -> None:
    """End as `sys.exit` does, but leave memory to the system: to free it takes longer than to stop all workers."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # there is none, nobody reads it any more, it is closed
            stream.flush()
    os._exit(code)
