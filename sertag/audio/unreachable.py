"""Error messages for paths that cannot be accessed: the reason, whether recordings may be missing, and what to do.

Used by discover and streams. Standard library only.
"""

from __future__ import annotations

import errno
import os

from sertag.records import Problem
from sertag.text import display_name

# A dangling link of such a name was a document, not a folder of recordings; any other may have been one.
_DOCUMENT_SUFFIXES = frozenset(
    ".txt .log .md .rst .csv .tsv .json .jsonl .xml .html .htm .yaml .yml .toml .ini .sqlite .pdf .doc .docx .odt "
    ".rtf .xls .xlsx .ods .ppt .pptx .png .jpg .jpeg .gif .bmp .tif .tiff .svg .webp .css .js .py .pyc .exe .dll .zip "
    ".gz .tgz .bz2 .xz .zst .7z .tar .rar .lock .pid .sock .parquet .npy .npz .onnx .srt .vtt .rttm .textgrid .url "
    ".lnk .sha256 .md5".split()
)
_NOWHERE = FileNotFoundError, NotADirectoryError


def file_problem(path: str, error: OSError | ValueError, *, may_be_folder: bool) -> Problem:
    """What is wrong with a path that is meant to be a recording, or may be one.

    Args:
        path: as reached.
        error: that looking at it gave.
        may_be_folder: its name does not say that it is a recording.
    """
    name = display_name(path)
    if isinstance(error, ValueError):
        return Problem("not_found", f"{name}: {_no_name(path)}")
    if error.errno == errno.ENAMETOOLONG:
        return Problem("path_too_long", f"{name}: {_too_long()}")
    if isinstance(error, PermissionError):
        return Problem("permission_denied", forbidden(name))
    if os.path.islink(path):
        return Problem("dangling_link", f"{name}: is a link to {_target(path)}, which cannot be reached")
    if isinstance(error, _NOWHERE):
        return Problem("not_found", missing(name))
    code = "unreachable_folder" if may_be_folder else "unreachable"
    return Problem(code, f"{name}: cannot be looked at ({_reason(error)}); is its volume mounted?")


def folder_problem(path: str, error: OSError) -> Problem:
    """What is wrong with a path that is a folder, or may be one, and cannot be looked into."""
    name, lost = display_name(path), "no recording in it can be tagged"
    if error.errno == errno.ENAMETOOLONG:
        message = f"{name}: {_too_long()}; {lost} from here"
    elif isinstance(error, PermissionError):
        message = f"{name}: permission denied, {lost}; check the rights of the folder and of those above it"
    elif os.path.islink(path):
        message = f"{name}: is a link to {_target(path)}, which cannot be reached ({_reason(error)}); if that is a "
        message += f"folder, {lost}; is its volume mounted?"
    else:
        message = f"{name}: cannot be looked into ({_reason(error)}), {lost}; is its volume mounted?"
    return Problem("unreachable_folder", message)


def empty_folder(path: str) -> Problem:
    """What may be wrong with a folder that holds nothing at all, which is what is left of an unmounted volume."""
    return Problem("empty_folder", f"{display_name(path)}: is an empty folder; is its volume mounted?")


def missing(name: str) -> str:
    """The message for a file that is not there.

    Args:
        name: of the file, for display.
    """
    return f"{name}: no such file or directory; check the path"


def forbidden(name: str) -> str:
    """The message for a file that may not be read; `name` as for `missing`."""
    return f"{name}: permission denied; check the rights of the file and its folders"


def is_passing_link(path: str, error: OSError) -> bool:
    """Whether nothing is lost with an entry that cannot be looked at: it is gone, or a dangling link to a document.

    >>> is_passing_link("gone meanwhile", FileNotFoundError())
    True
    """
    if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
        return True
    dangling = isinstance(error, _NOWHERE) or error.errno == errno.ELOOP
    return dangling and os.path.splitext(path)[1].lower() in _DOCUMENT_SUFFIXES and os.path.islink(path)


def _no_name(path: str) -> str:
    if "\0" in path:
        return "a zero byte cannot be part of a name; is the list zero-separated (-0), or not in UTF-8?"
    return "there can be no file of such a name here; check the path"


def _too_long() -> str:
    return "its path is longer than the system takes; start from a folder further in"


def _target(path: str) -> str:
    try:
        return display_name(os.readlink(path))
    except OSError:  # it went away meanwhile
        return "nowhere"


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
