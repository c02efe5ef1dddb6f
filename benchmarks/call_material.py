"""Calls that `benchmarks.speed.tag` tags: two speakers who take turns on two channels, 8 kHz µ-law WAV.

The words come from the corpora of SERTAG_DATA where they are, else from `examples/calls`. Each channel speaks for about
45 % of the time, gaps between turns have their mode at 0.2 s and some are negative (Levinson and Torreira 2015), the
line has noise at -62 dBFS. Audio is float32 in [-1, 1]; every generator of random numbers is an argument.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from benchmarks.speech_signals import at_level, band
from sertag.features.mfcc import clip_features
from sertag.features.vad import detect
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

RATE_HZ = 8000
CALL_S = 300.0
_SPEAKERS, _CLIPS = 16, 12
_NOISE_DBFS = -62.0
_SPEC = FeatureSpec(kind="log_mel", floor_power=1e-9)

Voice = Sequence[FloatArray]  # what one speaker says: utterances (n,) at 8 kHz


def data_folder() -> Path:
    """The folder of recordings, whether it is there or not."""
    return Path(os.environ.get("SERTAG_DATA", Path(__file__).parents[2] / "shared" / "data"))


def voices(*, rng: np.random.Generator) -> tuple[str, list[Voice]]:
    """Speakers and what they say, with a word on where they come from."""
    manifest = data_folder() / "manifest.csv"
    if manifest.is_file():
        return "acted corpora", _corpus_voices(manifest, rng)
    return "example calls", _example_voices(Path(__file__).parents[1] / "examples" / "calls")


def write_calls(folder: Path, speakers: Sequence[Voice], *, hours: float, rng: np.random.Generator) -> list[Path]:
    """Write stereo calls of 5 minutes, at least two; shorter where that does not come out even.

    Args:
        folder: to write into.
        speakers: two or more.
        hours: of all calls together.
        rng: chooses who speaks, what and when.

    Returns:
        The files, `call_0000.wav` and so on.
    """
    all_s = hours * 3600
    call_s = min(CALL_S, all_s / 2)
    durations = [min(call_s, all_s - start_s) for start_s in np.arange(0, all_s - 0.5, call_s)]
    paths = [folder / f"call_{number:04}.wav" for number in range(len(durations))]
    for path, duration_s in zip(paths, durations, strict=True):
        pair = [speakers[index] for index in rng.choice(len(speakers), 2, replace=False)]
        soundfile.write(path, _conversation(pair, duration_s, rng).T, RATE_HZ, subtype="ULAW")
    return paths


def write_long_call(path: Path, calls: Sequence[Path], *, hours: float) -> None:
    """Write one stereo call by repeating others, in the memory of one of them."""
    left = round(hours * 3600 * RATE_HZ)
    with soundfile.SoundFile(path, "w", RATE_HZ, 2, "ULAW") as long:
        while left:
            for call in calls:
                samples = soundfile.read(call, dtype="int16")[0][:left]
                long.write(samples)
                left -= len(samples)


def write_clips(folder: Path, calls: Sequence[Path], *, count: int, distinct: int, clip_s: float) -> None:
    """Write mono clips cut from calls one after the other; beyond `distinct` they are more names of the same files."""
    size = round(clip_s * RATE_HZ)
    pieces = (
        samples[start : start + size, channel]
        for samples in (soundfile.read(call, dtype="int16")[0] for call in calls)
        for start in range(0, len(samples) - size + 1, size)
        for channel in (0, 1)
    )
    written: list[Path] = []
    for number, samples in zip(range(min(count, distinct)), pieces, strict=False):
        written.append(folder / f"clip_{number:06}.wav")
        soundfile.write(written[-1], samples, RATE_HZ, subtype="ULAW")
    for number in range(len(written), count):
        os.link(written[number % len(written)], folder / f"clip_{number:06}.wav")


def _corpus_voices(manifest: Path, rng: np.random.Generator) -> list[Voice]:
    with manifest.open(newline="") as rows:
        paths: dict[tuple[str, str], list[Path]] = {}
        for row in csv.DictReader(rows):
            paths.setdefault((row["corpus"], row["speaker"]), []).append(manifest.parent / row["path"])
    many = sorted(speaker for speaker, clips in paths.items() if len(clips) >= _CLIPS)
    chosen = rng.choice(len(many), min(_SPEAKERS, len(many)), replace=False)
    clips = [rng.choice(np.array(sorted(paths[many[index]])), _CLIPS, replace=False) for index in chosen]
    return [[piece for path in some for samples in _channels(path) for piece in _utterances(samples)] for some in clips]


def _example_voices(folder: Path) -> list[Voice]:
    found = [_utterances(samples) for path in sorted(folder.glob("*order*.wav")) for samples in _channels(path)]
    found += [_utterances(samples) for path in sorted(folder.glob("*complaint*.wav")) for samples in _channels(path)]
    return [voice for voice in found if voice]


def _channels(path: Path) -> FloatArray:
    """All channels through a telephone's band, (channels, n)."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return np.stack([band(channel) for channel in soxr.resample(samples, rate_hz, RATE_HZ).T])


def _utterances(samples: FloatArray) -> list[FloatArray]:
    """The stretches of speech, each at -25 dBFS."""
    active = detect(clip_features(samples, spec=_SPEC), spec=_SPEC)
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0)).reshape(-1, 2) * _SPEC.hop_length
    return [at_level(samples[start:end], -25.0) for start, end in edges]


def _conversation(pair: Sequence[Voice], duration_s: float, rng: np.random.Generator) -> FloatArray:
    """Two speakers who take turns, (2, n)."""
    n = round(duration_s * RATE_HZ)
    line: FloatArray = rng.standard_normal((2, n), dtype=np.float32) * np.float32(10 ** (_NOISE_DBFS / 20))
    gains = 10 ** (rng.uniform(-6, 3, 2) / 20)
    end, channel = int(rng.uniform(0, 1.5) * RATE_HZ), int(rng.integers(2))
    while end < n:
        turn = _turn(pair[channel], rng)
        start = max(0, end + int(np.clip(rng.normal(0.15, 0.4), -0.8, 2.0) * RATE_HZ))
        part = turn[: max(0, n - start)]
        line[channel, start : start + len(part)] += part * np.float32(gains[channel])
        end, channel = start + len(turn), 1 - channel
    return line


def _turn(voice: Voice, rng: np.random.Generator) -> FloatArray:
    """What is said in one go, 1 to 12 s with short pauses, (n,)."""
    pieces: list[FloatArray] = []
    left = rng.gamma(2.0, 2.5) * RATE_HZ
    while left > 0:
        pieces += [voice[int(rng.integers(len(voice)))], np.zeros(int(rng.uniform(0.05, 0.4) * RATE_HZ), np.float32)]
        left -= len(pieces[-2]) + len(pieces[-1])
    return np.concatenate(pieces[:-1]) if pieces else np.zeros(0, np.float32)
