"""Which recordings a request means: its paths and its list, as a stream.

Used by `run`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from sertag.audio.discover import discover
from sertag.names import display_name
from sertag.path_list import PathListError, read_list
from sertag.records import AudioFile
from sertag.request import Request, RequestError, own_files


def inputs(request: Request, *, empty_folders: bool = False) -> Iterator[AudioFile]:
    """The recordings of a request, found while they are asked for.

    Args:
        request: of the user.
        empty_folders: arguments and links that lead to empty folders are told too, with a problem.

    Raises:
        RequestError: the list cannot be read.

    >>> [file.path for file in inputs(Request(paths=("-",)))]
    ['-']
    """
    return discover(
        _paths(request),
        include=request.include,
        exclude=request.exclude,
        is_output=own_files(request),
        empty_folders=empty_folders,
    )


def nothing_found(request: Request) -> str:
    """What to say where there is no recording.

    >>> nothing_found(Request(paths=("a", "b", "c", "d"))).partition(";")[0]
    'no audio found in a, b, c, …'
    """
    given = [*request.paths, *([f"the list {request.files_from}"] if request.files_from else [])]
    names = ", ".join(map(display_name, given[:3])) + (", …" if len(given) > 3 else "")
    advice = "directories are searched for audio suffixes, or for --include"
    return f"no audio found in {names}; {advice}; output files are left as they were"


def can_be_read_again(request: Request) -> bool:
    """Whether `inputs` can be called a second time; a list that is no regular file is gone once it was read.

    >>> can_be_read_again(Request(paths=(), files_from="-"))
    False
    """
    return request.files_from is None or os.path.isfile(request.files_from)


def _paths(request: Request) -> Iterator[str]:
    yield from request.paths
    if request.files_from is None:
        return
    with ExitStack() as opened:
        try:
            here = request.files_from == "-"
            stream = sys.stdin.buffer if here else opened.enter_context(open(request.files_from, "rb"))
            for path in read_list(stream, null=request.null):
                yield "./-" if path == "-" else path  # in a list it is a file of that name, not standard input
        except (OSError, PathListError) as error:
            name = "-, standard input" if here else display_name(request.files_from)
            reason = error if isinstance(error, PathListError) else error.strerror or error
            raise RequestError(f"--files-from {name}: {reason}") from error
