"""Shared code of the commands on tables: options, reading, writing, messages and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sertag.cli.params import STORAGE_OPTIONS
from sertag.errors import Exit, OutputError, SertagError
from sertag.remote.options import parse_options
from sertag.tables.formats import SUFFIXES, Format, format_of
from sertag.text import display_name, display_text

if TYPE_CHECKING:
    from sertag.analysis.loading import Loaded

CONTEXT = {"max_content_width": 100}
FORMATS = ("csv", "tsv", "json", "jsonl", "table")
RESULTS = click.argument("results", nargs=-1, required=True, type=click.Path())

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Choice:
    """The options of `table_options`."""

    where: str | None
    join: str | None
    key: str | None
    date_regex: str | None
    storage_options: tuple[str, ...]
    quiet: bool

    def __post_init__(self) -> None:
        if (self.join is None) is not (self.key is None):
            raise click.UsageError("--join and --key go together")

    @property
    def storage(self) -> str:
        """Settings of storages, as JSON text."""
        return parse_options(self.storage_options)

    def load(self, *paths: str) -> Loaded:
        """Read tables and add the columns of another one."""
        from sertag.analysis.join import join
        from sertag.analysis.loading import load

        found = load(paths, storage=self.storage)
        if self.join is not None and self.key is not None:
            join(found, self.join, key=self.key, storage=self.storage)
        return found

    def load_results(self, *paths: str) -> Loaded:
        """The same, of tables that have to hold results; only the rows of --where are left."""
        from sertag.analysis.loading import need_rows

        found = self.load(*paths)
        need_rows(found)
        self.restrict(found)
        return found

    def say(self, remarks: Iterable[str], *, mark: str = "note: ") -> None:
        """Write notes to standard error."""
        for remark in () if self.quiet else remarks:
            click.echo(f"{mark}{display_text(remark)}", err=True)

    def restrict(self, table: Loaded) -> None:
        """Keep what --where chooses."""
        from sertag.analysis.selection import restrict

        if self.where is not None:
            restrict(table, self.where, date_regex=self.date_regex)


def table_options(command: _Command) -> _Command:
    """Add the options of all commands on tables: which rows, and which additional columns."""
    options = (
        click.option(
            "--where",
            metavar="FILTER",
            help="Only rows for which this is true, as in: role = customer and neg_q4 > 0.6 (see docs/tables.md).",
        ),
        click.option("--join", metavar="FILE", help="Add the columns of a CSV file, found by --key."),
        click.option(
            "--key",
            metavar="REGEX",
            help="Where the key of --join stands in the file name: a group with the name of its column, or one group "
            "for the first column.",
        ),
        click.option(
            "--date-regex",
            metavar="REGEX",
            help="Where the date stands in the file name, for the columns day, week and month: year, month and day in "
            "that order, or groups of these names.  [default: 2026-03-02 or 20260302]",
        ),
        STORAGE_OPTIONS,
        click.option("-q", "--quiet", is_flag=True, help="No notes, only errors."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def output_options(command: _Command) -> _Command:
    """Add the options for the output of a table."""
    out = click.option("-o", "--out", default="-", metavar="FILE", help="- is standard output.  [default: -]")
    fmt = click.option(
        "-f",
        "--format",
        type=click.Choice(FORMATS),
        help="[default: by the suffix of --out; a table on a terminal, CSV in a pipe]",
    )
    return out(fmt(command))


def finish(work: Callable[[], Exit]) -> None:
    """Run the body of a command; an error becomes one line on stderr and an exit code."""
    try:
        code = work()
    except BrokenPipeError:  # the reader, such as `head`, has ended
        code = Exit.READER_LEFT
    except SertagError as error:
        click.echo(f"error: {display_text(str(error))}", err=True)
        code = Exit.OUTPUT if isinstance(error, OutputError) else Exit.USAGE
    click.get_current_context().exit(int(code))


def check_output(out: str, *inputs: str | None) -> None:
    """Refuse an output that would overwrite what is read, or a recording."""
    from sertag.audio.discover import has_audio_suffix

    if out == "-":
        return
    place = os.path.realpath(out)
    for path in inputs:
        if path not in (None, "-") and os.path.realpath(path or "") == place:
            raise click.UsageError(f"{display_name(out)} would be overwritten while it is read; write another file")
    if os.path.isfile(place) and has_audio_suffix(place):
        raise click.UsageError(f"{display_name(out)} is a recording and would be overwritten; write another file")


def table_format(format: Format | None, out: str) -> Format:
    """The format of a table: as asked for, by the suffix of --out, or by where it goes."""
    if format is not None:
        return format
    if out == "-":
        return "table" if sys.stdout is not None and sys.stdout.isatty() else "csv"
    found = format_of(out)
    if found is None or found == "parquet":
        known = ", ".join(suffix for suffix, name in SUFFIXES.items() if name != "parquet")
        raise click.UsageError(f"--out {display_name(out)}: known suffixes are {known}; or give --format")
    return found


def write(
    out: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], fmt: Format, *, storage: str
) -> None:
    """Write a table; on a terminal an empty one is a message."""
    from sertag.tables.row_writer import write_rows

    if fmt == "table" and not rows:
        click.echo("no rows", err=True)
        return
    write_rows(out, rows, columns=columns, fmt=fmt, storage=storage)
