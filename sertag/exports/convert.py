"""Converts tables to files of other programs: which function writes which format, and where the files are written."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from sertag.analysis.loading import Loaded, need_labels, need_rows, need_windows
from sertag.errors import OutputError
from sertag.exports import label_files
from sertag.exports.contact_lens import contact_lens
from sertag.exports.spreadsheet import write_spreadsheet
from sertag.exports.timelines import Recording, recordings
from sertag.remote.urls import is_url
from sertag.storage.atomic_output import open_output
from sertag.tables.row_writer import write_rows
from sertag.tables.writers import json_bytes
from sertag.text import display_name, display_text, plural, valid_text

_File = tuple[str, bytes]  # suffix, and content


def convert(loaded: Loaded, target: str, out: str, *, storage: str = "") -> str:
    """Write tables in another format.

    Args:
        loaded: the tables.
        target: `csv`, `tsv`, `json`, `jsonl`, `xlsx` and `rttm` are one file; `audacity`, `textgrid`, `webvtt` and
            `contact-lens` are a folder with one or more files per recording.
        out: path of the file or folder.
        storage: settings for URLs, from `remote.options`.

    Returns:
        A text that says what was written.

    Raises:
        TableError: the tables do not contain what the format needs.
        OutputError: a file cannot be written.
    """
    if target in ("csv", "tsv", "json", "jsonl"):
        need_rows(loaded)
        write_rows(out, loaded.rows, columns=loaded.columns, fmt=target, storage=storage)  # type: ignore[arg-type]
        return f"{plural(len(loaded.rows), 'row')} in {_name(out)}"
    if target == "xlsx":
        return f"{write_spreadsheet(loaded, out, storage=storage)}, in {_name(out)}"
    need_windows(loaded)
    need_labels(loaded)
    found = list(recordings(loaded))
    if target == "rttm":
        with open_output(out, storage=storage) as output:
            output.write(valid_text(label_files.rttm(found)).encode())
            output.finish()
        return f"{plural(len(found), 'recording')} in {_name(out)}"
    return _write_folder(found, _PER_RECORDING[target], out, storage)


def _audacity(recording: Recording) -> Iterator[_File]:
    for line in recording.timelines:
        role = "" if line.speaker.startswith("channel ") else f"-{_safe(line.speaker)}"
        yield f".{line.channel}{role}.txt", valid_text(label_files.audacity(line)).encode()


def _textgrid(recording: Recording) -> Iterator[_File]:
    yield ".TextGrid", valid_text(label_files.textgrid(recording)).encode()


def _webvtt(recording: Recording) -> Iterator[_File]:
    yield ".vtt", valid_text(label_files.webvtt(recording)).encode()


def _contact_lens(recording: Recording) -> Iterator[_File]:
    yield ".json", json_bytes(contact_lens(recording), indent=2) + b"\n"


_PER_RECORDING: dict[str, Callable[[Recording], Iterator[_File]]] = {
    "audacity": _audacity,
    "textgrid": _textgrid,
    "webvtt": _webvtt,
    "contact-lens": _contact_lens,
}


def _write_folder(
    found: Sequence[Recording], content: Callable[[Recording], Iterator[_File]], folder: str, storage: str
) -> str:
    if folder == "-":
        raise OutputError("these formats have a file for each recording; name a folder with --out", code="cannot_write")
    count = 0
    for recording, place in zip(found, _places([recording.path for recording in found]), strict=True):
        for suffix, data in content(recording):
            path = os.path.join(folder, place + suffix)
            if not is_url(folder):
                _make_folder(os.path.dirname(path))
            with open_output(path, storage=storage) as output:
                output.write(data)
                output.finish()
            count += 1
    return f"{plural(count, 'file')} for {plural(len(found), 'recording')} in {_name(folder)}"


def _make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder {display_name(folder)}: {error.strerror}; give another one with --out"
        raise OutputError(message, code="cannot_write") from error


def _places(paths: Sequence[str]) -> list[str]:
    """Relative path for the files of each recording: its path below the common folder of all, without suffix.

    >>> _places(["/r/a/1.wav", "/r/b/1.wav", "/r/b/1.mp3"])
    ['a/1', 'b/1.wav', 'b/1.mp3']
    """
    parts = [[_safe(part) for part in PurePosixPath(path).parts if part != "/"] or ["_"] for path in paths]
    shared = 0
    for level in zip(*(own[:-1] for own in parts), strict=False):
        if len(set(level)) > 1:
            break
        shared += 1
    places = ["/".join(own[shared:]) for own in parts]
    stems = [str(PurePosixPath(place).with_suffix("")) for place in places]
    counts = Counter(stems)
    return [stem if counts[stem] == 1 else place for stem, place in zip(stems, places, strict=True)]


def _safe(part: str) -> str:
    """A part of a path, changed so that it cannot leave its folder."""
    text = display_text(part).replace("/", "_").replace("\\", "_")
    return "_" * len(text) if text.strip(".") == "" else text


def _name(path: str) -> str:
    return "standard output" if path == "-" else display_name(path)
