"""What is asked of the default model: on which strangers it is tested, and which clips it may learn from.

Fixed before anything was tuned; `phone_protocol` measures the answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from export.clips import Clip, Corpus
from export.errors import ExportError
from export.labels import LABELS
from export.protocols import Split, speakers_among_others, splits

SEEDS = (1, 2, 3)
FIVE = ("tess", "ravdess", "emodb", "emovo", "nemo")
CONDITIONS = MappingProxyType(
    {
        "clean": "clean, one clip",
        "phone": "phone, one clip",
        "clean, in a call": "clean, in a call",
        "phone, in a call": "phone, in a call",
    }
)
FOUND = (0.5, 0.8)  # shares of the angry clips at which false alarms are counted
CALLS = "calls"  # the piece of real calls


@dataclass(frozen=True, slots=True)
class Question:
    """One question about strangers.

    Attributes:
        name: of its pieces.
        title: for people.
        corpora: what is learnt from and tested.
        labels: of the network.
        split: `speakers` and `corpora` as in `export.protocols`; `among others`: each speaker of the first corpus is
            tested, the other corpora are learnt from too.
        distorted: labels of tested clips are followed through distortions.
    """

    name: str
    title: str
    corpora: tuple[str, ...]
    labels: tuple[str, ...]
    split: Literal["speakers", "corpora", "among others"]
    distorted: bool = False

    def tested(self, fold: str) -> str:
        """The corpus whose clips are tested in a fold."""
        return fold if self.split == "corpora" else self.corpora[0]


QUESTIONS = (
    Question(
        "ravdess",
        "RAVDESS, 8 classes, six folds by actor number modulo 6",
        ("ravdess",),
        tuple(sorted((*LABELS, "calm"))),
        "speakers",
    ),
    Question(
        "emodb",
        "EmoDB, 7 classes, one speaker out",
        ("emodb",),
        ("angry", "boredom", "disgust", "fear", "happy", "neutral", "sad"),
        "speakers",
    ),
    Question("tess", "TESS, the other speaker", ("tess",), LABELS, "speakers"),
    Question("tess-among-others", "TESS, the other speaker, beside four other corpora", FIVE, LABELS, "among others"),
    Question("corpora", "an unseen corpus out of five", FIVE, LABELS, "corpora", distorted=True),
)


def refuse_missing(questions: Sequence[Question], corpora: Mapping[str, Corpus]) -> None:
    """Stop where questions are about corpora that are not there.

    Raises:
        ExportError: all that are missing.
    """
    missing = sorted({name for question in questions for name in question.corpora} - set(corpora))
    if missing:
        message = f"the protocol needs {', '.join(missing)}, found {', '.join(sorted(corpora)) or 'nothing'}"
        raise ExportError(f"{message}; add --data NAME=DIR, or choose tests with --test", code="no_data")


def splits_of(test: Question, clips: Sequence[Clip], *, seed: int) -> list[Split]:
    """The folds of a test."""
    if test.split == "among others":
        return speakers_among_others(clips, corpus=test.corpora[0], seed=seed)
    return splits(clips, protocol=test.split, seed=seed)
