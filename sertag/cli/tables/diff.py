"""`sertag diff`: two tables compared."""

from __future__ import annotations

from typing import Any

import click

from sertag.cli.params import Number
from sertag.cli.tables import options
from sertag.errors import Exit
from sertag.tables.formats import Format


@click.command(short_help="Compare two tables.", context_settings=options.CONTEXT)
@click.argument("before", type=click.Path())
@click.argument("after", type=click.Path())
@click.option(
    "--shift",
    type=Number(least=0, most=1),
    default=0.1,
    metavar="X",
    help="List rows whose confidence or attention changes by this much.  [default: 0.1]",
)
@options.table_options
@options.output_options
def diff(**given: Any) -> None:
    """Compare two tables, of two models or two runs: emotions, statuses, and changes of confidence.

    Equal tables print nothing and the exit code is 0, else it is 1. Counts go to standard error.
    """
    options.finish(lambda: _diff(**given))


def _diff(*, before: str, after: str, shift: float, out: str, format: Format | None, **choice: Any) -> Exit:
    from sertag.analysis import differences, loading, selection

    chosen = options.Choice(**choice)
    options.check_output(out, before, after, chosen.join)
    fmt = options.table_format(format, out)
    old, new = chosen.load(before), chosen.load(after)
    loading.need_rows(old)
    loading.need_rows(new)
    if chosen.where is not None:
        selection.restrict_both(old, new, chosen.where, date_regex=chosen.date_regex)
    found = differences.diff(old, new, shift=shift)
    chosen.say(dict.fromkeys(old.remarks + new.remarks))
    if found.rows or out != "-":
        options.write(out, found.rows, differences.COLUMNS, fmt, storage=chosen.storage)
    chosen.say(found.summary, mark="")
    return Exit.OK if found.equal else Exit.SOME_FAILED
