"""Names of emotions, and which of a corpus' labels stands for which of a model's.

Every loader translates into the names below; `mapping` says, label by label, what a model makes of them, so that no
merge of classes happens silently.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from types import MappingProxyType

from export.errors import ExportError

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
KNOWN = (*LABELS, "calm", "boredom")

# What people call their folders, and classifiers their outputs, lower case.
_OTHER_NAMES = {
    "angry": "anger ang",
    "boredom": "bored",
    "disgust": "disgusted dis",
    "fear": "fearful fea",
    "happy": "happiness joy hap",
    "neutral": "neu",
    "sad": "sadness",
    "surprise": "surprised pleasant_surprise pleasant_surprised ps sur",
}
ALIASES = {name: label for label, names in _OTHER_NAMES.items() for name in names.split()}

# RAVDESS' `calm` is the actors' second baseline; a calm caller is to be called neutral. Boredom has no counterpart.
_MERGED = {"calm": "neutral"}

# Surprise says nothing of valence: astonishment at a bill is not a satisfied customer. GoEmotions (Demszky et al. 2020)
# keeps it apart from positive and negative too.
SENTIMENT = MappingProxyType(
    dict.fromkeys(("angry", "disgust", "fear", "sad", "boredom", "negative"), "negative")
    | dict.fromkeys(("neutral", "surprise", "calm"), "neutral")
    | dict.fromkeys(("happy", "positive"), "positive")
)
SENTIMENTS = ("negative", "neutral", "positive")


def canonical(name: str) -> str:
    """The name used here for what somebody called an emotion; an unknown name only loses its case and spaces.

    >>> canonical("Pleasant surprise"), canonical("Anger"), canonical("frustrated")
    ('surprise', 'angry', 'frustrated')
    """
    composed = unicodedata.normalize("NFC", name.lower())  # file systems may hand out an umlaut as two characters
    plain = "_".join(composed.replace("-", " ").replace("_", " ").split())
    return ALIASES.get(plain, plain)


def mapping(
    found: Collection[str], *, onto: tuple[str, ...], label_map: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str | None]:
    """What each label of some clips counts as among the labels `onto` of a model, sorted; None leaves the clips out.

    `label_map` is label -> label of the model, as the user wants it; an empty one leaves the clips out too.

    Raises:
        ExportError: a label that is neither the model's nor known here, or one in `label_map` that the model lacks.

    >>> mapping({"calm", "angry", "boredom"}, onto=("angry", "neutral"))
    {'angry': 'angry', 'boredom': None, 'calm': 'neutral'}
    >>> mapping({"calm", "angry"}, onto=("negative", "neutral", "positive"))
    {'angry': 'negative', 'calm': 'neutral'}
    """
    for name, wanted in label_map.items():
        if wanted and wanted not in onto:
            raise _unknown(f"--map {name}={wanted}: {wanted!r}", onto)
    return {label: _counterpart(label, onto, label_map) for label in sorted(found)}


def refuse_idle(label_map: Collection[str], *, found: Collection[str]) -> None:
    """Raise an ExportError where a label map names a label that no clip has."""
    if unknown := sorted(set(label_map) - set(found)):
        message = f"--map {', '.join(unknown)}: no clip has this label; the labels are {', '.join(sorted(found))}"
        raise ExportError(message, code="unknown_label")


def _counterpart(label: str, onto: tuple[str, ...], label_map: Mapping[str, str]) -> str | None:
    if label in label_map:
        return label_map[label] or None
    if label in onto:
        return label
    if _MERGED.get(label) in onto:
        return _MERGED[label]
    if set(onto) <= set(SENTIMENTS) and SENTIMENT.get(label) in onto:
        return SENTIMENT[label]
    if label in KNOWN:
        return None
    raise _unknown(f"label {label!r}", onto)


def _unknown(what: str, onto: tuple[str, ...]) -> ExportError:
    advice = "count it as one of them with --map FOUND=LABEL, leave it out with --map FOUND=, or train with --labels"
    return ExportError(f"{what} is none of this model's labels, {', '.join(onto)}; {advice}", code="unknown_label")
