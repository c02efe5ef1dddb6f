"""What recordings go through without another emotion in them: a label should survive it.

Station of its own: samples in, samples out, float32 (channels, n) in [-1, 1] unless louder. What recorders, exchanges
and archives do to calls, one thing at a time, where `export.telephone` draws whole lines.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np
import scipy.fft
import soundfile
import soxr

from sertag.records import FloatArray

LINE_HZ = 8000  # the rate of telephones, at which codecs are used
SNR_DB = 15.0
_GAIN_DB = 12.0
_SHIFT_S = 0.25
_LOST = 0.02  # share of the packets
_PACKET_S = 0.02  # of an RTP stream
BABBLE_VOICES = 8
_OPUS_LEVEL = 0.98  # libsndfile's compression level at which a channel takes about 12 kbit/s


def distort(
    samples: FloatArray, *, name: str, rate_hz: int, babble: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, int]:
    """Do one thing to a recording.

    Args:
        samples: float32 (channels, n), n >= 1.
        name: one of `NAMES`.
        rate_hz: of the samples.
        babble: float32 (m,) at 8 kHz, other people who talk at once; see `talk_at_once`.
        rng: of what is drawn.

    Returns:
        Samples, float32 (channels, m), and their rate.

    >>> quiet = np.zeros((1, 800), np.float32)
    >>> changed, rate_hz = distort(
    ...     quiet, name="through 16 kHz", rate_hz=8000, babble=quiet[0], rng=np.random.default_rng(1)
    ... )
    >>> changed.shape, rate_hz
    ((1, 1600), 16000)
    """
    if name in _THROUGH_HZ:
        return _resampled(samples, rate_hz, _THROUGH_HZ[name]), _THROUGH_HZ[name]
    if name in _CODECS:
        return _CODECS[name](_resampled(samples, rate_hz, LINE_HZ)), LINE_HZ
    if name == BABBLE:
        voices = _resampled(babble[None], LINE_HZ, rate_hz)[0]
        noise = np.resize(np.roll(voices, rng.integers(len(voices))), samples.shape[1])
        return _with_noise(samples, noise), rate_hz
    return _PLAIN[name](samples, rate_hz, rng), rate_hz


def talk_at_once(voices: Sequence[FloatArray]) -> FloatArray:
    """Babble of the first voices, each float32 (n,), all as loud: float32 (m,), as long as the shortest of them.

    >>> talk_at_once([np.ones(5, np.float32), np.ones(3, np.float32)]).shape
    (3,)
    """
    chosen = [voice / max(1e-6, _rms(voice)) for voice in voices[:BABBLE_VOICES]]
    length = min(len(voice) for voice in chosen)
    return np.asarray(np.sum([voice[:length] for voice in chosen], axis=0), dtype=np.float32)


def _louder(samples: FloatArray, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    return np.asarray(samples * 10 ** (_GAIN_DB / 20), dtype=np.float32)


def _fainter(samples: FloatArray, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    return np.asarray(samples * 10 ** (-_GAIN_DB / 20), dtype=np.float32)


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
    """Noise that falls by 6 dB an octave and swells and fades over seconds."""
    count = samples.shape[1]
    size = scipy.fft.next_fast_len(count, real=True)
    freqs_hz = np.maximum(scipy.fft.rfftfreq(size, 1 / rate_hz), 50.0)
    noise = scipy.fft.irfft(scipy.fft.rfft(rng.standard_normal(size)) / freqs_hz, size)[:count]
    turns_db = rng.uniform(-6, 6, 2 + count // (2 * rate_hz))  # every two seconds
    level_db = np.interp(np.arange(count), 2 * rate_hz * np.arange(len(turns_db)), turns_db)
    return _with_noise(samples, np.asarray(noise * 10 ** (level_db / 20), dtype=np.float32))


def _with_noise(samples: FloatArray, noise: FloatArray) -> FloatArray:
    """Noise (n,) under each channel, `SNR_DB` fainter than the channel on the whole."""
    levels = np.array([_rms(channel) for channel in samples])[:, None] * 10 ** (-SNR_DB / 20)
    return np.asarray(samples + levels * noise / max(1e-6, _rms(noise)), dtype=np.float32)


def _coded(form: str, subtype: str, level: float | None = None) -> Callable[[FloatArray], FloatArray]:
    """Through a codec of libsndfile and back, each channel alone, since GSM knows one only."""

    def through(samples: FloatArray) -> FloatArray:
        return np.stack([_through(channel, form, subtype, level) for channel in np.clip(samples, -1, 1)])

    return through


def _through(samples: FloatArray, form: str, subtype: str, level: float | None) -> FloatArray:
    memory = io.BytesIO()
    soundfile.write(memory, samples, LINE_HZ, format=form, subtype=subtype, compression_level=level)
    memory.seek(0)
    decoded, _ = soundfile.read(memory, dtype="float32")
    return np.resize(np.pad(decoded, (0, max(0, len(samples) - len(decoded)))), len(samples)).astype(np.float32)


def _resampled(samples: FloatArray, rate_hz: int, to_hz: int) -> FloatArray:
    changed = soxr.resample(np.ascontiguousarray(samples.T), rate_hz, to_hz).T
    return np.asarray(changed if changed.shape[1] else samples[:, :1], dtype=np.float32)  # nothing is no recording


def _rms(samples: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


BABBLE = "babble, 15 dB"
_PLAIN: MappingProxyType[str, Callable[[FloatArray, int, np.random.Generator], FloatArray]] = MappingProxyType(
    {
        "12 dB louder": _louder,
        "12 dB fainter": _fainter,
        "0.25 s later": _later,
        "2 % of the packets lost": _with_losses,
        "street, 15 dB": _with_traffic,
    }
)
_CODECS = MappingProxyType(
    {
        "µ-law": _coded("WAV", "ULAW"),
        "A-law": _coded("WAV", "ALAW"),
        "GSM 06.10": _coded("WAV", "GSM610"),
        "Opus": _coded("OGG", "OPUS", _OPUS_LEVEL),
        "MP3": _coded("MP3", "MPEG_LAYER_III"),
    }
)
_THROUGH_HZ = MappingProxyType({"through 16 kHz": 16_000, "through 44.1 kHz": 44_100})
NAMES = (*_PLAIN, BABBLE, *_CODECS, *_THROUGH_HZ)
