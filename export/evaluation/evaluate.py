"""Any model file on whole corpora, through the very path that sertag uses.

What each label of a corpus counts as is decided first, and clips that the model was trained on are refused, before any
clip is tagged. A clip's answer depends on the clip, the model and the seed alone, not on the other clips, their order
or the workers, so figures on a part of a corpus agree with figures on the whole.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from export.audio.clip_file import WHOLE_CLIP, read_clip, write_clip
from export.audio.codecs import LINE_HZ
from export.audio.telephone import over_a_line
from export.conversion.provenance import read_trained_on
from export.corpora.clips import Clip, Corpus, described
from export.corpora.labels import SENTIMENTS, mapping, refuse_idle
from export.errors import ExportError
from export.evaluation.metrics import Figures, calibration_error, figures, sentiment_uar
from export.progress import Report
from sertag.model.session import Model
from sertag.parallel.engine import tag_all
from sertag.records import FAILURES, AudioFile, Problem
from sertag.spec import ModelSpec

# Whether clips of the corpus were trained on; files that do not say it leave it unknown.
Overlap = Literal["none", "seen in training", "unknown"]
_OVERLAPS: Mapping[Overlap, str] = {
    "none": "",
    "seen in training": "the model was trained on some of these clips: on others it does worse than this",
    "unknown": "the model file does not say what it was trained on, so it may have been these very clips",
}
_NAMED = 5  # clips in a note; all of them are in the JSON


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of a clip.

    Attributes:
        probs: of each label; empty where it got no answer.
        problem: why nothing can be heard of it; empty where something can.
    """

    probs: tuple[float, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one corpus, and what they are about.

    Attributes:
        figures: over all clips that were decoded; `recall` and its likes by the model's labels.
        sentiment_uar: UAR of the sentiment that rows have, for models of more labels than three; else None.
        unanswered: clips too short or without speech; they count as errors, but not in the ECE.
        undecodable: clips that are left out because nothing can be heard of them: file and reason.
        skipped: reason -> files of the corpus that its loader left out, known mistakes among them.
        counts_as: label of the corpus -> label of the model, where there is one.
        left_out: clips by label of the corpus that has no counterpart in the model.
        missing: labels of the model that no clip has; predicting one is always an error.
        overlap: whether the model was trained on clips of the corpus.
    """

    figures: Figures
    sentiment_uar: float | None
    unanswered: int
    undecodable: tuple[str, ...]
    skipped: Mapping[str, tuple[str, ...]]
    counts_as: Mapping[str, str]
    left_out: Mapping[str, int]
    missing: tuple[str, ...]
    overlap: Overlap

    def notes(self) -> list[str]:
        """What a reader of the figures has to know, a sentence each; empty where nothing was decided for them.

        >>> from export.evaluation.metrics import figures
        >>> own = figures(np.eye(2), np.array([0, 1]), labels=("neutral", "sad"))
        >>> Evaluation(own, None, 0, (), {}, {"calm": "neutral", "sad": "sad"}, {"boredom": 81}, (), "none").notes()
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
        return notes + ([_OVERLAPS[self.overlap]] if self.overlap != "none" else [])

    def as_dict(self) -> dict[str, object]:
        """Plain objects for JSON: the figures, then the rest."""
        rest = [item.name for item in dataclasses.fields(self) if item.name != "figures"]
        plain = {name: getattr(self, name) for name in rest}
        return {
            **dataclasses.asdict(self.figures),
            **{name: dict(value) if isinstance(value, Mapping) else value for name, value in plain.items()},
        }


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
    """Tag every clip and measure.

    Args:
        model: loaded from a file.
        corpora: with their own labels.
        phone: send each clip over a line of its own first.
        seed: of the lines.
        report: of the progress.
        jobs: worker processes.
        label_map: label of a corpus -> label of the model that it counts as, see
            `export.corpora.labels.mapping`.
        allow_seen: measure on clips that the model was trained on, too; figures are marked.

    Returns:
        By corpus.

    Raises:
        ExportError: a label that neither the model nor anybody knows; a corpus of which no clip is left; a clip that
            the model was trained on.
    """
    refuse_idle(label_map, found={clip.label for corpus in corpora for clip in corpus.clips})
    counterparts = {corpus.name: _counts_as(corpus, model.spec.labels, label_map) for corpus in corpora}
    asked = {
        corpus.name: [
            dataclasses.replace(clip, label=label)
            for clip in corpus.clips
            if (label := counterparts[corpus.name].get(clip.label))
        ]
        for corpus in corpora
    }
    trained_on = read_trained_on(model.path)
    seen = {name: [clip for clip in clips if clip.digest in (trained_on or ())] for name, clips in asked.items()}
    if not allow_seen:
        _refuse_seen(seen, asked, path=model.path)
    found = {}
    for corpus in corpora:
        clips, counts_as = asked[corpus.name], counterparts[corpus.name]
        answers: list[Answer] = []
        for answer in tag_clips(clips, model=model, phone=phone, seed=seed, jobs=jobs):
            answers.append(answer)
            report(corpus.name, len(answers) / len(clips))
        found[corpus.name] = Evaluation(
            **_measured(corpus.name, clips, answers, spec=model.spec),
            skipped=corpus.skipped,
            counts_as=counts_as,
            left_out=dict(Counter(sorted(clip.label for clip in corpus.clips if clip.label not in counts_as))),
            missing=tuple(label for label in model.spec.labels if label not in counts_as.values()),
            overlap="unknown" if trained_on is None else "seen in training" if seen[corpus.name] else "none",
        )
    return found


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


def _counts_as(corpus: Corpus, labels: tuple[str, ...], label_map: Mapping[str, str]) -> dict[str, str]:
    """Label of the corpus -> label of the model, where there is one.

    Raises:
        ExportError: an unknown label, or no clip is left.
    """
    decided = mapping({clip.label for clip in corpus.clips}, onto=labels, label_map=label_map)
    counts_as = {label: counterpart for label, counterpart in decided.items() if counterpart is not None}
    if not counts_as:
        found = f"{corpus.name} has {', '.join(sorted(decided))}, the model only {', '.join(labels)}"
        raise ExportError(f"{found}; say what counts as what with --map FOUND=LABEL", code="unknown_label")
    return counts_as


def _refuse_seen(seen: Mapping[str, list[Clip]], asked: Mapping[str, list[Clip]], *, path: str) -> None:
    paths = [str(clip.path) for clips in seen.values() for clip in clips]
    if paths:
        examples = ", ".join(paths[:3]) + (", …" if len(paths) > 3 else "")
        found = f"{path}: was trained on {len(paths)} of these {sum(map(len, asked.values()))} clips ({examples})"
        advice = "measure it on others, or give --allow-seen, which marks the figures as seen in training"
        raise ExportError(f"{found}, so figures on them say nothing about what it can do; {advice}", code="seen")


def _measured(name: str, clips: Sequence[Clip], answers: Sequence[Answer], *, spec: ModelSpec) -> dict[str, Any]:
    """Figures of the clips that could be decoded; one without an answer counts as an error, but not in the ECE."""
    decoded = [(clip, answer) for clip, answer in zip(clips, answers, strict=True) if not answer.problem]
    undecodable = tuple(answer.problem for answer in answers if answer.problem)
    if not decoded:
        message = f"{name}: none of {len(answers)} clips can be decoded; the first one: {undecodable[0]}"
        raise ExportError(message, code="no_data")
    truth = np.array([spec.labels.index(clip.label) for clip, _ in decoded])
    answered = np.array([bool(answer.probs) for _, answer in decoded])
    wrong = np.eye(len(spec.labels))[(truth + 1) % len(spec.labels)]  # in the place of no answer
    probs = np.array([answer.probs or wrong[index] for index, (_, answer) in enumerate(decoded)], dtype=np.float64)
    ece = calibration_error(probs, truth, weights=answered.astype(np.float64)) if answered.any() else 0.0
    sentiments = [spec.sentiment[label] for label in spec.labels]
    finer = len(spec.labels) > len(SENTIMENTS)  # or the sentiment is the label, and its UAR no other figure
    return {
        "figures": dataclasses.replace(figures(probs, truth, labels=spec.labels), ece=ece),
        "sentiment_uar": sentiment_uar(probs, truth, answered, sentiments=sentiments) if finer else None,
        "unanswered": int((~answered).sum()),
        "undecodable": undecodable,
    }


def _over_a_line(clip: Clip, place: Path, *, seed: int) -> AudioFile:
    """A file of the clip as it comes out of a line."""
    try:
        samples = read_clip(clip.path, rate_hz=LINE_HZ)
    except ExportError as error:
        return AudioFile(str(clip.path), problem=Problem(error.code, str(error)))
    sent = over_a_line(samples, digest=clip.digest, seed=seed)
    write_clip(place, sent, rate_hz=LINE_HZ, subtype="PCM_16")
    return AudioFile(str(place))
