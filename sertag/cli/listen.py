"""`sertag listen`: options and examples."""

from __future__ import annotations

from typing import Any

import click

from sertag.cli.params import CONFIG, HOP, MIN_CONFIDENCE, MODEL, PROVIDER, ROLES, Number
from sertag.limits import MAX_DURATION_S

_EXAMPLES = """\b
Examples:
  sertag listen                                  the microphone
  arecord -f S16_LE -r 16000 | sertag listen -   a WAV file of any length
  sertag listen --raw mulaw < line.ulaw          samples without a header
  sertag listen --in fd:3                        Asterisk's EAGI
  sertag listen --audiosocket :9092              Asterisk's AudioSocket
  bridge | sertag listen --stream-format twilio  Twilio's Media Streams
"""


@click.command(
    short_help="Tag live audio.",
    epilog=_EXAMPLES,
    context_settings={"max_content_width": 100},
)
@click.argument("source", required=False, metavar="[-]")
@click.option(
    "--raw",
    type=click.Choice(("s16le", "mulaw", "ulaw", "alaw", "f32le")),
    help="Standard input has no header and contains samples of that format.",
)
@click.option(
    "--rate",
    type=click.IntRange(1000, 768_000),
    metavar="HZ",
    help="Sample rate, for --raw or the microphone.  [default: 8000; microphone: 16000]",
)
@click.option(
    "--channels", type=click.IntRange(1, 256), metavar="N", help="Channels, for --raw or the microphone.  [default: 1]"
)
@click.option(
    "--in",
    "input",
    metavar="fd:N",
    help="Samples from a descriptor; without --raw s16le at 8000 Hz, as Asterisk's EAGI() sends.",
)
@click.option(
    "--audiosocket",
    metavar="HOST:PORT",
    help="Wait for one call of Asterisk's AudioSocket; :PORT is "
    "127.0.0.1:PORT, fd:N a connection that inetd or systemd accepted.",
)
@click.option("--stream-format", type=click.Choice(("twilio",)), help="Standard input is JSON lines of that kind.")
@click.option("--device", metavar="N|NAME", help="Which microphone.  [default: the system's]")
@click.option("--list-devices", is_flag=True, help="List the microphones, and do nothing else.")
@ROLES
@click.option(
    "--only-role", metavar="NAME", envvar="SERTAG_ONLY_ROLE", help="Score only that role; the others get no rows."
)
@MODEL
@PROVIDER
@HOP
@MIN_CONFIDENCE
@CONFIG
@click.option(
    "-f",
    "--format",
    type=click.Choice(("jsonl", "timeline")),
    help="JSON lines, or a timeline for people.  [default: timeline on a terminal, else jsonl]",
)
@click.option("--name", metavar="TEXT", help="Path of the rows.  [default: name of the source]")
@click.option(
    "--stall",
    type=Number(least=0, most=1e6),
    default=60.0,
    metavar="SECONDS",
    help="End if no audio arrives for this time; 0 for no limit.  [default: 60]",
)
@click.option(
    "--max-duration",
    type=Number(over=0),
    default=MAX_DURATION_S,
    metavar="SECONDS",
    help=f"End after this much audio.  [default: {MAX_DURATION_S:g}, a day]",
)
def listen(**given: Any) -> None:
    """Tag live audio: one JSON line for each event, and at the end the row that `sertag tag` would give.

    The default source is the microphone, which needs: pip install 'sertag[listen]'.
    """
    from sertag.live.run import ListenError, Request, list_devices, run

    if given.pop("list_devices"):
        code = list_devices()
    else:
        try:
            code = run(Request(**given))
        except ListenError as error:
            raise click.UsageError(str(error)) from error
    click.get_current_context().exit(int(code))
