"""`sertag report`: tables to an HTML page. Other modules than click are imported when it runs."""

from __future__ import annotations

import re
from typing import Any

import click

from sertag.cli.params import STORAGE_OPTIONS, ParamType
from sertag.errors import Exit
from sertag.remote.options import parse_options

_EXAMPLES = """\
Examples:
  sertag report results.jsonl -o report.html
  sertag report results.csv --segments segments.csv -o report.html
  sertag report night-*.csv --date-regex '[0-9]{4}-[0-9]{2}-[0-9]{2}' -o report.html
  sertag report results.jsonl --embed-audio worst:50 --waveforms worst:50 -o report.html
"""


class _Worst(ParamType):
    """`worst:N`."""

    name = "worst:N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"worst:([0-9]{1,6})", str(value))
        if found is None:
            self.fail(f"{value!r} is not worst:N, as in worst:50", param, ctx)
        return int(found[1])


class _ReportCommand(click.Command):
    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"{_EXAMPLES}\n")
        super().format_help(ctx, formatter)


@click.command(cls=_ReportCommand, short_help="Make an HTML page for review.")
@click.argument("results", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--out", required=True, metavar="FILE", help="The page, as report.html; - is standard output.")
@click.option(
    "--segments",
    multiple=True,
    metavar="FILE",
    help="Table of windows of the same run; repeatable. JSONL contains them already.",
)
@click.option("--title", default="Calls", help="Title of the page.  [default: Calls]")
@click.option(
    "--root",
    default=".",
    metavar="DIR",
    help="Folder that relative paths in the tables start from.  [default: the current one]",
)
@click.option(
    "--date-regex",
    metavar="REGEX",
    help="Take the day of a call from its file name: what matches, or its first group, holds year, month and day; or "
    "name the groups year, month and day.  [default: when the file was last changed]",
)
@click.option(
    "--waveforms",
    type=_Worst(),
    default="worst:0",
    metavar="worst:N",
    help="Show the waveforms of the N worst calls.  [default: worst:0]",
)
@click.option(
    "--embed-audio",
    type=_Worst(),
    default="worst:0",
    metavar="worst:N",
    help="Put 10 s before and after the worst second of the N worst calls into the page, for browsers that do not play "
    "the recordings and for readers who do not have them.  [default: worst:0]",
)
@STORAGE_OPTIONS
def report(
    results: tuple[str, ...], out: str, segments: tuple[str, ...], storage_options: tuple[str, ...], **given: Any
) -> None:
    """Make an offline HTML page from tables: figures, all calls, their timelines, and verdicts.

    RESULTS are tables that sertag has written, of one run or of several, in any format; - is standard input.
    """
    from sertag.errors import OutputError, SertagError
    from sertag.report.build import Request, build

    def warn(message: str) -> None:
        click.echo(f"warning: {message}", err=True)

    code = Exit.OK
    try:
        build(Request(results, out, segments, **given, storage=parse_options(storage_options)), warn=warn)
    except BrokenPipeError:
        code = Exit.READER_LEFT
    except SertagError as error:
        click.echo(f"error: {error}", err=True)
        code = Exit.OUTPUT if isinstance(error, OutputError) else Exit.USAGE
    click.get_current_context().exit(int(code))
