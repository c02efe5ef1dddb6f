"""Any model file on whole corpora, through the very path that sertag uses.

A clip's answer depends on the clip, the model and the seed alone, not on the other clips, their order or the workers.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import soundfile

from export.audio.clip_file import WHOLE_CLIP, read_clip
from export.audio.telephone import LINE_HZ, over_a_line
from export.conversion.provenance import TrainedOn, read_trained_on
from export.corpora.clips import Clip, Corpus, described
from export.corpora.labels import SENTIMENTS, mapping, refuse_idle
from export.errors import ExportError
from export.evaluation.metrics import Figures, figures, sentiment_uar
from export.progress import Report
from sertag.model.session import Model
from sertag.parallel.engine import tag_all
from sertag.records import FAILURES, AudioFile, Problem
from sertag.spec import ModelSpec

_OVERLAPS = {
    "none": "",
    "seen in training": "the model was trained on some of these clips: on others it does worse than this",
    "unknown": "the model file does not say what it was trained on, so it may have been these very clips",
}
_NAMED = 5  # clips in a note; all of them are in the JSON


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of a clip."""

    probs: tuple[float, ...] = ()  # of each label; empty where it got no answer
    problem: str = ""  # why nothing can be heard of it


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one corpus, and what they are about."""

    figures: Figures  # over all clips that were decoded, by the model's labels
    sentiment_uar: float | None  # of the sentiment that rows have, for models of more labels than three
    undecodable: tuple[str, ...]  # clips that are left out because nothing can be heard of them: file and reason
    skipped: Mapping[str, tuple[str, ...]]  # reason -> files that the loader left out, known mistakes among them
    counts_as: Mapping[str, str]  # label of the corpus -> label of the model, where there is one
    left_out: Mapping[str, int]  # clips by label of the corpus that has no counterpart in the model
    missing: tuple[str, ...]  # labels of the model that no clip has; predicting one is always an error
    overlap: str  # one of `_OVERLAPS`: whether the model was trained on clips of the corpus

    def notes(self) -> list[str]:
        """What a reader of the figures has to know, a sentence each; empty where nothing was decided for them.

        >>> from export.evaluation.metrics import figures
        >>> own = figures(np.eye(2), np.array([0, 1]), labels=("neutral", "sad"))
        >>> Evaluation(own, None, (), {}, {"calm": "neutral", "sad": "sad"}, {"boredom": 81}, (), "none").notes()
        ['calm counts as neutral', 'left out, as none of the labels of the model: 81 boredom']
        """
        notes = [f"{found} counts as {label}" for found, label in self.counts_as.items() if found != label]
        if self.left_out:
            counts = ", ".join(f"{count} {label}" for label, count in self.left_out.items())
            notes.append(f"left out, as none of the labels of the model: {counts}")
        if self.skipped:
            notes.append(f"left out of the corpus: {described(self.skipped)}")
        if self.missing:
            notes.append(f"labels of the model that no clip has: {', '.join(self.missing)}")
        if self.undecodable:
            more = f"; and {len(self.undecodable) - _NAMED} more" if len(self.undecodable) > _NAMED else ""
            named = "; ".join(self.undecodable[:_NAMED])
            notes.append(f"left out, as nothing can be heard of them: {len(self.undecodable)} ({named}{more})")
        return [*notes, *filter(None, [_OVERLAPS[self.overlap]])]

    def as_dict(self) -> dict[str, object]:
        """Plain objects for JSON: the figures, then the rest."""
        rest = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "figures"}
        plain = {name: dict(value) if isinstance(value, Mapping) else value for name, value in rest.items()}
        return {**dataclasses.asdict(self.figures), **plain}


def evaluate(
    model: Model,
    corpora: Sequence[Corpus],
    *,
    phone: bool,
    seed: int,
    report: Report,
    jobs: int = 1,
    label_map: Mapping[str, str] = MappingProxyType({}),
    allow_seen: bool = False,
) -> dict[str, Evaluation]:
    """Tag every clip and measure, corpus by corpus.

    Args:
        model: loaded from a file.
        corpora: with their own labels.
        phone: send each clip over a line of its own first.
        seed: of the lines.
        report: of the progress.
        jobs: worker processes.
        label_map: label of a corpus -> label of the model that it counts as, see `export.corpora.labels.mapping`.
        allow_seen: measure on clips that the model was trained on, too; figures are marked.

    Raises:
        ExportError: a label that nobody knows; a corpus of which no clip is left; a clip that the model has learnt.
    """
    refuse_idle(label_map, found={clip.label for corpus in corpora for clip in corpus.clips})
    trained_on = read_trained_on(model.path)
    asked = []
    for corpus in corpora:
        counts_as = _counts_as(corpus, model.spec.labels, label_map)
        clips = [dataclasses.replace(c, label=counts_as[c.label]) for c in corpus.clips if c.label in counts_as]
        asked.append((corpus, counts_as, clips))
    if not allow_seen:
        _refuse_seen([clip for *_, clips in asked for clip in clips], trained_on, path=model.path)
    found = {}
    for corpus, counts_as, clips in asked:
        answers: list[Answer] = []
        for answer in tag_clips(clips, model=model, phone=phone, seed=seed, jobs=jobs):
            answers.append(answer)
            report(corpus.name, len(answers) / len(clips))
        found[corpus.name] = _measured(corpus, counts_as, clips, answers, spec=model.spec, trained_on=trained_on)
    return found


def tag_clips(clips: Sequence[Clip], *, model: Model, phone: bool, seed: int, jobs: int) -> Iterator[Answer]:
    """What a model says of many clips, one after the other; workers load the model from its file again."""
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


def _counts_as(corpus: Corpus, labels: tuple[str, ...], label_map: Mapping[str, str]) -> dict[str, str]:
    """Label of the corpus -> label of the model, where there is one."""
    decided = mapping({clip.label for clip in corpus.clips}, onto=labels, label_map=label_map)
    counts_as = {label: counterpart for label, counterpart in decided.items() if counterpart is not None}
    if not counts_as:
        found = f"{corpus.name} has {', '.join(sorted(decided))}, the model only {', '.join(labels)}"
        raise ExportError(f"{found}; say what counts as what with --map FOUND=LABEL", code="unknown_label")
    return counts_as


def _refuse_seen(clips: Sequence[Clip], trained_on: TrainedOn | None, *, path: str) -> None:
    paths = [str(clip.path) for clip in clips if trained_on is not None and clip.digest in trained_on]
    if paths:
        examples = ", ".join(paths[:3]) + (", …" if len(paths) > 3 else "")
        found = f"{path}: was trained on {len(paths)} of these {len(clips)} clips ({examples})"
        advice = "measure it on others, or give --allow-seen, which marks the figures as seen in training"
        raise ExportError(f"{found}, so figures on them say nothing about what it can do; {advice}", code="seen")


def _measured(
    corpus: Corpus,
    counts_as: Mapping[str, str],
    clips: Sequence[Clip],
    answers: Sequence[Answer],
    *,
    spec: ModelSpec,
    trained_on: TrainedOn | None,
) -> Evaluation:
    decoded = [(clip, answer) for clip, answer in zip(clips, answers, strict=True) if not answer.problem]
    undecodable = tuple(answer.problem for answer in answers if answer.problem)
    if not decoded:
        message = f"{corpus.name}: none of {len(answers)} clips can be decoded; the first one: {undecodable[0]}"
        raise ExportError(message, code="no_data")
    truth = np.array([spec.labels.index(clip.label) for clip, _ in decoded])
    answered = np.array([bool(answer.probs) for _, answer in decoded])
    probs = np.array([answer.probs or [0.0] * len(spec.labels) for _, answer in decoded])
    sentiments = [spec.sentiment[label] for label in spec.labels]
    finer = len(spec.labels) > len(SENTIMENTS)  # or the sentiment is the label, and its UAR no other figure
    seen = trained_on is not None and any(clip.digest in trained_on for clip in clips)
    return Evaluation(
        figures=figures(probs, truth, labels=spec.labels, answered=answered),
        sentiment_uar=sentiment_uar(probs, truth, answered, sentiments=sentiments) if finer else None,
        undecodable=undecodable,
        skipped=corpus.skipped,
        counts_as=counts_as,
        left_out=dict(Counter(sorted(clip.label for clip in corpus.clips if clip.label not in counts_as))),
        missing=tuple(label for label in spec.labels if label not in counts_as.values()),
        overlap="unknown" if trained_on is None else "seen in training" if seen else "none",
    )


def _over_a_line(clip: Clip, place: Path, *, seed: int) -> AudioFile:
    """A file of the clip as it comes out of a line."""
    try:
        samples = read_clip(clip.path, rate_hz=LINE_HZ)
    except ExportError as error:
        return AudioFile(str(clip.path), problem=Problem(error.code, str(error)))
    sent = over_a_line(samples, digest=clip.digest, seed=seed)
    soundfile.write(place, sent, LINE_HZ, subtype="PCM_16")
    return AudioFile(str(place))
