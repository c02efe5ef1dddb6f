"""Any model file on whole corpora, through the very path that sertag uses.

Station of the line: convert -> **evaluate** -> card. Each clip is tagged as one file, by `sertag.pipeline.tag_file`.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from export.corpora import Clip, Corpus
from export.dataset import read_clip
from export.errors import ExportError
from export.metrics import Figures, figures
from export.telephone import RATE_HZ, draw_line, level_dbfs, transmit
from sertag.model import Model
from sertag.pipeline import tag_file
from sertag.records import AudioFile, Options

Report = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one corpus; `unanswered` clips, too short or without speech, count as errors but for the ECE."""

    figures: Figures
    unanswered: int

    def as_dict(self) -> dict[str, object]:
        """Plain objects for JSON."""
        return {**dataclasses.asdict(self.figures), "unanswered": self.unanswered}


def evaluate(
    model: Model, corpora: tuple[Corpus, ...], *, phone: bool, seed: int, report: Report
) -> dict[str, Evaluation]:
    """Tag every clip and measure.

    Args:
        model: loaded.
        corpora: with labels that the model has.
        phone: send each clip over a line of its own first.
        seed: of the lines.
        report: of the progress.

    Returns:
        By corpus.

    Raises:
        ExportError: a corpus has a label that the model does not have.
    """
    for corpus in corpora:
        unknown = sorted({clip.label for clip in corpus.clips} - set(model.spec.labels))
        if unknown:
            message = f"{corpus.name} has {', '.join(unknown)}, the model only {', '.join(model.spec.labels)}"
            raise ExportError(message, code="unknown_label")
    found = {}
    for corpus in corpora:
        probs = []
        for number, clip in enumerate(corpus.clips, start=1):
            probs.append(tag_clip(clip, model=model, phone=phone, rng=np.random.default_rng([seed, number])))
            report(corpus.name, number / len(corpus.clips))
        found[corpus.name] = _evaluation(probs, corpus.clips, labels=model.spec.labels)
    return found


def tag_clip(clip: Clip, *, model: Model, phone: bool, rng: np.random.Generator) -> tuple[float, ...]:
    """Probabilities of one clip, empty where it got no answer."""
    options = Options("mix", (), None, None, 0.0)
    if not phone:
        return tag_file(AudioFile(str(clip.path)), model=model, options=options).channels[0].probs
    samples = read_clip(clip.path, rate_hz=RATE_HZ)
    sent = transmit(samples, line=draw_line(rng), speech_dbfs=level_dbfs(samples), rng=rng)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "call.wav"
        soundfile.write(place, sent, RATE_HZ, subtype="PCM_16")
        return tag_file(AudioFile(str(place)), model=model, options=options).channels[0].probs


def _evaluation(probs: list[tuple[float, ...]], clips: tuple[Clip, ...], *, labels: tuple[str, ...]) -> Evaluation:
    truth = np.array([labels.index(clip.label) for clip in clips])
    rows = np.zeros((len(clips), len(labels)))
    for row, own, right in zip(rows, probs, truth, strict=True):
        # No answer: a wrong one of no confidence.
        row[:] = own or np.eye(len(labels))[(right + 1) % len(labels)] * 1e-9
    return Evaluation(figures(rows, truth, labels=labels), sum(not own for own in probs))
