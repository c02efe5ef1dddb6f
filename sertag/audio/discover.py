"""Which recordings are meant: paths, directories and lists of paths become a stream of `AudioFile`.

Station of the line: **discover** -> decode. Standard library only; nothing is opened, so nothing can hang. What cannot
become samples (a missing path, a FIFO, a dangling link) is an `AudioFile` with a problem, never an exception.

Order: arguments as given; the entries of a directory by their bytes, so that it does not depend on locale, file
system or machine. A path that comes up twice is taken once; one file under two names is two recordings.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import BinaryIO

from sertag.names import display_name
from sertag.records import AudioFile, Problem

AUDIO_SUFFIXES = frozenset(
    # What telephone systems write first, then what people export, then what archives hold.
    ".wav .wave .mp3 .m4a .ogg .opus .flac .gsm .au .snd .ulaw .alaw .amr .awb .wma .aac .oga .spx .webm .weba .mka "
    ".m4b .3gp .3ga .mp2 .mpga .aif .aiff .aifc .caf .w64 .rf64 .bwf .nist .sph .voc .ac3".split()
)

_Identity = tuple[int, int]  # (st_dev, st_ino)


def discover(paths: Iterable[str], *, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Iterator[AudioFile]:
    """Find the recordings that the arguments name, lazily.

    Args:
        paths: files, directories, or `-` for standard input. Files named here are taken whatever they are called.
        include: globs that replace the filter by audio suffix for files found in directories.
        exclude: globs of files and directories not to be taken from directories.

            Globs are case sensitive and are tried on the base name and on the path relative to the argument.

    Yields:
        One record for each recording, with a problem where it cannot be opened.

    >>> [file.path for file in discover(["-"])], next(discover(["no/such.wav"])).problem.code
    (['-'], 'not_found')
    """
    seen: set[str] = set()
    for path in paths:
        for file in _one_argument(path, include, exclude):
            if file.path not in seen:
                seen.add(file.path)
                yield file


def read_list(stream: BinaryIO, *, null: bool) -> Iterator[str]:
    r"""Read the paths of a list, lazily.

    Args:
        stream: binary, because names are bytes.
        null: names end with a zero byte, as `find -print0` writes them, instead of with a line end.

    Yields:
        Paths as Python names them (`os.fsdecode`); empty ones are left out.

    >>> import io
    >>> list(read_list(io.BytesIO(b"a.wav\r\n\n b.wav\n"), null=False))
    ['a.wav', ' b.wav']
    """
    for name in _split_at_nulls(stream) if null else (line.rstrip(b"\n").removesuffix(b"\r") for line in stream):
        if name:
            yield os.fsdecode(name)


def _one_argument(path: str, include: Sequence[str], exclude: Sequence[str]) -> Iterator[AudioFile]:
    if path == "-":
        yield AudioFile(path)
        return
    found = _stat(path)
    if isinstance(found, os.stat_result) and stat.S_ISDIR(found.st_mode):
        yield from _walk(path, found, include, exclude)
    else:
        yield _record(path, found)


def _walk(root: str, found: os.stat_result, include: Sequence[str], exclude: Sequence[str]) -> Iterator[AudioFile]:
    """Depth first, without recursion, so that no depth of directories is too deep."""
    ancestors = [_identity(found)]
    pending = [_entries(root, "")]
    while pending:
        entry = next(pending[-1], None)
        if entry is None:
            pending.pop()
            ancestors.pop()
        elif isinstance(entry, AudioFile):
            yield entry
        elif not _matches(entry[1], exclude):
            path, relative = entry
            status = _stat(path)
            if not isinstance(status, os.stat_result) or not stat.S_ISDIR(status.st_mode):
                if _matches(relative, include) if include else _has_audio_suffix(path):
                    yield _record(path, status)
            elif _identity(status) not in ancestors:  # else a link that leads back up
                ancestors.append(_identity(status))
                pending.append(_entries(path, relative))


def _entries(directory: str, relative: str) -> Iterator[tuple[str, str] | AudioFile]:
    """(path, path relative to the argument) of each entry, or the record of a directory that cannot be listed."""
    try:
        names = sorted(os.listdir(directory), key=os.fsencode)
    except OSError as error:
        yield AudioFile(directory, problem=_problem(directory, error))
        return
    for name in names:
        yield os.path.join(directory, name), os.path.join(relative, name)


def _stat(path: str) -> os.stat_result | OSError | ValueError:
    try:
        return os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte inside the name
        return error


def _record(path: str, found: os.stat_result | OSError | ValueError) -> AudioFile:
    if not isinstance(found, os.stat_result):
        return AudioFile(path, problem=_problem(path, found))
    if stat.S_ISREG(found.st_mode):
        return AudioFile(path, size_bytes=found.st_size)
    message = f"{display_name(path)}: is {_kind(found.st_mode)}, expected a regular file; pipe audio to `-` instead"
    return AudioFile(path, problem=Problem("not_a_file", message))


def _problem(path: str, error: OSError | ValueError) -> Problem:
    name = display_name(path)
    if isinstance(error, PermissionError):
        return Problem("permission_denied", f"{name}: permission denied; check the rights of the file and its folders")
    if not isinstance(error, ValueError) and os.path.islink(path):
        target = display_name(_link_target(path))
        return Problem("dangling_link", f"{name}: is a link to {target}, which cannot be reached")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Problem("not_found", f"{name}: no such file or directory; check the path")
    if isinstance(error, ValueError):
        return Problem("not_found", f"{name}: a zero byte cannot be part of a name; is the list zero-separated (-0)?")
    return Problem("not_found", f"{name}: cannot be reached ({error.strerror or error})")


def _link_target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:  # it went away meanwhile
        return "nowhere"


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a block device",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")


def _identity(found: os.stat_result) -> _Identity:
    return found.st_dev, found.st_ino


def _has_audio_suffix(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in AUDIO_SUFFIXES


def _matches(relative: str, globs: Sequence[str]) -> bool:
    base = os.path.basename(relative)
    return any(fnmatchcase(base, glob) or fnmatchcase(relative, glob) for glob in globs)


def _split_at_nulls(stream: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(65536):
        *names, rest = (rest + chunk).split(b"\0")
        yield from names
    yield rest
