"""Runs `sertag show`: from settings to exit code."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sertag import signals
from sertag.audio.discover import discover
from sertag.errors import DecodeError, Exit, ModelError, OutputError, SertagError, failed
from sertag.limits import CPU
from sertag.model.session import DEFAULT_MODEL, Model, load
from sertag.records import FAILURES, AudioFile, FileResult, Options, Problem
from sertag.remote.options import parse_options
from sertag.remote.urls import is_url, refusal, shown
from sertag.show.clip import KINDS, cut, parse_span, parse_time
from sertag.show.picture import COLUMNS, SUFFIXES, picture
from sertag.show.playback import play
from sertag.show.sound import Sound, measure
from sertag.show.terminal import cursor, drawn, timeline_width
from sertag.storage.atomic_output import Output
from sertag.tagging.pipeline import tag_file
from sertag.tagging.roles import only_role_conflict
from sertag.text import display_name


class ShowError(SertagError):
    """The settings contradict each other: a usage error."""


@dataclass(frozen=True, slots=True)
class Request:
    """The settings of `sertag show`, named like its options."""

    path: str
    out: str | None = None
    play: str | None = None
    clip: str | None = None
    channels: Literal["split", "mix"] | int = "split"
    roles: tuple[str, ...] = ()
    only_role: str | None = None
    model: str | None = None
    provider: str = CPU
    hop: float | None = None
    min_confidence: float | None = None
    raw: str | None = None
    storage_options: tuple[str, ...] = ()
    device: str | None = None

    @property
    def file(self) -> AudioFile:
        """The recording, asked for in its storage if it is in one; with a problem if it is not one."""
        if not is_url(self.path) and refusal(self.path) is None:
            return AudioFile(self.path)
        found = list(islice(discover([self.path], storage=parse_options(self.storage_options)), 2))
        if len(found) == 1 and found[0].path == shown(self.path):
            return found[0]
        problem = Problem("not_a_file", f"{display_name(shown(self.path))}: is a prefix, expected one recording")
        return AudioFile(shown(self.path), problem=problem)


def run(request: Request) -> int:
    """Run a request and return the exit code.

    Raises:
        ShowError: the settings contradict each other.
    """
    _check(request)
    try:
        file = request.file
        if request.clip is not None:
            return _clip(request, file)
        if request.play is not None and not sys.stdout.isatty():
            return _play(request, file, None)
        model = load(request.model or DEFAULT_MODEL, provider=request.provider)
        whose = request.channels, request.roles, request.only_role
        options = Options(*whose, request.hop, request.min_confidence, raw=request.raw)
        result = tag_file(file, model=model, options=options)
        return _shown(request, file, result, model, options)
    except DecodeError as error:
        return failed(error, Exit.NOTHING_TAGGED)
    except ModelError as error:
        return failed(error, Exit.MODEL)
    except OutputError as error:
        return failed(error, Exit.OUTPUT)
    except SertagError as error:
        return failed(error, Exit.SOME_FAILED)
    except BrokenPipeError:
        return Exit.READER_LEFT


def _shown(request: Request, file: AudioFile, result: FileResult, model: Model, options: Options) -> int:
    if all(channel.status in FAILURES for channel in result.channels):
        message = next(channel.problem.message for channel in result.channels if channel.problem is not None)
        return failed(SertagError(message), Exit.NOTHING_TAGGED)
    console = Console()
    columns = COLUMNS if request.out is not None else timeline_width(console.width)
    sound = measure(file, spec=model.spec, options=options, duration_s=result.duration_s, columns=columns)
    if request.out is not None:
        suffix = os.path.splitext(request.out)[1].lower()
        with Output(request.out) as output:
            output.write(picture(result, sound, spec=model.spec, suffix=suffix))
        return Exit.OK
    unicode = (console.encoding or "").lower().startswith("utf")
    lines = drawn(result, sound, spec=model.spec, width=console.width, unicode=unicode)
    if request.play is not None:
        return _play(request, file, _Screen(console, lines, sound, unicode))
    with Output("-") as output:
        output.write(_encoded(console, lines))
    return Exit.OK


def _encoded(console: Console, lines: list[Text]) -> bytes:
    """Lines as bytes for standard output; in colour only if it is a terminal."""
    with console.capture() as capture:
        for line in lines:
            console.print(line, no_wrap=True, overflow="crop", crop=True)
    text = "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
    return text.encode(console.encoding or "utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Screen:
    """A timeline with a moving cursor."""

    console: Console
    lines: list[Text]
    sound: Sound
    unicode: bool

    def at(self, position_s: float) -> Group:
        return Group(*self.lines, cursor(position_s, self.sound, unicode=self.unicode))


def _play(request: Request, file: AudioFile, screen: _Screen | None) -> int:
    stop = threading.Event()
    start_s = parse_time(request.play or "0")
    wish = {"start_s": start_s, "raw": request.raw, "stop": stop, "null": request.device == "null"}
    with signals.handled(lambda _: stop.set()):  # Ctrl-C stops the playback
        if screen is None:
            play(file, moved=lambda position_s: None, **wish)  # type: ignore[arg-type]
            return Exit.OK
        with Live(screen.at(start_s), console=screen.console, auto_refresh=False) as live:

            def moved(position_s: float) -> None:
                live.update(screen.at(position_s), refresh=True)

            play(file, moved=moved, **wish)  # type: ignore[arg-type]
    return Exit.OK


def _clip(request: Request, file: AudioFile) -> int:
    span = parse_span(request.clip or "")
    written_s = cut(file, span, request.out or "", raw=request.raw)
    if written_s < span.end_s - span.start_s - 1e-3:
        message = f"{display_name(file.path)}: ends {span.end_s - span.start_s - written_s:.3f} s before the clip does"
        sys.stderr.write(f"warning: {message}; {written_s:.3f} s were written\n")
    return Exit.OK


def _check(request: Request) -> None:
    """Refuse settings that contradict each other.

    Raises:
        ShowError: with the reason.
    """
    if request.path == "-":
        raise ShowError("standard input cannot be read twice; give a file")
    conflict = only_role_conflict(request.only_role, request.roles)
    if conflict is not None:
        raise ShowError(conflict)
    if request.clip is not None and request.play is not None:
        raise ShowError("--clip and --play are different things; give one of them")
    try:
        if request.clip is not None:
            parse_span(request.clip)
        if request.play is not None:
            parse_time(request.play)
    except ValueError as error:
        option = "--clip" if request.clip is not None else "--play"
        raise ShowError(f"{option}: {error}") from error
    _check_out(request)


def _check_out(request: Request) -> None:
    wanted = tuple(KINDS) if request.clip is not None else SUFFIXES
    if request.out is None:
        if request.clip is not None:
            raise ShowError("--clip needs -o FILE, a .wav or .flac")
        return
    if request.play is not None:
        raise ShowError("--play and -o are different things; give one of them")
    if os.path.splitext(request.out)[1].lower() not in wanted:
        what = "a clip" if request.clip is not None else "a picture"
        raise ShowError(f"-o {display_name(request.out)}: {what} is one of {', '.join(wanted)}")
    if os.path.realpath(request.out) == os.path.realpath(request.path):
        raise ShowError(f"-o would overwrite {display_name(request.path)}, which is read")
