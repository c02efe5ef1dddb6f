"""Recordings as a worker on another computer sees them: whether they are there, and are the same ones.

Used by `worker`, in the process that tags, so that a server that does not answer costs one file its time.
"""

from __future__ import annotations

import os
import platform
from dataclasses import replace

from sertag.records import STDIN, AudioFile, FileResult, Problem
from sertag.text import display_name

# Of a storage, where they may be those of a worker and not of the client, which has found the recording.
_OF_ONE_COMPUTER = frozenset(
    ("no_credentials", "expired_credentials", "permission_denied", "not_found", "unreachable", "needs_remote")
)
_OF_ONE_PROCESS = ("/dev/fd/", "/dev/std", "/proc/")


def as_seen_here(file: AudioFile, *, folder: str) -> AudioFile:
    """The file, with a problem if it is not on this computer as it was found on the client.

    Args:
        file: as found on the client; objects in a storage are the same everywhere.
        folder: working folder of the client.
    """
    if file.problem is not None or file.remote is not None:
        return file
    name = display_name(file.path)
    if file.path == STDIN or os.path.abspath(os.path.join(folder, file.path)).startswith(_OF_ONE_PROCESS):
        message = f"{name}: only the process that was given it can read it, expected a file that all workers reach"
        return replace(file, problem=Problem("not_on_worker", message))
    try:
        size_bytes = os.stat(os.path.join(folder, file.path)).st_size
    except (FileNotFoundError, NotADirectoryError):
        message = f"{name}: was found by the run, but worker {platform.node()} has no such file"
        advice = "put it where all workers reach it by the same path, as on a network share, or name it by a URL"
        return replace(file, problem=Problem("not_on_worker", f"{message}; {advice}"))
    except (OSError, ValueError):  # reading it gives the error
        return file
    if file.size_bytes not in (None, size_bytes):
        message = f"{name}: has {size_bytes} bytes on worker {platform.node()}, {file.size_bytes} where it was found"
        return replace(file, problem=Problem("differs_on_worker", f"{message}; is it another file, or still written?"))
    return file


def as_told_here(file: AudioFile, result: FileResult) -> FileResult:
    """The result; where a storage could not be read, it names the computer, which has an environment of its own."""
    problem = result.channels[0].problem
    if file.remote is None or problem is None or problem.code not in _OF_ONE_COMPUTER:
        return result
    needs = "workers need the network, the credentials and the variables of the storage too"
    told = replace(problem, message=f"{problem.message}; so it is on worker {platform.node()}, and {needs}")
    return replace(result, channels=(replace(result.channels[0], problem=told), *result.channels[1:]))
