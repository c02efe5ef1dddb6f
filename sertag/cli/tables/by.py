"""`sertag by`: groups of calls, counted and averaged."""

from __future__ import annotations

from typing import Any

import click

from sertag.cli.params import Names
from sertag.cli.tables import options
from sertag.errors import Exit
from sertag.tables.formats import Format


@click.command(short_help="Count and average groups of calls.", context_settings=options.CONTEXT)
@click.argument("columns", type=Names())
@options.RESULTS
@click.option(
    "--mean",
    "means",
    type=Names(),
    default="attention",
    metavar="A,B",
    help="Columns of numbers to average.  [default: attention]",
)
@click.option(
    "--least",
    type=click.IntRange(min=1),
    default=20,
    help="Groups of fewer calls are not shown; for groups of agents at least 20.  [default: 20]",
)
@click.option("--customer-role", default="customer", metavar="NAME", help="Role of customers.  [default: customer]")
@options.table_options
@options.output_options
def by(**given: Any) -> None:
    """Group calls: how many there are, how many rows have an emotion, and means with intervals of 95 %.

    COLUMNS are names with commas between them, of the results, of --join, or file, folder, day, week, month. Groups of
    agents are made of the channels of the customers alone.
    """
    options.finish(lambda: _by(**given))


def _by(
    *,
    columns: tuple[str, ...],
    results: tuple[str, ...],
    means: tuple[str, ...],
    least: int,
    customer_role: str,
    out: str,
    format: Format | None,
    **choice: Any,
) -> Exit:
    from sertag.analysis import groups

    chosen = options.Choice(**choice)
    options.check_output(out, *results, chosen.join)
    fmt = options.table_format(format, out)
    table = chosen.load_results(*results)
    found = groups.by(table, columns, means=means, least=least, customer=customer_role, date_regex=chosen.date_regex)
    chosen.say(table.remarks + found.remarks)
    options.write(out, found.rows, found.columns, fmt, storage=chosen.storage)
    return Exit.OK
