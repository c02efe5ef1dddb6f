"""What recordings go through without another emotion in them: a label should survive it.

Samples in, samples out, float32 (channels, n) in [-1, 1] unless louder. What recorders, exchanges
and archives do to calls, one thing at a time, where `export.audio.telephone` draws whole lines.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
import soxr

from export.audio.codecs import CODECS, LINE_HZ, recode
from export.audio.noise import rms, traffic, with_noise
from sertag.records import FloatArray

SNR_DB = 15.0
_GAIN_DB = 12.0
_SHIFT_S = 0.25
_LOST = 0.02  # share of the packets
_PACKET_S = 0.02  # of an RTP stream


def distort(
    samples: FloatArray, *, name: str, rate_hz: int, babble: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, int]:
    """Do one thing out of `NAMES` to a recording, float32 (channels, n), n >= 1: samples and their rate.

    `babble` is float32 (m,) at 8 kHz, other people who talk at once; see `export.audio.noise.talk_at_once`.

    >>> quiet = np.zeros((1, 800), np.float32)
    >>> changed, rate_hz = distort(
    ...     quiet, name="through 16 kHz", rate_hz=8000, babble=quiet[0], rng=np.random.default_rng(1)
    ... )
    >>> changed.shape, rate_hz
    ((1, 1600), 16000)
    """
    if name in _THROUGH_HZ:
        return _resampled(samples, rate_hz, _THROUGH_HZ[name]), _THROUGH_HZ[name]
    if name in CODECS:
        narrow = _resampled(samples, rate_hz, LINE_HZ)
        return np.stack([recode(channel, codec=name) for channel in narrow]), LINE_HZ  # GSM knows one channel only
    if name == BABBLE:
        voices = _resampled(babble[None], LINE_HZ, rate_hz)[0]
        noise = np.resize(np.roll(voices, rng.integers(len(voices))), samples.shape[1])
        return _under_each(samples, noise), rate_hz
    return _PLAIN[name](samples, rate_hz, rng), rate_hz


def _later(samples: FloatArray, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    return np.asarray(np.pad(samples, ((0, 0), (round(_SHIFT_S * rate_hz), 0))))


def _with_losses(samples: FloatArray, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """A lost packet is the one before it at half its level, which receivers without a better idea play."""
    size = round(_PACKET_S * rate_hz)
    heard = np.array(samples)
    for packet in np.flatnonzero(rng.random(samples.shape[1] // size) < _LOST):
        if packet > 0:
            heard[:, packet * size : (packet + 1) * size] = heard[:, (packet - 1) * size : packet * size] / 2
    return heard


def _with_traffic(samples: FloatArray, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    return _under_each(samples, traffic(samples.shape[1], rate_hz=rate_hz, rng=rng))


def _under_each(samples: FloatArray, noise: FloatArray) -> FloatArray:
    """Noise (n,) under each channel, `SNR_DB` fainter than the channel on the whole."""
    softer = 10 ** (-SNR_DB / 20)
    return np.stack([with_noise(channel, noise, noise_rms=softer * rms(channel)) for channel in samples])


def _resampled(samples: FloatArray, rate_hz: int, to_hz: int) -> FloatArray:
    changed = soxr.resample(np.ascontiguousarray(samples.T), rate_hz, to_hz).T
    return np.asarray(changed if changed.shape[1] else samples[:, :1], dtype=np.float32)  # nothing is no recording


BABBLE = "babble, 15 dB"
_PLAIN: MappingProxyType[str, Callable[[FloatArray, int, np.random.Generator], FloatArray]] = MappingProxyType(
    {
        "12 dB louder": lambda samples, rate_hz, rng: (samples * 10 ** (_GAIN_DB / 20)).astype(np.float32),
        "12 dB fainter": lambda samples, rate_hz, rng: (samples * 10 ** (-_GAIN_DB / 20)).astype(np.float32),
        "0.25 s later": _later,
        "2 % of the packets lost": _with_losses,
        "street, 15 dB": _with_traffic,
    }
)
_THROUGH_HZ = MappingProxyType({"through 16 kHz": 16_000, "through 44.1 kHz": 44_100})
NAMES = (*_PLAIN, BABBLE, *CODECS, *_THROUGH_HZ)
