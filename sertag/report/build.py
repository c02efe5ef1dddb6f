"""Builds the page from tables; start reading here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sertag.analysis.derived import DatePattern
from sertag.errors import SertagError
from sertag.report import excerpts
from sertag.report.calls import Call, Calls, load
from sertag.report.days import day_in_name, day_of_writing
from sertag.report.page.assemble import Heading, page
from sertag.report.page.data import Extras, Sound
from sertag.report.page.marks import marks
from sertag.report.page.sections.about import bundled_spec
from sertag.report.page.sections.listen_first import worst_calls
from sertag.report.page.sections.overview import Overview
from sertag.report.playback import Source, find
from sertag.storage.atomic_output import Output
from sertag.text import display_name, plural

LARGE_BYTES = 50_000_000  # beyond which browsers become slow
_AROUND_S = 10.0  # of sound before and after the start of the worst seconds


class RequestError(SertagError):
    """The page would overwrite an input."""


@dataclass(frozen=True, slots=True)
class Request:
    """The settings of `sertag report`.

    Attributes:
        results: tables of results or of windows; `-` is standard input.
        out: path of the page; `-` is standard output.
        segments: tables of windows.
        title: of the page.
        root: folder that relative paths in the tables start from.
        date_regex: how to find the day in a file name; None for the day on which the file was written.
        waveforms: of how many of the worst calls the outline of the waveform is shown.
        embed_audio: of how many of the worst calls the worst seconds are put into the page.
        storage: settings for tables that are URLs, from `remote.options`.
    """

    results: tuple[str, ...]
    out: str
    segments: tuple[str, ...] = ()
    title: str = "Calls"
    root: str = "."
    date_regex: str | None = None
    waveforms: int = 0
    embed_audio: int = 0
    storage: str = ""


def build(request: Request, *, warn: Callable[[str], None]) -> None:
    """Write the page.

    Args:
        request: what was asked for.
        warn: called with each thing that somebody should know.

    Raises:
        TableError, DateError, RequestError: the request cannot be met.
        OutputError: the page cannot be written.
        BrokenPipeError: the reader of standard output has left.
    """
    pattern = None if request.date_regex is None else DatePattern(request.date_regex)
    _check_not_overwritten(request.out, [*request.results, *request.segments], "a table that is read")
    with Output(request.out) as output:  # opened first: a place that cannot be written is known before the work
        calls = load(request.results, segments=request.segments, storage=request.storage)
        _add_sentiments_of_models(calls)
        folder = os.curdir if request.out == "-" else os.path.dirname(os.path.realpath(request.out))
        sources = {call.path: find(call.path, root=request.root, page_folder=folder) for call in calls.calls}
        _check_not_overwritten(request.out, [source.file for source in sources.values() if source.file], "a recording")
        if pattern is None:
            days = {path: day_of_writing(source.mtime_s) for path, source in sources.items()}
            days_from = "the time of the last change of each file, because no --date-regex was given"
        else:
            days = {call.path: day_in_name(call.path, pattern) for call in calls.calls}
            days_from = f"the file names, by --date-regex {request.date_regex}"
        days = {path: day for path, day in days.items() if day}
        extras = Extras(sources, days, *_pieces(request, calls, sources, warn))
        overview = Overview(calls, marks(calls.labels, calls.sentiments), days, days_from)
        content = page(Heading(request.title, _now()), overview, extras).encode()
        output.write(content)
    _warn(request, calls, sources, len(content), warn)


def _check_not_overwritten(out: str, files: Iterable[str], what: str) -> None:
    """Refuse to write over something that no page may replace."""
    place = os.path.realpath(out)
    if out != "-" and place in {os.path.realpath(file) for file in files}:
        message = f"{display_name(out)}: is {what}, and the page would replace it; give -o another name"
        raise RequestError(message, code="overwrites")


def _add_sentiments_of_models(calls: Calls) -> None:
    """Sentiments of labels that no row has: what the model says, if it is here."""
    for model in calls.models:
        spec = bundled_spec(model)
        for label, sentiment in (spec.sentiment if spec else {}).items():
            if label in calls.labels:
                calls.sentiments.setdefault(label, sentiment)


def _pieces(
    request: Request, calls: Calls, sources: Mapping[str, Source], warn: Callable[[str], None]
) -> tuple[dict[str, Sound], dict[str, list[str]]]:
    """Sounds and outlines of the worst calls, by path."""
    wanted = [
        *((call, "sound") for call in worst_calls(calls.calls, request.embed_audio)),
        *((call, "peaks") for call in worst_calls(calls.calls, request.waveforms)),
    ]
    jobs = {}
    for call, kind in wanted:
        file = sources[call.path].file
        if file is not None and call.duration_s > 0:
            start_s, end_s = _span(call) if kind == "sound" else (0.0, call.duration_s)
            jobs[excerpts.Job("sound" if kind == "sound" else "peaks", file, start_s, end_s)] = call
    sounds, peaks = {}, {}
    for job, answer in excerpts.make(list(jobs)):
        path = jobs[job].path
        if isinstance(answer, str):
            warn(f"{answer}; the page is without its {'sound' if job.kind == 'sound' else 'waveform'}")
        elif job.kind == "sound":
            sounds[path] = Sound(answer["start_s"], answer["end_s"], answer["data"])
        else:
            peaks[path] = answer["channels"]
    return sounds, peaks


def _span(call: Call) -> tuple[float, float]:
    worst = call.worst
    peak_s = (worst.number("peak_start_s") if worst else None) or 0.0
    return max(0.0, peak_s - _AROUND_S), min(call.duration_s, peak_s + _AROUND_S)


def _warn(
    request: Request, calls: Calls, sources: Mapping[str, Source], size: int, warn: Callable[[str], None]
) -> None:
    for note in calls.notes:
        warn(note)
    missing = [path for path, source in sources.items() if source.problem == "missing"]
    if missing:
        where = (
            f"the first is {display_name(missing[0])}; relative paths start from {display_name(request.root)} (--root)"
        )
        warn(f"{plural(len(missing), 'recording')} cannot be found, and the page cannot play them; {where}")
    if size > LARGE_BYTES:
        advice = "leave out --segments, or make a page of fewer tables or with less embedded audio"
        warn(f"the page has {size / 1e6:.0f} MB, which is slow in browsers; {advice}")


def _now() -> str:
    """When the page is made; `SOURCE_DATE_EPOCH` makes pages that can be compared."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    when = datetime.fromtimestamp(int(epoch)) if epoch.isdigit() else datetime.now()
    return f"{when.day} {when:%B %Y, %H:%M}"
