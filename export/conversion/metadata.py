"""What a model file says of itself besides its features: name, corpora, licences, versions of libraries."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from export.corpora.clips import Corpus
from export.corpora.layouts import LAYOUTS

LICENCE = "CC BY-NC-SA 4.0: trained on recordings that are free for non-commercial use only"
OPEN_LICENCE = "commercial use allowed, with attribution: so say the licences of all recordings it was trained on"
ENCODER_NOTICE = "encoder layers of Whisper base: MIT licence, Copyright (c) 2022 OpenAI"
LIBRARIES = ("numpy", "scipy", "soxr", "tensorflow-cpu", "keras", "tf2onnx", "onnx", "onnxruntime")


def licences(corpora: Sequence[Corpus]) -> str:
    """Name and licence of each corpus."""
    return "; ".join(f"{corpus.name}: {corpus.licence}" for corpus in corpora)


def corpora_facts(corpora: Sequence[Corpus]) -> list[dict[str, object]]:
    """Name, licence, size and what was left out of each corpus."""
    return [
        {
            "name": corpus.name,
            "licence": corpus.licence,
            "clips": len(corpus.clips),
            "speakers": len({clip.speaker for clip in corpus.clips}),
            "skipped": _skipped(corpus),
        }
        for corpus in corpora
    ]


def _skipped(corpus: Corpus) -> dict[str, int | list[str]]:
    """Reason -> how many clips were left out; known mistakes of a published corpus by name, others are the user's."""
    known = set(LAYOUTS[corpus.name].oddities.values()) if corpus.name in LAYOUTS else set()
    return {
        reason: [Path(name).stem for name in names] if reason in known else len(names)
        for reason, names in corpus.skipped.items()
    }


def versions() -> dict[str, str]:
    """Installed versions of what decides figures."""
    installed = {"python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            installed[name] = version(name)
        except ModuleNotFoundError:  # `tensorflow` stands in for `tensorflow-cpu` on some machines
            continue
    return installed
