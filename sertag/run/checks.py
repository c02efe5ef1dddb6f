"""Checks of settings before anything is done: which exclude each other, and what must not be overwritten or read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from sertag.audio.discover import has_audio_suffix
from sertag.audio.filetype import HEAD_BYTES, Decoder, sniff
from sertag.audio.headerless import parse_raw
from sertag.parallel import backend_conflict
from sertag.records import STDIN
from sertag.remote.urls import is_url, refusal, shown
from sertag.run.settings import Request, RequestError
from sertag.storage.atomic_output import is_temporary
from sertag.tables.formats import partition_conflict
from sertag.tagging.roles import only_role_conflict
from sertag.text import display_name, valid_text


def check(request: Request) -> None:
    """Check the settings of a request before anything is done.

    Raises:
        RequestError: settings contradict each other.
    """
    if not request.paths and request.files_from is None:
        raise RequestError("nothing to tag: give files, directories, `-` for audio on standard input, or --files-from")
    if request.files_from == "-" and STDIN in request.paths:
        raise RequestError("standard input cannot be both audio (`-`) and a list (--files-from -)")
    if request.quiet and request.verbose:
        raise RequestError("--quiet and --verbose exclude each other")
    _check_backend(request)
    _check_raw(request)
    _check_partitions(request)
    _check_storage(request)
    _check_roles(request)
    _check_outputs(request)


def output_files(request: Request) -> Callable[[str], bool]:
    """A function that recognises files written by the run itself, so that they are not taken for recordings.

    Args:
        request: settings of the run.

    Returns:
        A function of a path without links. It is true for the outputs, the journal and renamed old journals, the lock,
        the file that standard output or stderr is redirected to, and temporary files of any run.
    """
    streams = (f"/dev/fd/{number}" for number in (1, 2))
    outputs = {_place(path) for path in (*_outputs(request).values(), *streams) if path != "-"}
    renamed = re.compile(rf"{re.escape(request.journal or '')}\.foreign-\d+")

    parts = os.path.join(os.path.realpath(request.out), "") if request.partition_by else None

    def is_output(path: str) -> bool:
        if parts is not None and path.startswith(parts):
            return True
        return path in outputs or is_temporary(path) or (".foreign-" in path and renamed.fullmatch(path) is not None)

    return is_output


def _check_backend(request: Request) -> None:
    if request.backend != "local" and STDIN in request.paths:
        message = f"--backend {request.backend} cannot tag `-`: standard input is on this computer, and workers are on"
        raise RequestError(f"{message} others; write it to a file that they reach, or use --backend local")
    conflict = backend_conflict(request.backend, request.scheduler)
    if conflict is not None:
        raise RequestError(conflict)


def _check_raw(request: Request) -> None:
    if request.raw is None:
        return
    try:
        parse_raw(request.raw)
    except ValueError as error:
        raise RequestError(f"--raw {error}") from error


def _check_partitions(request: Request) -> None:
    if request.partition_by is None:
        return
    conflict = partition_conflict(request.out, request.format)
    if conflict is not None:
        raise RequestError(conflict)
    for option, target in _outputs(request).items():
        if target != "-" and _is_inside(target, request.out):
            raise RequestError(f"{option} {display_name(target)} would be inside --out, which is replaced as a whole")


def _is_inside(path: str, folder: str) -> bool:
    return os.path.realpath(path).startswith(os.path.join(os.path.realpath(folder), ""))


def _check_storage(request: Request) -> None:
    """Refuse credentials where others can see them, and a log in a storage."""
    for path in (*request.paths, request.files_from or "-", *_outputs(request).values()):
        problem = refusal(path)
        if problem is not None and problem.code == "credentials_in_url":
            raise RequestError(problem.message)
    if request.log_file and is_url(request.log_file):
        raise RequestError(f"--log-file {display_name(shown(request.log_file))}: expected a file on this machine")


def _check_roles(request: Request) -> None:
    for role in request.roles:
        if valid_text(role) != role:
            raise RequestError(f"--roles: {display_name(role)} is not valid UTF-8, as all text in the tables is")
    repeated = sorted({role for role in request.roles if request.roles.count(role) > 1})
    if repeated:
        raise RequestError(f"--roles names {', '.join(repeated)} more than once")
    conflict = only_role_conflict(request.only_role, request.roles, request.channels)
    if conflict is not None:
        raise RequestError(conflict)


def _check_outputs(request: Request) -> None:
    outputs = _outputs(request)
    if request.dry_run:
        outputs = {option: target for option, target in outputs.items() if option == "--log-file"}
    places: dict[str, str] = {}
    for option, target in outputs.items():
        place = _place(target)
        if place in places:
            raise RequestError(f"{places[place]} and {option} are the same file, {display_name(target)}")
        places[place] = option
    inputs: dict[str, tuple[str, ...]] = {
        "PATHS": request.paths,
        "--files-from": (request.files_from or "-",),
        "--model": (request.model or "-",),
    }
    for name, paths in inputs.items():
        for path in paths:
            written = places.get(_place(path))
            if written and path != "-" and not os.path.isdir(path):
                raise RequestError(f"{written} would overwrite {display_name(path)}, which is read ({name})")
    for place, option in places.items():
        if (is_url(place) or os.path.isfile(place)) and _is_recording(place):
            raise RequestError(f"{option} would overwrite {display_name(place)}, which is a recording")


def _place(path: str) -> str:
    """What two names of the same file have in common."""
    return path if path == "-" or is_url(path) else os.path.realpath(path)


def _outputs(request: Request) -> dict[str, str]:
    """Everything that a run writes, by the option that names it."""
    named = {
        "--out": request.out,
        "the journal of --out": request.journal,
        "the lock of --out": request.lock,
        "--segments": request.segments,
        "--summary": request.summary,
        "--log-file": request.log_file,
    }
    return {option: target for option, target in named.items() if target}


def _is_recording(place: str) -> bool:
    """Whether an existing output is a recording by its name or its content; such a file is not overwritten."""
    if has_audio_suffix(place) or is_url(place):
        return has_audio_suffix(place)
    try:
        with open(place, "rb") as stream:
            return sniff(stream.read(HEAD_BYTES)).decoder in (Decoder.SNDFILE, Decoder.AV)
    except OSError:  # writing it will give the error
        return False
