"""What the model card says against its model, and what the law says: derived from what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from export.card.markdown import bullets
from sertag.spec import ModelSpec

# Corpora whose speech is known to be acted or elicited, and read from a script; the languages they are in.
_ACTED = MappingProxyType(
    {
        "tess": "English",
        "ravdess": "English",
        "crema_d": "English",
        "savee": "English",
        "emodb": "German",
        "emovo": "Italian",
        "nemo": "Polish",
    }
)
_UNACTED = "ordinary"
_RESTRICTED = ("NC", "non-commercial", "research")  # in the licence of a corpus


def limits(spec: ModelSpec) -> str:
    """Where the figures end to hold, as a section in Markdown.

    Args:
        spec: from the model file.
    """
    training = spec.training
    names = [corpus["name"] for corpus in training.get("corpora", ())]
    items = [*_speech(names), _others(names, training)]
    if spec.features.by_channel:
        items.append(
            "A call of one single mood gives the channel's statistics nothing to compare with: somebody who is angry "
            "from the first word to the last is harder to tell than somebody who becomes angry."
        )
    elif spec.features.framing == "clip" and "recipe" in training:
        items.append(
            "It learnt from the first window of each clip, where a sentence begins. Windows out of the middle of a "
            "call look otherwise."
        )
    if training.get("share_through_telephone"):
        items.append(
            "Two people in one channel, music, and noise less than 8 dB under the speech were not in the training."
        )
    elif "recipe" in training:
        items.append("Telephone lines, two people in one channel and music were not in the training.")
    return "\n## Limits\n\n" + bullets(items)


def lawful_use(spec: ModelSpec) -> str:
    """What the licences and the European Union's AI Act say, as a section in Markdown.

    Args:
        spec: from the model file.
    """
    licences = [str(corpus["licence"]) for corpus in spec.training.get("corpora", ())]
    return "\n## Lawful use\n\n" + bullets([*_licences(licences), *_LAW])


def _speech(names: Sequence[str]) -> list[str]:
    """Of which kind the training speech is, as far as that is known."""
    languages = list(dict.fromkeys(_ACTED[name] for name in names if name in _ACTED))
    unknown = [name for name in names if name not in _ACTED and name != _UNACTED]
    acted = "All training speech" if set(names) <= set(_ACTED) else "The speech of the published corpora"
    told = []
    if languages:
        told.append(
            f"{acted} is acted or elicited, read from a script, in {_listed(languages)}. People on the phone rarely "
            "act. The figures above compare models; they do not predict figures on real calls."
        )
    if _UNACTED in names:
        told.append(f"The speech of `{_UNACTED}` was not acted: callers, read sentences, commands and prompts.")
    if unknown or not names:
        where = f"is in {_listed(unknown)}" if unknown else "the model was trained on"
        told.append(f"This file does not say what kind of speech {where}, nor in which language.")
    return told


def _others(names: Sequence[str], training: Mapping[str, Any]) -> str:
    worse = (
        "Other languages, ages, accents, rooms and sentences will do worse, and the confidence, which was calibrated "
        "on these recordings, will then be too high."
    )
    if training.get("folds_by") == "corpus":
        return (
            "Every corpus was scored by a network that had heard nothing of it, so the figures and the confidence are "
            "those for other people, sentences and microphones. They are not those for real calls, which are none of "
            "these corpora's kind: people there do not act. On them figures will be worse, and the confidence too high."
        )
    if names and set(names) <= set(_ACTED) and training.get("protocol") != "corpora":
        known = "Each corpus has one set of sentences, and every test speaker speaks the sentences that the training "
        return f"{known}speakers spoke. {worse}"
    return worse


def _licences(licences: Sequence[str]) -> list[str]:
    told = []
    if any(word in licence for licence in licences for word in _RESTRICTED):
        told.append(
            "The weights inherit non-commercial licences from their training data. Commercial use needs a model that "
            "was trained on recordings which allow it; `--model` takes any."
        )
    elif licences:
        told.append("The weights were made from recordings under the licences above; keep to them.")
    if not licences or "not stated" in licences:
        told.append(
            "This file does not state the licence of all training recordings. Find out before you rely on the weights."
        )
    return told


_LAW = (
    "In the European Union, Article 5(1)(f) of the AI Act (Regulation (EU) 2024/1689) prohibits inferring the emotions "
    "of people at their place of work and in education, medical and safety reasons apart. Do not score your agents: "
    "use `--only-role customer`. Other emotion recognition is a high-risk use, and people have to be told "
    "(Article 50).",
    "A tag is a guess about the sound of a voice, not knowledge of what somebody feels. Do not decide about a person "
    "on it.",
)


def _listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them.

    >>> _listed(["English", "German", "Polish"])
    'English, German and Polish'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
