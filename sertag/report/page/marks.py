"""Colour, hatching and letter of each emotion and status, so that none is distinguished by colour alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sertag.records import Sentiment, Status

# Hatches, as paths on a tile of 8 by 8; the colours are variables in report.css, of the same name or of `COLOURS`.
STYLES = {
    "neg0": "M-2,2l4,-4M0,8l8,-8M6,10l4,-4",
    "neg1": "M-2,6l4,4M0,0l8,8M6,-2l4,4",
    "neg2": "M0,8l8,-8M0,0l8,8",
    "neg3": "M2,0v8M6,0v8",
    "neu0": "",
    "neu1": "M4,0v8",
    "neu2": "M4,0v8M0,4h8",
    "pos0": "M0,4h8",
    "pos1": "M0,2h8M0,6h8",
    "pos2": "M1,4h3M5,0h3M5,8h3",
    "unsure": "M2,2h1M6,6h1",
    "nothing": "M4,4h1",
    "failed": "M0,8l8,-8M0,0l8,8",
}
COLOURS = {"unsure": "track", "nothing": "track", "failed": "soft"}
_FAMILIES = {Sentiment.NEGATIVE: ("neg", 4), Sentiment.NEUTRAL: ("neu", 3), Sentiment.POSITIVE: ("pos", 3)}

STATUS_STYLES = {
    Status.OK: "neu1",
    Status.UNCERTAIN: "unsure",
    Status.NO_SPEECH: "nothing",
    Status.TOO_SHORT: "nothing",
    Status.UNREADABLE: "failed",
    Status.FAILED: "failed",
}
STATUS_WORDS = {
    Status.OK: "has an emotion",
    Status.UNCERTAIN: "not sure enough to name an emotion",
    Status.NO_SPEECH: "nobody speaks, or only music, noise or tones",
    Status.TOO_SHORT: "too little speech to judge",
    Status.UNREADABLE: "cannot be read as audio",
    Status.FAILED: "could not be processed",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """The appearance of one emotion.

    Attributes:
        label: label of the model.
        sentiment: `positive`, `neutral`, `negative`, or empty if unknown.
        style: a key of `STYLES`.
        letter: one or two letters, unique among the labels.
    """

    label: str
    sentiment: str
    style: str
    letter: str


def marks(labels: Sequence[str], sentiments: Mapping[str, str]) -> list[Mark]:
    """The appearance of all emotions, in the order of the labels.

    >>> [(mark.style, mark.letter) for mark in marks(["angry", "sad", "surprise"], {"angry": "negative"})]
    [('neg0', 'A'), ('neu0', 'S'), ('neu1', 'Su')]
    """
    made: list[Mark] = []
    used: Counter[str] = Counter()
    for label in labels:
        sentiment = sentiments.get(label, "")
        family, count = _FAMILIES[Sentiment(sentiment or "neutral")]
        letter = label[:1].upper()
        if letter in {mark.letter for mark in made}:
            letter = label[:2].capitalize()
        made.append(Mark(label, sentiment, f"{family}{used[family] % count}", letter))
        used[family] += 1
    return made
