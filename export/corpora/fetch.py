"""Corpora from Kaggle's copies of them, put into their official layout, each recording once, and counted.

Where the download fails, the message says where the publishers give the corpus out, under which licence, and where to
put it: nothing else in sertag needs the network.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

from export.corpora.clips import Corpus
from export.corpora.layouts import LAYOUTS
from export.corpora.loading import load
from export.errors import ExportError
from export.progress import Report
from sertag.audio.discover import AUDIO_SUFFIXES
from sertag.text import display_name

_KAGGLE = "https://www.kaggle.com"
_TIMEOUT_S = (5.0, 15.0)  # to connect, and between two bytes; what kagglehub itself takes for its downloads
_ADVICE = (
    "Kaggle wants a login: make a token under Settings, API on kaggle.com and save it as ~/.kaggle/kaggle.json. A "
    "download of 450 MB needs 1.4 GB in ~/.cache/kagglehub; KAGGLEHUB_CACHE names another folder"
)


class Source(NamedTuple):
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


def fetch(name: str, *, out: Path, report: Report) -> tuple[Path, Corpus]:
    """Download a corpus of `SOURCES` into a folder of its own in `out`, or find that it is there already.

    The folder, and what is usable of it; an ExportError that says what to do by hand where that is not possible.
    """
    source = SOURCES[name]
    place = out / source.corpus
    if not place.exists():
        report(f"{source.corpus}: downloading from Kaggle", 0.0)
        _put(_download(source, place), source, place, report)
    _official(place, source, place)
    return place, load(place, name=source.corpus)


def _download(source: Source, place: Path) -> Path:
    """Let kagglehub download; what it prints goes to stderr."""
    with redirect_stdout(sys.stderr):
        try:
            kagglehub, requests = importlib.import_module("kagglehub"), importlib.import_module("requests")
            # kagglehub asks Kaggle without any time limit, so a silent network is found out first.
            requests.head(_KAGGLE, timeout=_TIMEOUT_S)
            return Path(kagglehub.dataset_download(source.handle))
        except ImportError as error:
            reason = f"{error}; install it with: python -m pip install '.[fetch]'"
            raise _failed(source, place, reason, code="needs_kagglehub") from error
        except Exception as error:  # its own errors have no base class, and others come through from below
            reason = f"{source.handle} cannot be downloaded ({type(error).__name__}: {display_name(str(error))})"
            raise _failed(source, place, f"{reason}. {_ADVICE}", code="download_failed") from error


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
        reason = f"{place} cannot be written ({error.strerror}); the download stays in {display_name(str(download))}"
        raise _failed(source, place, reason, code="cannot_write") from error


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
