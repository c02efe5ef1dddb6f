"""Clips to a model's answers, each clip tagged as one file by `sertag.tagging.pipeline.tag_file`.

Used by `evaluate`. A clip's answer depends on the clip, the model and the seed alone, not on the other clips, their
order or the workers, so figures on a part of a corpus agree with figures on the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from joblib import Parallel, delayed

from export.audio.clip_file import WHOLE_CLIP, clip_file, read_clip
from export.audio.codecs import LINE_HZ
from export.audio.telephone import over_a_line
from export.corpora.clips import Clip
from export.errors import ExportError
from sertag.model.session import Model, load
from sertag.records import FAILURES, AudioFile
from sertag.tagging.pipeline import tag_file

_CHUNK_CLIPS = 64  # of one task of a worker, which loads the model anew for each


@dataclass(frozen=True, slots=True)
class Line:
    """What every clip goes through first: a telephone line of its own drawn by `seed`, if `phone`, or nothing."""

    phone: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of a clip.

    Attributes:
        probs: of each label; empty where it got no answer.
        problem: why nothing can be heard of it; empty where something can.
    """

    probs: tuple[float, ...] = ()
    problem: str = ""


def tag_clips(clips: Sequence[Clip], *, model: Model, line: Line, jobs: int) -> Iterator[Answer]:
    """What a model says of many clips.

    Args:
        clips: any number of them.
        model: loaded from a file; workers load the same file again.
        line: what they go through first.
        jobs: worker processes; with 1 the work is done in this process.

    Yields:
        One answer a clip, in their order.
    """
    if jobs == 1:
        yield from (tag_clip(clip, model=model, line=line) for clip in clips)
        return
    size = max(1, min(_CHUNK_CLIPS, len(clips) // (2 * jobs)))
    chunks = [clips[first : first + size] for first in range(0, len(clips), size)]
    work = (delayed(_tag_chunk)(chunk, model.path, line) for chunk in chunks)
    for answers in Parallel(n_jobs=jobs, return_as="generator")(work):
        yield from answers


def tag_clip(clip: Clip, *, model: Model, line: Line) -> Answer:
    """What a model says of one clip.

    Args:
        clip: a recording; its label is not looked at.
        model: loaded.
        line: what it goes through first.
    """
    if not line.phone:
        return _tag(clip.path, model=model)
    try:
        samples = read_clip(clip.path, rate_hz=LINE_HZ)
    except ExportError as error:
        return Answer(problem=str(error))
    sent = over_a_line(samples, digest=clip.digest, seed=line.seed)
    with clip_file(sent, rate_hz=LINE_HZ, subtype="PCM_16") as place:
        answer = _tag(place, model=model)
    return Answer(answer.probs, answer.problem and f"{clip.path}, over a line: {answer.problem}")


def _tag_chunk(clips: Sequence[Clip], model_path: str, line: Line) -> list[Answer]:
    """The work of one task; a session cannot travel to another process, so the model is loaded there."""
    model = load(model_path)
    return [tag_clip(clip, model=model, line=line) for clip in clips]


def _tag(place: Path, *, model: Model) -> Answer:
    channel = tag_file(AudioFile(str(place)), model=model, options=WHOLE_CLIP).channels[0]
    if channel.status in FAILURES and channel.problem is not None:
        return Answer(problem=channel.problem.message)
    return Answer(channel.probs)
