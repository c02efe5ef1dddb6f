"""Finds recordings: paths and directories to a stream of `AudioFile`.

Stage: **discover** -> decode. Standard library only; nothing is opened, so nothing can hang. What cannot
become samples (a missing path, a FIFO, a dangling link, a folder that cannot be looked into) is an `AudioFile` with a
problem, never an exception and never nothing.

Order: arguments as given; the entries of a directory by their bytes, so that it does not depend on locale, file
system or machine. A recording is an entry of a directory: however often that directory is reached, by links or by
several arguments, it is taken once, by the path that reached it first. One file under two names is two recordings.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import chain, groupby
from typing import Literal, NamedTuple

from sertag.audio.headerless import SUFFIXES as HEADERLESS_SUFFIXES
from sertag.audio.unreachable import empty_folder, file_problem, folder_problem, is_passing_link
from sertag.records import STDIN, AudioFile, Problem
from sertag.remote.urls import is_url, refusal, shown
from sertag.text import display_name

AUDIO_SUFFIXES = frozenset(
    # What telephone systems write first, then what people export, then what archives hold. Not `.ts`, which is more
    # often a program than a broadcast.
    ".wav .wave .mp3 .m4a .ogg .opus .flac .au .snd .amr .awb .wma .aac .oga .spx .webm .weba .mkv .mka .mp4 .m4v .mov "
    ".m4b .3gp .3ga .mp2 .mpga "
    ".aif .aiff .aifc .caf .w64 .rf64 .bwf .nist .sph .voc .ac3".split()
) | frozenset(HEADERLESS_SUFFIXES)

_Kind = Literal["folder", "link", "unknown"]
_Status = os.stat_result | OSError | ValueError


def discover(
    paths: Iterable[str],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    is_output: Callable[[str], bool] = lambda place: False,
    empty_folders: bool = False,
    storage: str | None = "",
) -> Iterator[AudioFile]:
    """Find the recordings that the arguments name, lazily.

    Args:
        paths: files, directories, URLs, or `-` for standard input. Files named here are taken whatever they are called.
        include: globs that replace the filter by audio suffix for files found in directories.
        exclude: globs of files and directories not to be taken from directories.

            Globs are case sensitive and are tried on the base name and on the path relative to the argument.
        is_output: tells, by its path without links, a file that the run itself writes; it is never a recording.
        empty_folders: a directory without a single entry is a record too, with a problem, where an argument or a link
            leads to it, as one leads to the place of a volume.
        storage: settings for URLs, from `remote.options`; None to take each URL for one recording without a look at it.

    Yields:
        One record for each recording, with a problem where it cannot be opened, and one for each place that cannot be
        looked into and may hold recordings.

    >>> [file.path for file in discover(["-"])], next(discover(["no/such.wav"])).problem.code
    (['-'], 'not_found')
    """
    walk = _Walk(tuple(include), tuple(exclude), is_output, empty_folders, lru_cache(1024)(_real))
    arguments = iter(paths)
    first = next(arguments, None)
    if first is None:
        return
    if not is_url(first) and _is_folder(_stat(first)):
        second = next(arguments, None)
        if second is None:  # one walk reaches no entry twice, and a million places would take 150 MB
            yield from (file for file, _ in walk.argument(first))
            return
        arguments = chain((second,), arguments)
    seen: set[str] = set()
    for remote, group in groupby(chain((first,), arguments), key=is_url):
        for file, place in walk.objects(group, storage) if remote else chain.from_iterable(map(walk.argument, group)):
            if place not in seen:
                seen.add(place)
                yield file


class _Entry(NamedTuple):
    """An entry of a directory: its path as reached, relative to the argument, and without links but itself."""

    path: str
    relative: str
    place: str
    kind: _Kind


@dataclass(frozen=True, slots=True)
class _Walk:
    """What is looked for; everything it finds comes with its place, the real path of the directory entry."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    is_output: Callable[[str], bool]
    empty_folders: bool
    real: Callable[[str], str]

    def argument(self, path: str) -> Iterator[tuple[AudioFile, str]]:
        """The records of one argument."""
        if path == STDIN:
            yield AudioFile(path), path
            return
        if (problem := refusal(path)) is not None:
            yield AudioFile(shown(path), problem=problem), path
            return
        found = _stat(path)
        if _is_folder(found):
            yield from self._folder(path)
        elif not self.is_output(self._without_links(path)):
            yield _record(path, found), self._place(path)

    def objects(self, urls: Iterable[str], storage: str | None) -> Iterator[tuple[AudioFile, str]]:
        """The records of URLs that follow each other."""
        if storage is None:
            yield from ((AudioFile(shown(url)), shown(url)) for url in urls)
            return
        from sertag.remote.finding import Wanted, find  # which loads fsspec

        wanted = Wanted(
            lambda relative: self._is_wanted(relative.rpartition("/")[2], relative),
            lambda relative: _matches(relative.rpartition("/")[2], relative, self.exclude),
        )
        for file in find(urls, wanted=wanted, options=storage):
            if not self.is_output(file.path):
                yield file, file.path

    def _folder(self, root: str) -> Iterator[tuple[AudioFile, str]]:
        """Depth first, without recursion, so that no depth of directories is too deep."""
        top = _Entry(root, "", self.real(root), "unknown")
        visited = {top.place}
        pending = [self._entries(top)]
        while pending:
            found = next(pending[-1], None)
            if found is None:
                pending.pop()
            elif not isinstance(found, _Entry):
                yield found
            else:
                status = _stat(found.path)
                if _is_folder(status):
                    inside = found if found.kind == "folder" else found._replace(place=_real(found.path))
                    if inside.place not in visited:  # else a link that leads back up, or a second way
                        visited.add(inside.place)
                        pending.append(self._entries(inside))
                else:
                    yield from self._other(found, status)

    def _other(self, entry: _Entry, status: _Status) -> Iterator[tuple[AudioFile, str]]:
        """The record of a link, or of what cannot be looked at; none if it is not wanted."""
        wanted = self._is_wanted(os.path.basename(entry.path), entry.relative)
        if isinstance(status, OSError) and (entry.kind == "folder" or not wanted):
            if not is_passing_link(entry.path, status):
                yield AudioFile(entry.path, problem=folder_problem(entry.path, status)), entry.place
        elif wanted and not self.is_output(_real(entry.path)):
            yield _record(entry.path, status), entry.place

    def _entries(self, folder: _Entry) -> Iterator[_Entry | tuple[AudioFile, str]]:
        """What is in a directory, in the order of bytes: records of files, and what else there is."""
        kinds: dict[str, _Kind] = {}  # of what is no file; there may be a million files
        try:
            with os.scandir(folder.path) as listing:
                names = [_noted(entry, kinds) for entry in listing]
        except OSError as error:
            yield AudioFile(folder.path, problem=folder_problem(folder.path, error)), folder.place
            return
        if not names and folder.kind != "folder" and self.empty_folders:
            yield AudioFile(folder.path, problem=empty_folder(folder.path)), folder.place
        # Without the key where it changes nothing: in ASCII, text sorts as its bytes do.
        names.sort(key=None if all(map(str.isascii, names)) else os.fsencode)
        path, relative, place = (os.path.join(above, "") for above in (folder.path, folder.relative, folder.place))
        for name in names:
            if self.exclude and _matches(name, relative + name, self.exclude):
                continue
            if name in kinds:
                yield _Entry(path + name, relative + name, place + name, kinds[name])
            elif self._is_wanted(name, relative + name) and not self.is_output(place + name):
                yield _record(path + name, _stat(path + name)), place + name

    def _is_wanted(self, name: str, relative: str) -> bool:
        return _matches(name, relative, self.include) if self.include else _has_audio_suffix(name)

    def _place(self, path: str) -> str:
        folder, name = os.path.split(path)
        return os.path.join(self.real(folder or os.curdir), name)

    def _without_links(self, path: str) -> str:
        return _real(path) if os.path.islink(path) else self._place(path)


def has_audio_suffix(path: str) -> bool:
    """Whether a name is that of a recording.

    >>> has_audio_suffix("a.WAV"), has_audio_suffix("a.txt")
    (True, False)
    """
    return _has_audio_suffix(os.path.basename(path))


def _has_audio_suffix(name: str) -> bool:
    dot = name.rfind(".")
    return name[dot:].lower() in AUDIO_SUFFIXES and name[:dot].strip(".") != ""


def _is_folder(status: _Status) -> bool:
    return isinstance(status, os.stat_result) and stat.S_ISDIR(status.st_mode)


def _stat(path: str) -> _Status:
    try:
        return os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte inside the name
        return error


def _real(path: str) -> str:
    """A path without links, as far as it can be followed."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # the working folder was removed; a zero byte inside the name
        return path


def _noted(entry: os.DirEntry[str], kinds: dict[str, _Kind]) -> str:
    """The name of an entry; its kind goes into `kinds` where it is no file.

    The kind is what the directory says of its entry, without a look at the entry itself.
    """
    name = entry.name
    try:
        if not entry.is_file(follow_symlinks=False):
            folder = entry.is_dir(follow_symlinks=False)
            kinds[name] = "folder" if folder else "link" if entry.is_symlink() else "unknown"
    except OSError:  # this file system does not keep it there, and the entry cannot be looked at
        kinds[name] = "unknown"
    return name


def _record(path: str, found: _Status) -> AudioFile:
    if not isinstance(found, os.stat_result):
        return AudioFile(path, problem=file_problem(path, found, may_be_folder=not has_audio_suffix(path)))
    if stat.S_ISREG(found.st_mode):
        return AudioFile(path, found.st_size, mtime_ns=found.st_mtime_ns)
    message = f"{display_name(path)}: is {_special(found.st_mode)}, expected a regular file; pipe audio to `-` instead"
    return AudioFile(path, problem=Problem("not_a_file", message))


def _special(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a block device",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")


def _matches(name: str, relative: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) or fnmatchcase(relative, glob) for glob in globs)
