"""Clips of one corpus while they are collected from files: each recording once, and never under two labels."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

from export.corpora.clips import Clip, Corpus, frozen
from export.errors import ExportError
from sertag.audio.decode import open_audio
from sertag.audio.discover import AUDIO_SUFFIXES, discover
from sertag.errors import DecodeError
from sertag.text import display_name

NO_AUDIO = "no audio suffix"


class CorpusBuilder:
    """Clips of one corpus, and what was left out, while they are collected."""

    def __init__(self) -> None:
        self._clips: list[Clip] = []
        self._skipped: dict[str, list[str]] = {}
        self._seen: dict[str, tuple[Clip, str]] = {}  # digest -> first clip, and where that is said

    def skip(self, name: Path | str, *, reason: str) -> bool:
        """Count and name what is no clip."""
        self._skipped.setdefault(reason, []).append(str(name))
        return False

    def add(self, clip: Clip, *, said_in: str = "") -> bool:
        """Add a clip, less its digest, unless it is empty, cannot be read or is there; those are counted and named.

        `said_in` is where its label stands, if not in its path. An ExportError where the same recording has another
        label elsewhere.
        """
        try:
            content = clip.path.read_bytes()
        except OSError as error:
            return self.skip(clip.path, reason=f"cannot be read ({error.strerror})")
        if not content:
            return self.skip(clip.path, reason="empty")
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        where = said_in or display_name(str(clip.path))
        first, first_where = self._seen.setdefault(digest, (clip, where))
        if first is clip:
            self._clips.append(dataclasses.replace(clip, digest=digest))
            return True
        if first.label != clip.label and _is_recording(clip.path):
            found = f"{first_where} is {first.label} and {where} is {clip.label}, but the recording is the same"
            raise ExportError(f"{found}; keep the one whose label is right", code="mixed_labels")
        return self.skip(clip.path, reason="identical recording" if first.label == clip.label else "no recording")

    def corpus(self, name: str) -> Corpus:
        """What was collected, under the licences of the clips; it may be nothing."""
        clips = tuple(sorted(self._clips, key=lambda clip: clip.path))
        licence = "; ".join(sorted({clip.licence for clip in clips}))
        return Corpus(name, licence, clips, skipped=frozen(self._skipped))


def files_of(root: Path, builder: CorpusBuilder) -> Iterator[Path]:
    """The files under a folder that are audio by suffix; all others are left out with a reason."""
    for file in discover([str(root)], include=("*",)):
        if file.problem is not None:
            builder.skip(file.path, reason=f"cannot be read ({file.problem.code})")
        elif Path(file.path).suffix.lower() not in AUDIO_SUFFIXES:
            builder.skip(file.path, reason=NO_AUDIO)
        else:
            yield Path(file.path)


def _is_recording(path: Path) -> bool:
    """False for headers without samples and saved error pages, which are the same under any label."""
    try:
        open_audio(str(path)).close()
    except DecodeError:
        return False
    return True
