"""`sertag agree`: agreement with verdicts of listeners, and a threshold from them."""

from __future__ import annotations

import json
from typing import Any

import click

from sertag.cli.params import Number
from sertag.cli.tables import options
from sertag.errors import Exit
from sertag.text import display_name


@click.command(short_help="Set the threshold from verdicts of listeners.", context_settings=options.CONTEXT)
@options.RESULTS
@click.option(
    "--verdicts",
    required=True,
    metavar="FILE",
    help="CSV saved by the report, or with the columns path, channel, start_s and label (the emotion you heard).",
)
@click.option(
    "--precision",
    type=Number(over=0, most=1),
    default=0.8,
    metavar="X",
    help="Wanted share of right answers.  [default: 0.8]",
)
@click.option("--of", type=click.Choice(("windows", "rows")), help="[default: what was judged more often]")
@click.option("--all", "everything", is_flag=True, help="Use verdicts that are not of the random sample too.")
@click.option("--write", metavar="FILE", help="Set min_confidence in a configuration file for --config.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@options.table_options
def agree(**given: Any) -> None:
    """Compare results with verdicts: agreement, confusion, reliability, and the min_confidence for a precision.

    RESULTS are tables that sertag has written; verdicts on windows need their windows, in a .jsonl or a table of
    --segments. Where the report has drawn a random sample, only verdicts on it count. With --write the exit code is 1
    if nothing could be set.
    """
    options.finish(lambda: _agree(**given))


def _agree(
    *,
    results: tuple[str, ...],
    verdicts: str,
    precision: float,
    of: Any,
    everything: bool,
    write: str | None,
    as_json: bool,
    **choice: Any,
) -> Exit:
    from sertag.analysis.agreement import report
    from sertag.analysis.agreement.verdicts import match, read_verdicts

    chosen = options.Choice(**choice)
    options.check_output(write or "-", *results, verdicts, chosen.join)
    judged, skipped = read_verdicts(verdicts, storage=chosen.storage)
    table = chosen.load(*results)
    chosen.restrict(table)
    matched = match(judged, table)
    matched.skipped = skipped
    found = report.report(table, matched, precision=precision, of=of, everything=everything)
    chosen.say(table.remarks)
    click.echo(json.dumps(report.document(found), indent=2) if as_json else report.text(found).rstrip("\n"))
    return Exit.OK if write is None else _write(write, found)


def _write(path: str, found: Any) -> Exit:
    from sertag.cli.config import write_setting

    threshold = found.threshold
    if threshold.reached:
        click.echo(f"{display_name(path)}: unchanged; the precision is reached without a setting", err=True)
        return Exit.OK
    if threshold.value is None:
        click.echo(f"{display_name(path)}: unchanged; there is no min_confidence to write", err=True)
        return Exit.SOME_FAILED
    reason = f"precision {threshold.precision.value:.2f} on {threshold.verdicts} verdicts"
    write_setting(path, "min_confidence", f"{threshold.value:.2f}", reason=reason)
    click.echo(f"{display_name(path)}: min_confidence = {threshold.value:.2f}, for windows and rows", err=True)
    return Exit.OK
