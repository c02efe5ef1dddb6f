"""Corpora from Kaggle's copies of them, put into their official layout and counted.

Kaggle's copies hold some recordings twice, in folders inside of folders; here each official file name is kept once.
Where the download fails, the message says where the publishers give the corpus out, under which licence, and where to
put it: nothing else in sertag needs the network.
"""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from export.corpora.clips import Corpus
from export.corpora.layouts import LAYOUTS
from export.corpora.loading import load
from export.errors import ExportError
from export.progress import Report
from sertag.audio.discover import AUDIO_SUFFIXES
from sertag.text import display_name

_KAGGLE = "https://www.kaggle.com"
_TIMEOUT_S = (5.0, 15.0)  # to connect, and between two bytes; what kagglehub itself takes for its downloads
_SIZE_MB = 450  # of each download, roughly


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus of `LAYOUTS`, Kaggle's copy, what to take from its publishers, and how many recordings it has."""

    corpus: str
    handle: str
    parts: str
    recordings: int


SOURCES = {
    "tess": Source("tess", "ejlok1/toronto-emotional-speech-set-tess", "all .wav files", 2800),
    "ravdess": Source("ravdess", "uwrfkaggler/ravdess-emotional-speech-audio", "Audio_Speech_Actors_01-24.zip", 1440),
    "crema-d": Source("crema_d", "ejlok1/cremad", "the folder AudioWAV", 7442),
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A corpus that is in its place: its folder, how many recordings lie there, and what is usable of them."""

    place: Path
    recordings: int
    corpus: Corpus

    def __str__(self) -> str:
        """One sentence for a person."""
        usable, licence = len(self.corpus.clips), self.corpus.licence
        return f"{self.place}: {self.recordings} recordings, all there, {usable} usable; licence: {licence}"


def fetch(name: str, *, out: Path, report: Report) -> Fetched:
    """Download a corpus of `SOURCES` into a folder of its own in `out`, or find that it is there already.

    Raises:
        ExportError: kagglehub is not installed, Kaggle cannot be reached or refuses, the disk is full, or the download
            is not the whole corpus; with what to do by hand.
    """
    source = SOURCES[name]
    place = out / source.corpus
    if not place.exists():
        report(f"{source.corpus}: downloading about {_SIZE_MB} MB from Kaggle", 0.0)
        _put(_download(source, place), source, place, report)
    return Fetched(place, len(_official(place, source, place)), load(place, name=source.corpus))


def _download(source: Source, place: Path) -> Path:
    """Let kagglehub download; what it prints goes to stderr."""
    with redirect_stdout(sys.stderr):
        try:
            kagglehub, requests = importlib.import_module("kagglehub"), importlib.import_module("requests")
        except ImportError as error:
            reason = f"{error}; install it with: python -m pip install '.[fetch]'"
            raise _failed(source, place, reason, code="needs_kagglehub") from error
        try:
            # kagglehub asks Kaggle without any time limit, so a silent network is found out first.
            requests.head(_KAGGLE, timeout=_TIMEOUT_S)
            return Path(kagglehub.dataset_download(source.handle))
        except Exception as error:  # its own errors have no base class, and others come through from below
            reason, code = _reason(error, source)
            raise _failed(source, place, reason, code=code) from error


def _reason(error: Exception, source: Source) -> tuple[str, str]:
    """What went wrong, and a code for it."""
    kind, status = type(error).__name__, getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        cache = os.environ.get("KAGGLEHUB_CACHE", "~/.cache/kagglehub")
        need = f"{3 * _SIZE_MB} MB are enough there, KAGGLEHUB_CACHE names another folder"
        return f"the disk is full (kagglehub's cache is {cache}; {need})", "disk_full"
    if status in (401, 403) or kind in ("CredentialError", "UnauthenticatedError"):
        advice = "make a token under Settings, API on kaggle.com and save it as ~/.kaggle/kaggle.json"
        return f"Kaggle refuses without a login it accepts; {advice}", "no_credentials"
    if status is not None:
        return f"Kaggle answers {status} for {source.handle}", "not_found"
    if isinstance(error, OSError) and error.filename is None:
        return f"Kaggle cannot be reached ({kind})", "no_network"
    return f"kagglehub failed ({kind}: {display_name(str(error))})", "download_failed"


def _put(download: Path, source: Source, place: Path, report: Report) -> None:
    """Link or copy each official recording once, then show the folder under its name in one step."""
    recordings = _official(download, source, place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{source.corpus}-", dir=place.parent) as unfinished:
            whole = Path(unfinished) / source.corpus
            for number, path in enumerate(recordings, start=1):
                target = whole / path.parent.name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(path, target)  # which takes no second place on the disk
                except OSError:  # another file system, or one without links
                    shutil.copyfile(path, target)
                report(f"{source.corpus}: putting recordings in place", number / len(recordings))
            whole.rename(place)
    except OSError as error:
        code = "disk_full" if error.errno == errno.ENOSPC else "cannot_write"
        reason = f"{place} cannot be written ({error.strerror}); the download stays in {display_name(str(download))}"
        raise _failed(source, place, reason, code=code) from error


def _official(folder: Path, source: Source, place: Path) -> list[Path]:
    """Recordings with the corpus' official names, each name once; refused where they are not all there."""
    pattern = LAYOUTS[source.corpus].pattern
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in AUDIO_SUFFIXES and pattern.fullmatch(path.stem):
            found.setdefault(path.stem, path)
    if len(found) != source.recordings:
        reason = f"{folder} holds {len(found)} recordings named as in {source.corpus}, expected {source.recordings}"
        raise _failed(source, place, f"{reason}; take it away and fetch again", code="incomplete")
    return list(found.values())


def _failed(source: Source, place: Path, reason: str, *, code: str) -> ExportError:
    layout = LAYOUTS[source.corpus]
    by_hand = f"take {source.parts} from {layout.source}, unpacked into {place}; its licence is {layout.licence}"
    return ExportError(f"{source.corpus}: {reason}. By hand: {by_hand}", code=code)
