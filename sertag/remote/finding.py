"""Finds recordings in storage: URLs to a stream of `AudioFile`, as `audio.discover` finds them in folders.

A prefix is walked like a folder, in the same order and with the same filters, one request a thousand entries. Nothing
is opened. Several named objects are looked up at once, because each takes a round trip.

Names are those of the storage. A URL that names both an object and a prefix is the object, and with `/` at its end the
prefix. An object whose name ends with `/` is what other tools leave in place of a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from sertag.errors import SertagError
from sertag.records import AudioFile, Problem, RemoteObject
from sertag.remote.failures import problem_of
from sertag.remote.filesystems import gathered, system_of, version_of
from sertag.remote.urls import is_prefix, refusal, scheme_of, shown
from sertag.text import display_name

_AT_ONCE = 32


class Wanted(NamedTuple):
    """The filter of what is found below a prefix; both take the path from there on.

    Attributes:
        file: whether an object is a recording.
        excluded: whether an object or a folder is left out.
    """

    file: Callable[[str], bool]
    excluded: Callable[[str], bool]


def find(urls: Iterable[str], *, wanted: Wanted, options: str = "") -> Iterator[AudioFile]:
    """Find the recordings that URLs name, lazily.

    Args:
        urls: of objects, prefixes and buckets.
        wanted: filter of objects below prefixes.
        options: of the storage, from `parse_options`.

    Yields:
        One record for each recording, with a problem where it cannot be opened, and one for each prefix that cannot be
        listed.
    """
    remaining = iter(urls)
    while batch := list(islice(remaining, _AT_ONCE)):
        looked_up = _look_up(batch, options)
        for url in batch:
            yield from _found(url, looked_up.get(url), wanted, options)


class _Entry(NamedTuple):
    """An object or a folder below a prefix: its name as the storage gives it, without and with the part before."""

    name: str
    path: str
    is_folder: bool
    size_bytes: int | None
    version: str | None


def _look_up(urls: list[str], options: str) -> dict[str, Any]:
    """What the storage says of each URL, or the exception; nothing of those that need no look."""
    by_system: dict[int, tuple[Any, list[tuple[str, str]]]] = {}
    results: dict[str, Any] = {}
    for url in dict.fromkeys(urls):
        if refusal(url) is None and not is_prefix(url):
            try:
                system, path = system_of(url, options)
            except SertagError as error:
                results[url] = error
                continue
            by_system.setdefault(id(system), (system, []))[1].append((url, path))
    for system, named in by_system.values():
        infos = gathered(system, [system._info(path) for _, path in named])
        results |= {url: info for (url, _), info in zip(named, infos, strict=True)}
    return results


def _found(url: str, info: Any, wanted: Wanted, options: str) -> Iterator[AudioFile]:
    """The records of one argument."""
    problem = refusal(url)
    if problem is not None:
        yield AudioFile(shown(url), problem=problem)
    elif isinstance(info, BaseException):
        yield AudioFile(shown(url), problem=problem_of(info, url))
    elif info is None:
        yield from _Walk(url, wanted, options).records()
    elif info["type"] == "directory":
        yield from _Walk(url + "/", wanted, options).records()
    else:
        found = RemoteObject(url, version_of(info), options)
        yield AudioFile(shown(url), size_bytes=info["size"], remote=found)


class _Walk:
    """The objects below one prefix."""

    def __init__(self, url: str, wanted: Wanted, options: str) -> None:
        self._wanted, self._options = wanted, options
        self._url = url
        self._root = ""  # as the storage calls the prefix
        self._start = f"{scheme_of(url)}://"

    def records(self) -> Iterator[AudioFile]:
        """Depth first, without recursion."""
        try:
            self._system, path = system_of(self._url, self._options)
            self._root = path.rstrip("/")
            entries = self._entries(self._root)
        except Exception as error:  # of the libraries below, which share no base class
            yield AudioFile(self._url, problem=problem_of(error, self._url))
            return
        pending = [iter(entries)]
        while pending:
            entry = next(pending[-1], None)
            if entry is None:
                pending.pop()
            elif not self._wanted.excluded(self._relative(entry)):
                if entry.is_folder:
                    try:
                        pending.append(iter(self._entries(entry.path)))
                    except Exception as error:
                        url = self._start + entry.path
                        yield AudioFile(url, problem=problem_of(error, url, folder=True))
                else:
                    yield from self._file(entry)

    def _file(self, entry: _Entry) -> Iterator[AudioFile]:
        url = self._start + entry.path
        if entry.path.endswith("/"):
            if entry.size_bytes and self._wanted.file(self._relative(entry).rstrip("/")):
                message = (
                    "is an object whose name ends with `/`, which tools take for a folder; copy it to another name"
                )
                yield AudioFile(url, problem=Problem("not_a_file", f"{display_name(url)}: {message}"))
        elif self._wanted.file(self._relative(entry)):
            found = RemoteObject(url, entry.version, self._options)
            yield AudioFile(url, size_bytes=entry.size_bytes, remote=found)

    def _relative(self, entry: _Entry) -> str:
        return entry.path[len(self._root) + 1 :].rstrip("/") if entry.is_folder else entry.path[len(self._root) + 1 :]

    def _entries(self, folder: str) -> list[_Entry]:
        """What is directly below a folder, in the order of bytes, an object before a folder of the same name."""
        above = folder + "/"
        entries: list[_Entry] = []
        for info in self._system.ls(folder, detail=True):
            path, is_folder = info["name"], info["type"] == "directory"
            if is_folder and path.rstrip("/") in (folder, above.rstrip("/")):
                entries += self._with_empty_names(folder)
            elif path.startswith(above):
                entries.append(_entry(info, path, above))
            elif path == folder:  # it is an object, and nothing is below it
                raise FileNotFoundError(folder)
        return sorted(entries, key=lambda entry: (entry.name.encode("utf-8", "surrogatepass"), entry.is_folder))

    def _with_empty_names(self, folder: str) -> Iterator[_Entry]:
        """All objects behind two slashes, which cannot be listed one folder at a time."""
        above = folder + "/"
        for path, info in self._system.find(folder, detail=True).items():
            if path.startswith(above + "/"):
                yield _entry(info, path, above)


def _entry(info: dict[str, Any], path: str, above: str) -> _Entry:
    is_folder = info["type"] == "directory"
    return _Entry(path[len(above) :], path, is_folder, None if is_folder else info.get("size"), version_of(info))
