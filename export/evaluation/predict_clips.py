"""Clips to a model's answers, each clip tagged as one file by sertag itself.

Used by `evaluate`. A clip's answer depends on the clip, the model and the seed alone, not on the other clips, their
order or the workers, so figures on a part of a corpus agree with figures on the whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from export.audio.clip_file import WHOLE_CLIP, read_clip
from export.audio.codecs import LINE_HZ
from export.audio.telephone import over_a_line
from export.corpora.clips import Clip
from export.errors import ExportError
from sertag.model.session import Model
from sertag.parallel.engine import tag_all
from sertag.records import FAILURES, AudioFile, Problem


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of a clip.

    Attributes:
        probs: of each label; empty where it got no answer.
        problem: why nothing can be heard of it; empty where something can.
    """

    probs: tuple[float, ...] = ()
    problem: str = ""


def tag_clips(clips: Sequence[Clip], *, model: Model, phone: bool, seed: int, jobs: int) -> Iterator[Answer]:
    """What a model says of many clips.

    Args:
        clips: any number of them; their labels are not looked at.
        model: loaded from a file; workers load the same file again.
        phone: send each clip over a telephone line of its own first.
        seed: of the lines.
        jobs: worker processes.

    Yields:
        One answer a clip, in their order.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = (
            _over_a_line(clip, Path(folder) / f"{number}.wav", seed=seed) if phone else AudioFile(str(clip.path))
            for number, clip in enumerate(clips)
        )
        for number, result in enumerate(tag_all(files, model=model, options=WHOLE_CLIP, jobs=jobs)):
            (Path(folder) / f"{number}.wav").unlink(missing_ok=True)
            channel = result.channels[0]
            failed = channel.problem if channel.status in FAILURES else None
            yield Answer(channel.probs) if failed is None else Answer(problem=failed.message)


def _over_a_line(clip: Clip, place: Path, *, seed: int) -> AudioFile:
    """A file of the clip as it comes out of a line."""
    try:
        samples = read_clip(clip.path, rate_hz=LINE_HZ)
    except ExportError as error:
        return AudioFile(str(clip.path), problem=Problem(error.code, str(error)))
    sent = over_a_line(samples, digest=clip.digest, seed=seed)
    soundfile.write(place, sent, LINE_HZ, subtype="PCM_16")
    return AudioFile(str(place))
