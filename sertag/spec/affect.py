"""Arousal and valence of common emotion labels: the default for model files that do not define their own.

Arousal runs from 0 (drowsy) to 1 (highly excited), valence from -1 (unpleasant) to 1 (pleasant). The values
follow the circumplex of Russell (1980, J. Personality and Social Psychology 39) in round numbers: they serve to order
calls, and a difference of 0.05 between two labels has no meaning. Standard library only.
"""

from __future__ import annotations

from types import MappingProxyType

AFFECT = MappingProxyType(
    {  # label: (arousal, valence)
        "angry": (0.9, -0.7),
        "happy": (0.75, 0.8),
        "fear": (0.8, -0.6),
        "surprise": (0.8, 0.1),
        "disgust": (0.5, -0.6),
        "sad": (0.2, -0.6),
        "neutral": (0.3, 0.0),
        "calm": (0.15, 0.3),
        "boredom": (0.15, -0.3),
    }
)
_SAME_AS = MappingProxyType(
    {
        "anger": "angry",
        "happiness": "happy",
        "joy": "happy",
        "fearful": "fear",
        "surprised": "surprise",
        "disgusted": "disgust",
        "sadness": "sad",
        "bored": "boredom",
    }
)
_BY_SENTIMENT = MappingProxyType({"positive": (0.5, 0.6), "neutral": (0.5, 0.0), "negative": (0.5, -0.6)})


def default_affect(label: str, sentiment: str) -> tuple[float, float]:
    """Arousal and valence of a label; of its sentiment if the label is unknown.

    >>> default_affect("angry", "negative"), default_affect("complaining", "negative")
    ((0.9, -0.7), (0.5, -0.6))
    """
    return AFFECT.get(_SAME_AS.get(label, label), _BY_SENTIMENT[sentiment])
