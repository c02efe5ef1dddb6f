"""`sertag listen` from its settings to its exit code: opens the source and the output, and handles errors."""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

from sertag import signals
from sertag.audio.headerless import RawFormat, parse_raw
from sertag.errors import Exit, ModelError, OutputError, SertagError, failed
from sertag.limits import CPU, MAX_DURATION_S
from sertag.live.display import Display
from sertag.live.events import Event, event_object
from sertag.live.listen import Emit, Limits, exit_code, listen
from sertag.live.sources.audiosocket import open_audiosocket
from sertag.live.sources.microphone import Microphone, device_names
from sertag.live.sources.pcm import PcmSource, open_descriptor, open_wav
from sertag.live.sources.source import Source, SourceError
from sertag.live.sources.twilio import TwilioSource
from sertag.model.session import DEFAULT_MODEL, Model, load
from sertag.records import Options
from sertag.storage.atomic_output import Output
from sertag.tables.columns import ModelInfo
from sertag.tables.writers import json_line
from sertag.tagging.roles import only_role_conflict
from sertag.text import display_text

Form = Literal["jsonl", "timeline"]

_STDIN = 0
_TELEPHONE_HZ, _MICROPHONE_HZ = 8000, 16000


class ListenError(SertagError):
    """Settings contradict each other; a usage error."""


@dataclass(frozen=True, slots=True)
class Request:
    """The settings of `sertag listen`, named as its options are.

    Attributes:
        source: `-` for a WAV file on standard input, or samples there with `raw`; None for what the others say.
        input: `fd:N`.
        device: a microphone; `null` is one that gives silence.
        name: what the rows are called; None for what the source calls itself.
    """

    source: str | None = None
    raw: str | None = None
    rate: int | None = None
    channels: int | None = None
    input: str | None = None
    audiosocket: str | None = None
    stream_format: str | None = None
    device: str | None = None
    roles: tuple[str, ...] = ()
    only_role: str | None = None
    model: str | None = None
    provider: str = CPU
    hop: float | None = None
    min_confidence: float | None = None
    format: Form | None = None
    name: str | None = None
    stall: float = 60.0
    max_duration: float = MAX_DURATION_S


def run(request: Request) -> int:
    """Do what was asked for; the process's exit code.

    Raises:
        ListenError: settings contradict each other.
    """
    opens = _source_of(request)
    conflict = only_role_conflict(request.only_role, request.roles)
    if conflict is not None:
        raise ListenError(conflict)
    try:
        model = load(request.model or DEFAULT_MODEL, provider=request.provider)
        source = opens()
        return _listen(source, request, model)
    except ModelError as error:
        return failed(error, Exit.MODEL)
    except OutputError as error:
        return failed(error, Exit.OUTPUT)
    except SourceError as error:  # before any event
        return failed(error, Exit.NOTHING_TAGGED)
    except SertagError as error:
        return failed(error, Exit.SOME_FAILED)
    except BrokenPipeError:
        return Exit.OK  # the reader of the events has closed the pipe, which is a normal end
    except signals.Stopped as stopped:  # while waiting for a call
        signals.ignore()
        return _interrupted(stopped.args[0])


def list_devices() -> int:
    """Print the microphones; the exit code."""
    try:
        names = device_names()
    except SourceError as error:
        return failed(error, Exit.NOTHING_TAGGED)
    sys.stdout.writelines(f"{number}  {name}\n" for number, name in enumerate(names))
    return Exit.OK if names else failed(SourceError("there is no microphone"), Exit.NOTHING_TAGGED)


def _listen(source: Source, request: Request, model: Model) -> int:
    stop, received = threading.Event(), [0]

    def end_it(signum: int) -> None:
        received[0] = signum
        stop.set()

    options = Options(
        "split", request.roles, request.only_role, request.hop, request.min_confidence, max_duration_s=math.inf
    )
    limits = Limits(stall_s=request.stall or math.inf, max_duration_s=request.max_duration)
    with _event_output(request, model) as emit, signals.handled(end_it):
        path = source.name if request.name is None else request.name
        end = listen(source, emit, model=model, options=options, path=path, limits=limits, stop=stop)
    if end.error:
        sys.stderr.write(f"error: {display_text(end.error)}\n")
    return _interrupted(received[0]) if end.reason == "interrupted" else exit_code(end)


def _interrupted(signum: int) -> int:
    """The exit code after a signal: Ctrl-C and a hang-up are how live audio ends, SIGTERM is reported as always."""
    return 128 + signum if signum == signal.SIGTERM else Exit.OK


@contextmanager
def _event_output(request: Request, model: Model) -> Iterator[Emit]:
    """Yields a function that writes events: JSON lines on standard output, or a timeline on a terminal."""
    origin = ModelInfo.of(model.spec, sha256=model.sha256)
    with Output("-") as output:
        timeline = output.terminal if request.format is None else request.format == "timeline"
        if timeline:
            with Display(model.spec) as display:
                yield display.show
        else:
            yield partial(_write, output, origin)


def _write(output: Output, origin: ModelInfo, events: Iterable[Event]) -> None:
    for event in events:
        output.write(json_line(event_object(event, origin=origin)))
    output.flush()


def _source_of(request: Request) -> Callable[[], Source]:
    """What opens the source that was asked for.

    Raises:
        ListenError: several were, or what belongs to another one.
    """
    chosen = {
        "--in": request.input,
        "--audiosocket": request.audiosocket,
        "--stream-format": request.stream_format,
        "--device": request.device,
    }
    named = [name for name, value in chosen.items() if value is not None]
    if len(named) > 1:
        raise ListenError(f"{named[0]} and {named[1]} are different sources; give one of them")
    if request.source not in (None, "-"):
        raise ListenError(f"{request.source!r} is no source; `-` is standard input, and `sertag tag` reads files")
    if request.source == "-" and named and named[0] != "--stream-format":
        raise ListenError(f"- and {named[0]} are different sources; give one of them")
    shaped = [f"--{name}" for name in ("raw", "rate", "channels") if getattr(request, name) is not None]
    if request.audiosocket is not None or request.stream_format is not None:
        if shaped:
            raise ListenError(f"{shaped[0]} does not go with {named[0]}, which says what it sends")
        return _protocol(request)
    if request.input is not None:
        return lambda: PcmSource(open_descriptor(request.input or ""), _raw(request), name=request.input or "")
    if request.raw is not None:
        if request.device is not None:
            raise ListenError("--raw does not go with --device, which says what it sends")
        return lambda: PcmSource(_STDIN, _raw(request), name="-")
    if request.source == "-":
        if shaped:
            raise ListenError(f"{shaped[0]} is for samples without a header; they need --raw as well")
        return lambda: open_wav(_STDIN, name="-")
    return lambda: _microphone(request)


def _protocol(request: Request) -> Callable[[], Source]:
    if request.stream_format is not None:
        return lambda: TwilioSource(_STDIN, name="-")
    return lambda: open_audiosocket(request.audiosocket or "", stall_s=request.stall or math.inf)


def _raw(request: Request) -> RawFormat:
    name = {"mulaw": "ulaw"}.get(request.raw or "", request.raw or "s16le")
    return parse_raw(f"{name}:{request.rate or _TELEPHONE_HZ}:{request.channels or 1}")


def _microphone(request: Request) -> Microphone:
    null = request.device == "null"
    device = None if null else request.device
    rate_hz, channels = request.rate or _MICROPHONE_HZ, request.channels or 1
    return Microphone(rate_hz=rate_hz, channels=channels, device=device, null=null)
