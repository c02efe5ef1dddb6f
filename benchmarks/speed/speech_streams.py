"""Speech at known places for `speech_activity`: clips of corpora with silences between, and real calls.

Everything is one channel at 8 kHz, float32 (n,) in [-1, 1]; truths are bool (t,), one value for each 10 ms.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from benchmarks import speech_signals as signals
from sertag.features.vad import smooth
from sertag.records import BoolArray, FloatArray

HOP_SAMPLES, FRAME_RATE_HZ = 80, 100.0
CORPORA = ("tess", "ravdess", "emodb", "emovo", "nemo")
HALVES = ("tune", "test")  # of each corpus's speakers
CLIPS_PER_CORPUS, BABBLE_CLIPS_PER_CORPUS, BABBLE_VOICES = 40, 24, 8
SNR_DB = (20, 10, 5)
SPEECH_DBFS = -20.0
CALL_SUFFIXES = (".wav", ".mp3", ".flac")
LOUD_DB, OVER_NOISE_DB = 25.0, 12.0


@dataclass(frozen=True, slots=True)
class Stream:
    """One channel under one condition, with its truth.

    Attributes:
        condition: which noise at which level; streams of the same condition are counted together.
        samples: float32 (n,).
        truth: bool (t,), at most 1 + n // 80 frames.
    """

    condition: str
    samples: FloatArray
    truth: BoolArray


def corpus_streams(data: Path, *, half: str, seed: int) -> Iterator[Stream]:
    """Each corpus clean, through a telephone, and through a telephone with noise."""
    rng = np.random.default_rng([seed, HALVES.index(half)])
    others = [_clips(data, corpus, half=half, count=BABBLE_CLIPS_PER_CORPUS, rng=rng) for corpus in CORPORA]
    babble = np.concatenate([clip for clips in others for clip in clips])
    for corpus in CORPORA:
        clips = _clips(data, corpus, half=half, count=CLIPS_PER_CORPUS, rng=rng)
        samples, truth = _with_silences(clips, rng=rng)
        yield Stream("clean, wide band", samples, truth)
        yield from _telephone_streams(samples, truth, babble=babble, prefix="", rng=rng)


def call_streams(folder: Path, *, seed: int) -> Iterator[Stream]:
    """Every channel of every real call that libsndfile reads, as it is and with more noise."""
    rng = np.random.default_rng([seed, len(HALVES)])
    paths = sorted(path for path in folder.iterdir() if path.suffix in CALL_SUFFIXES)
    channels = [samples for path in paths for samples in _channels(path)]
    for index, samples in enumerate(channels):
        truth = loud_frames(samples, over_noise=True)
        others = np.concatenate(channels[:index] + channels[index + 1 :])
        yield Stream("call: as it is", samples, truth)
        yield from _telephone_streams(samples, truth, babble=others, prefix="call: ", rng=rng)


def loud_frames(samples: FloatArray, *, over_noise: bool = False) -> BoolArray:
    """The truth about a clean channel.

    Args:
        samples: float32 (n,).
        over_noise: also ask for 12 dB over the 10th percentile, where the channel has noise of its own.

    Returns:
        bool (1 + n // 80,): level over 30 ms within 25 dB of the 95th percentile.
    """
    power_db = 10 * np.log10(np.convolve(_hop_power(samples), np.ones(3) / 3, mode="same") + 1e-12)
    threshold_db = np.percentile(power_db, 95) - LOUD_DB
    if over_noise:
        threshold_db = max(threshold_db, np.percentile(power_db, 10) + OVER_NOISE_DB)
    return smooth(power_db > threshold_db, frame_rate_hz=FRAME_RATE_HZ)


def _telephone_streams(
    samples: FloatArray, truth: BoolArray, *, babble: FloatArray, prefix: str, rng: np.random.Generator
) -> Iterator[Stream]:
    speech = signals.band(samples)
    speech_power = _hop_power(speech)[: len(truth)][truth].mean()
    speech *= np.float32(10 ** (SPEECH_DBFS / 20) / np.sqrt(speech_power))
    yield Stream(f"{prefix}telephone", signals.mu_law(speech), truth)
    for name in ("white", "street", "babble"):
        for snr_db in SNR_DB:
            noise = signals.band(_noise(name, len(speech), babble=babble, rng=rng))
            mixed = speech + signals.at_level(noise, SPEECH_DBFS - snr_db)
            yield Stream(f"{prefix}{name} {snr_db} dB", signals.mu_law(mixed), truth)


def _noise(name: str, n: int, *, babble: FloatArray, rng: np.random.Generator) -> FloatArray:
    if name == "white":
        return signals.coloured(n, 0.0, rng=rng)
    if name == "street":
        return signals.street(n, rng=rng)
    starts = rng.integers(0, len(babble), BABBLE_VOICES)
    return np.sum([np.resize(np.roll(babble, -start), n) for start in starts], axis=0, dtype=np.float32)


def _clips(data: Path, corpus: str, *, half: str, count: int, rng: np.random.Generator) -> list[FloatArray]:
    """Random clips of one half of a corpus's speakers, each brought to one level over its loud frames."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["corpus"] == corpus]
    speakers = sorted({row["speaker"] for row in rows})[HALVES.index(half) :: len(HALVES)]
    paths = [data / row["path"] for row in rows if row["speaker"] in speakers]
    clips = [_channels(paths[place])[0] for place in rng.choice(len(paths), count, replace=False)]
    powers = [_hop_power(clip)[loud_frames(clip)].mean() for clip in clips]
    target = 10 ** (SPEECH_DBFS / 10)
    return [clip * np.float32(np.sqrt(target / power)) for clip, power in zip(clips, powers, strict=True)]


def _with_silences(clips: list[FloatArray], *, rng: np.random.Generator) -> tuple[FloatArray, BoolArray]:
    """Clips one after the other, up to 6 dB softer, 0.3 to 4 s of digital silence before each, and the truth."""
    samples: list[FloatArray] = []
    truth: list[BoolArray] = []
    for clip in clips:
        frames = len(clip) // HOP_SAMPLES
        silence = int(rng.uniform(0.3, 4.0) * FRAME_RATE_HZ)
        gain = np.float32(10 ** (rng.uniform(-6, 0) / 20))
        samples += [np.zeros(silence * HOP_SAMPLES, dtype=np.float32), clip[: frames * HOP_SAMPLES] * gain]
        truth += [np.zeros(silence, dtype=bool), loud_frames(clip)[:frames]]
    return np.concatenate(samples), np.concatenate(truth)


def _channels(path: Path) -> list[FloatArray]:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return list(np.ascontiguousarray(soxr.resample(samples, rate_hz, signals.RATE_HZ).T))


def _hop_power(samples: FloatArray) -> FloatArray:
    """Mean square of each hop, float32 (1 + n // 80,)."""
    frames = 1 + len(samples) // HOP_SAMPLES
    padded = np.pad(samples - samples.mean(), (0, frames * HOP_SAMPLES - len(samples)))
    return np.square(padded).reshape(frames, HOP_SAMPLES).mean(axis=1)
