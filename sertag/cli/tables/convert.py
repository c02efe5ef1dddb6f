"""`sertag convert`: results in the formats of other programs."""

from __future__ import annotations

from typing import Any

import click

from sertag.cli.tables import options
from sertag.errors import Exit

TARGETS = ("csv", "tsv", "json", "jsonl", "xlsx", "audacity", "textgrid", "webvtt", "rttm", "contact-lens")


@click.command(short_help="Write tables for other programs.", context_settings=options.CONTEXT)
@options.RESULTS
@click.option("--to", "target", required=True, type=click.Choice(TARGETS), help="What to write.")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE|FOLDER",
    help="A file; a folder for audacity, textgrid, webvtt and contact-lens, which have a file for each recording.",
)
@options.table_options
def convert(**given: Any) -> None:
    """Write results for other programs.

    csv, tsv, json and jsonl are tables, as for --join; xlsx is a spreadsheet (extra xlsx). Audacity labels, Praat's
    TextGrid, WebVTT (players) and RTTM (diarisation) are timelines of the emotions; contact-lens is JSON in the manner
    of Amazon's. Timelines need windows: a .jsonl of sertag, or a table of --out and one of --segments.
    """
    options.finish(lambda: _convert(**given))


def _convert(*, results: tuple[str, ...], target: str, out: str, **choice: Any) -> Exit:
    from sertag.exports.convert import convert as write

    chosen = options.Choice(**choice)
    options.check_output(out, *results, chosen.join)
    table = chosen.load(*results)
    chosen.restrict(table)
    said = write(table, target, out, storage=chosen.storage)
    chosen.say(table.remarks)
    chosen.say([said], mark="")
    return Exit.OK
