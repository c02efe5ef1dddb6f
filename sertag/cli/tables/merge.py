"""`sertag merge`: tables of the shards of an archive as one."""

from __future__ import annotations

from typing import Any

import click

from sertag.cli.params import STORAGE_OPTIONS
from sertag.cli.tables import options
from sertag.errors import Exit, SertagError
from sertag.remote.options import parse_options
from sertag.remote.urls import shown
from sertag.tables.formats import SUFFIXES, Format, format_of, partition_conflict
from sertag.text import display_name


@click.command(short_help="Put tables of parts together.", context_settings=options.CONTEXT)
@click.argument("tables", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--out", required=True, metavar="FILE", help="- is standard output.")
@click.option(
    "-f",
    "--format",
    type=click.Choice(tuple(SUFFIXES.values())),
    help="[default: by the suffix of --out; CSV on standard output]",
)
@click.option(
    "--partition-by",
    type=click.Choice(("day",)),
    help="--out is a folder of Parquet files, made of folders that --partition-by has made.",
)
@click.option(
    "--files-from",
    metavar="FILE",
    help="The list or the arguments of the runs, one per line, if they were not one folder: the order of the rows.",
)
@click.option("-0", "--null", is_flag=True, help="That list is NUL-separated.")
@STORAGE_OPTIONS
@click.option("-q", "--quiet", is_flag=True, help="No notes, only errors and what is missing.")
def merge(**given: Any) -> None:
    """Put tables of parts of an archive together, as of --shard 1/8 to 8/8: one run's rows, order and bytes.

    TABLES are files, or folders of --partition-by. All are tables of results, or all are tables of windows. Tables of
    different models, and different rows of the same recording, are errors. The exit code is 1 if something is missing,
    such as a shard.
    """
    options.finish(lambda: _merge(**given))


def _merge(
    *,
    tables: tuple[str, ...],
    out: str,
    format: Format | None,
    partition_by: str | None,
    files_from: str | None,
    null: bool,
    storage_options: tuple[str, ...],
    quiet: bool,
) -> Exit:
    from sertag.analysis.shards.merge import merge as write
    from sertag.text import plural

    options.check_output(out, *tables, files_from)
    fmt = _format(out, format, by_day=partition_by is not None)
    storage = parse_options(storage_options)
    listed = None if files_from is None else _listed(files_from, null=null, storage=storage)
    merged = write(tables, out, fmt=fmt, listed=listed, storage=storage)
    for gap in merged.gaps:
        click.echo(f"warning: missing: {gap}", err=True)
    if not quiet:
        for note in merged.notes:
            click.echo(f"note: {note}", err=True)
        repeated = f", {merged.repeated:,} of them in several tables" if merged.repeated else ""
        click.echo(f"{plural(merged.recordings, 'recording')} from {plural(len(tables), 'table')}{repeated}", err=True)
    return Exit.SOME_FAILED if merged.gaps else Exit.OK


def _format(out: str, format: Format | None, *, by_day: bool) -> Format | None:
    """The format of the merged table, None for a folder."""
    if by_day:
        conflict = partition_conflict(out, format)
        if conflict is not None:
            raise click.UsageError(conflict)
        return None
    fmt = format or ("csv" if out == "-" else format_of(out))
    if fmt is None:
        known = f"known suffixes are {', '.join(SUFFIXES)}; or give --format, or --partition-by day for a folder"
        raise click.UsageError(f"--out {display_name(out)}: {known}")
    return fmt


def _listed(path: str, *, null: bool, storage: str) -> list[str]:
    from sertag.run.inputs import open_list, read_list

    try:
        with open_list(path, storage) as stream:
            return list(read_list(stream, null=null))
    except (OSError, SertagError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else error
        raise click.UsageError(f"--files-from {display_name(shown(path))}: {reason}") from error
