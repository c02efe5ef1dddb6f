"""`sertag show`: options and examples."""

from __future__ import annotations

from typing import Any

import click

from sertag.cli.params import CONFIG, HOP, MIN_CONFIDENCE, MODEL, PROVIDER, ROLES, STORAGE_OPTIONS, Channels

_EXAMPLES = """\b
Examples:
  sertag show call.wav --roles agent,customer
  sertag show call.wav -o call.png                 a picture
  sertag show call.wav --play 1:15                 hear it from there
  sertag show call.wav --clip 1:15-1:24 -o worst.wav
"""


@click.command(
    short_help="Show, play or cut one recording.",
    epilog=_EXAMPLES,
    context_settings={"max_content_width": 100},
)
@click.argument("path", metavar="FILE", type=click.Path())
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    help="Draw a picture, .png, .svg or .pdf; with --clip the file to cut to, .wav or .flac.",
)
@click.option(
    "--play",
    is_flag=False,
    flag_value="0",
    metavar="[START]",
    help="Play it, optionally from a time; after FILE, as in `sertag show FILE --play 1:15`.",
)
@click.option("--clip", metavar="START-END", help="Cut a piece to a file; times are seconds, M:SS or H:MM:SS.")
@click.option(
    "--channels",
    type=Channels(),
    default="split",
    help="One timeline per channel, all mixed down, or only channel N, counted from 0.  [default: split]",
)
@ROLES
@click.option(
    "--only-role", metavar="NAME", envvar="SERTAG_ONLY_ROLE", help="Show only that role; the others are not scored."
)
@MODEL
@PROVIDER
@HOP
@MIN_CONFIDENCE
@CONFIG
@STORAGE_OPTIONS
@click.option("--raw", metavar="FORMAT[:RATE[:CHANNELS]]", help="The file has no header, as for `sertag tag`.")
@click.option("--device", type=click.Choice(("null",)), hidden=True)
def show(**given: Any) -> None:
    """Show one recording: emotions, levels and talk of each channel as timelines.

    Pictures need: pip install 'sertag[show]'; playback needs: pip install 'sertag[listen]'.
    """
    from sertag.show.run import Request, ShowError, run

    try:
        code = run(Request(**given))
    except ShowError as error:
        raise click.UsageError(str(error)) from error
    click.get_current_context().exit(int(code))
