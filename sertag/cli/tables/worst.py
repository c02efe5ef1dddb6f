"""`sertag worst`: the rows to listen to first, and alerts for cron."""

from __future__ import annotations

from typing import Any

import click

from sertag.cli.params import Names
from sertag.cli.tables import options
from sertag.errors import Exit
from sertag.tables.formats import Format

_SHOWN = ("path", "channel", "role", "status", "emotion", "confidence", "attention", "peak_start_s", "trend_label")


@click.command(short_help="List the calls to listen to first.", context_settings=options.CONTEXT)
@options.RESULTS
@click.option("-n", "--top", type=click.IntRange(min=1), default=10, help="Maximum number of rows.  [default: 10]")
@click.option("--sort", default="attention", metavar="COLUMN", help="Largest first.  [default: attention]")
@click.option(
    "--columns", type=Names(), metavar="A,B", help="Only these.  [default: a selection on a terminal, else all]"
)
@options.table_options
@click.option("--sql", metavar="SELECT", help="Rows of a SELECT over the tables results and windows (extra sql).")
@click.option("--exit-zero", is_flag=True, help="Exit code 0 even if --where or --sql finds rows.")
@options.output_options
def worst(**given: Any) -> None:
    """List the rows with the largest attention.

    RESULTS are tables that sertag has written. With --where or --sql the exit code is 1 if any row was found and 0 if
    none was, for alerts in cron.
    """
    options.finish(lambda: _worst(**given))


def _worst(
    *,
    results: tuple[str, ...],
    top: int,
    sort: str,
    columns: tuple[str, ...] | None,
    sql: str | None,
    exit_zero: bool,
    out: str,
    format: Format | None,
    **choice: Any,
) -> Exit:
    from sertag.analysis import selection

    chosen = options.Choice(**choice)
    if sql is not None and chosen.where is not None:
        raise click.UsageError("--sql and --where exclude each other; put the condition into the SELECT")
    options.check_output(out, *results, chosen.join)
    fmt = options.table_format(format, out)
    table = chosen.load_results(*results)
    if sql is not None:
        names, cells = selection.query(table, sql, date_regex=chosen.date_regex)
        kinds = dict.fromkeys(names, "")  # whatever the names: only the user knows what was computed
        rows = [dict(zip(names, row, strict=True)) for row in cells]
    else:
        rows = selection.worst(table, sort, top)
        shown = columns or ((*_SHOWN, *table.added) if fmt == "table" else None)
        kinds = selection.kinds(table, shown, date_regex=chosen.date_regex)
    chosen.say(table.remarks)
    options.write(out, rows, kinds, fmt, storage=chosen.storage)
    is_alert = bool(rows) and (sql is not None or chosen.where is not None) and not exit_zero
    return Exit.SOME_FAILED if is_alert else Exit.OK
