"""Small corpora for tests of training: invented speakers, named as official corpora or as folders of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from export.corpora.clips import Clip
from export.corpora.loading import find_corpora
from tests.conftest import RATE_HZ, speech_like

_MANIFEST_HEAD = "path,corpus,speaker,emotion,license,source,kind"
EMOVO_CODES = ("rab", "gio", "neu", "tri")  # angry, happy, neutral, sad


def make_files(root: Path, *names: str) -> Path:
    """Files of these names, each with other bytes; none is audio."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"recording {number}".encode())
    return root


def write_clip(place: Path, *, seed: int, seconds: float = 2.0) -> Path:
    """Something like speech, another voice for every seed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(place, speech_like(seconds, seed=seed), RATE_HZ, subtype="PCM_16")
    return place


def emovo(
    root: Path, *, speakers: Sequence[str] = ("f1", "f2", "m1"), codes: Sequence[str] = EMOVO_CODES, each: int = 1
) -> Path:
    """A folder in EMOVO's layout with `each` clips a speaker and emotion."""
    names = [(speaker, code, number) for speaker in speakers for code in codes for number in range(each)]
    for seed, (speaker, code, number) in enumerate(names):
        write_clip(root / speaker / f"{code}-{speaker}-b{number}.wav", seed=seed, seconds=1.5 + seed % 3)
    return root


def tess(root: Path, *, labels: Sequence[str] = ("angry", "happy", "neutral", "sad"), words: int = 2) -> Path:
    """A folder in TESS' layout: its two speakers, `words` clips of each and emotion."""
    names = [
        (speaker, f"w{'abcdefgh'[word]}", label)
        for speaker in ("OAF", "YAF")
        for word in range(words)
        for label in labels
    ]
    for seed, (speaker, word, label) in enumerate(names):
        write_clip(root / f"{speaker}_{label}" / f"{speaker}_{word}_{label}.wav", seed=100 + seed)
    return root


def own(root: Path, *, labels: Sequence[str], speakers: Sequence[str] = ("ann", "bob", "cem"), each: int = 1) -> Path:
    """A folder a label, and in it one a speaker, or none where the only name is empty."""
    names = [(label, speaker, number) for label in labels for speaker in speakers for number in range(each)]
    for seed, (label, speaker, number) in enumerate(names):
        write_clip(root / label / speaker / f"{label}-{speaker}-{number}.wav", seed=200 + seed)
    return root


def ordinary(root: Path, *, count: int, seconds: float) -> Path:
    """A folder of ordinary speech: `count` speakers, of two sources by turns."""
    rows = [_MANIFEST_HEAD]
    for number in range(count):
        write_clip(root / f"{number}.wav", seed=50 + number, seconds=seconds)
        rows.append(f"{number}.wav,ordinary,s{number},neutral,MIT,source{number % 2},read")
    (root / "manifest.csv").write_text("\n".join(rows))
    return root


def no_speech(root: Path, *, count: int, seconds: float) -> Path:
    """A folder of hiss that swells, of two sources by turns."""
    root.mkdir(parents=True)
    rows = [_MANIFEST_HEAD]
    for number in range(count):
        hiss = 0.1 * np.random.default_rng(number).standard_normal(round(seconds * RATE_HZ))
        soundfile.write(root / f"{number}.wav", hiss * (1 + np.sin(np.arange(len(hiss)) / 400)), RATE_HZ)
        rows.append(f"{number}.wav,no_speech,n{number},no_speech,CC0,hiss{number % 2},no_speech")
    (root / "manifest.csv").write_text("\n".join(rows))
    return root


def clips_of(place: str) -> tuple[Clip, ...]:
    """The clips of one place as the command line names it."""
    (corpus,) = find_corpora([place])
    return corpus.clips
