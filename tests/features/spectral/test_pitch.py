"""Voice and pitch: found on a telephone and at any level; noise and silence have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from export.audio.clip_file import read_clip
from sertag.features.mfcc import FrameStream, coefficients, silence_coefficients
from sertag.features.spectral.pitch import HARMONICITY, OCTAVES, VOICING, harmonicity
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

RATE_HZ = 8000
SPEC = FeatureSpec(n_mfcc=13, floor_power=1e-9, n_pitches=31, pitch_min_hz=70.0, pitch_max_hz=400.0)
PITCHES_HZ = np.geomspace(70, 400, 31)


def found(samples: FloatArray, spec: FeatureSpec = SPEC) -> FloatArray:
    """Harmonicity, voicing and octaves of each frame, ends left out: (t, 3)."""
    stream = FrameStream(spec=spec, channels=1)
    frames = np.concatenate([stream.push(samples[None].astype(np.float32)), stream.flush()], axis=1)[0]
    return np.asarray(frames[4:-4, spec.n_mels :])


def pitch_hz_of(columns: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(70 * 400) * 2 ** columns[:, OCTAVES])


def voice(pitch_hz: float, *, seconds: float = 1.0) -> FloatArray:
    """Every harmonic under 4 kHz, each fainter than the one below it."""
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    numbers = np.arange(1, int(RATE_HZ / 2 / pitch_hz) + 1)
    waves = np.sin(2 * np.pi * pitch_hz * numbers[:, None] * time_s + numbers[:, None] ** 2) / numbers[:, None]
    return np.asarray(0.1 * waves.sum(axis=0), dtype=np.float32)


def telephone(samples: FloatArray) -> FloatArray:
    return np.asarray(sosfilt(butter(6, (300, 3400), "bandpass", fs=RATE_HZ, output="sos"), samples), dtype=np.float32)


@pytest.mark.parametrize("line", [np.asarray, telephone], ids=["clean", "phone"])
@pytest.mark.parametrize("pitch_hz", [95, 110, 137, 180, 222, 290, 370])
def test_the_pitch_of_a_voice_is_heard(pitch_hz, line):
    columns = found(line(voice(pitch_hz)))
    semitones = 12 * np.abs(np.log2(pitch_hz_of(columns) / pitch_hz))
    assert np.median(semitones) <= 0.6  # a step is a semitone
    assert np.median(columns[:, HARMONICITY]) > 0.2  # 32 ms hold three periods of the lowest


def test_between_two_steps_the_pitch_is_nearer_than_either():
    for pitch_hz in PITCHES_HZ[8:24:3] * 2 ** (1 / 24):  # half a step up
        semitones = 12 * np.log2(np.median(pitch_hz_of(found(voice(pitch_hz)))) / pitch_hz)
        assert abs(semitones) < 0.3


@pytest.mark.parametrize("tone_hz", [160, 250, 333, 390])
def test_a_tone_is_not_taken_for_an_overtone(tone_hz):
    """Half and a third of its pitch would explain it as well."""
    tone = 0.1 * np.sin(2 * np.pi * tone_hz * np.arange(RATE_HZ) / RATE_HZ)
    assert np.abs(12 * np.log2(pitch_hz_of(found(tone)) / tone_hz)).max() < 2  # one harmonic tells less exactly


def test_a_voice_that_glides_is_followed():
    rising = np.linspace(120, 240, RATE_HZ)
    phase = 2 * np.pi * np.cumsum(rising) / RATE_HZ
    columns = found(np.asarray(sum(np.sin(k * phase) / k for k in range(1, 15)) * 0.1, dtype=np.float32))
    heard_hz = pitch_hz_of(columns)
    semitones = 12 * np.log2(heard_hz / rising[::80][4 : 4 + len(heard_hz)])
    assert np.abs(semitones).max() < 1.1


def test_noise_has_no_voice():
    columns = found(np.random.default_rng(0).standard_normal(4 * RATE_HZ) * 0.1)
    spoken = found(voice(180))
    assert np.median(columns[:, HARMONICITY]) < np.median(spoken[:, HARMONICITY]) / 2
    assert columns[:, VOICING].mean() < 0.1
    assert spoken[:, VOICING].mean() > 0.9


def test_silence_has_no_voice():
    assert not found(np.zeros(RATE_HZ)).any()
    assert not silence_coefficients(spec=SPEC)[13:].any()
    dither = np.random.default_rng(0).integers(-1, 2, RATE_HZ) / 2**15  # the last bit of a 16-bit file
    assert found(dither)[:, VOICING].max() == 0


def test_level_does_not_matter():
    loud = found(voice(150))
    np.testing.assert_allclose(found(0.1 * voice(150)), loud, atol=0.02)
    assert found(1e-5 * voice(150))[:, VOICING].max() == 0  # but what drowns in the floor fades away


@pytest.mark.parametrize("offset", [0.003, 0.1])
def test_an_offset_is_no_voice(offset):
    rng = np.random.default_rng(0)
    sounds = np.concatenate([voice(150), 1e-3 * rng.standard_normal(RATE_HZ).astype(np.float32)])
    np.testing.assert_allclose(found(sounds + np.float32(offset)), found(sounds), atol=0.01)


def test_fewer_than_three_steps_have_no_parabola():
    spec = FeatureSpec(n_mfcc=13, floor_power=1e-9, n_pitches=2, pitch_min_hz=100.0, pitch_max_hz=200.0)
    assert np.median(found(voice(200), spec)[:, OCTAVES]) == 0.5
    spec = FeatureSpec(n_mfcc=13, floor_power=1e-9, n_pitches=1, pitch_min_hz=100.0, pitch_max_hz=200.0)
    assert not found(voice(100), spec)[:, OCTAVES].any()


def test_the_numbers_are_those_of_the_formula():
    """Term by term in double precision, as the module's text says it."""
    rng = np.random.default_rng(1)
    magnitudes = np.abs(rng.standard_normal((3, 129))) * 5
    expected = np.zeros((3, 31))
    for column, pitch_hz in enumerate(PITCHES_HZ):
        harmonic, whole = np.zeros(3), np.zeros(3)
        for number in range(2, 129):  # the first two hold what an offset leaves
            place = number * 31.25 / pitch_hz
            heard = min(1.0, place / 0.5) * min(1.0, max(0.0, (8 - place) / 5))
            harmonic += heard * np.cos(2 * np.pi * place) * magnitudes[:, number]
            whole += heard * (magnitudes[:, number] + np.sqrt(1e-9 * 31.25))
        expected[:, column] = harmonic / whole
    out = harmonicity(magnitudes.astype(np.float32), spec=SPEC).T
    np.testing.assert_allclose(out, expected, atol=1e-4)
    assert np.abs(out).max() <= 1


def test_pitch_stands_behind_the_coefficients_as_it_is():
    stream = FrameStream(spec=SPEC, channels=1)
    frames = stream.push(voice(150)[None])[0]
    for order in (0, 1):
        spec = FeatureSpec(n_mfcc=13, floor_power=1e-9, n_pitches=31, pitch_max_hz=400.0, delta_order=order)
        made = coefficients(frames, spec=spec)
        assert made.shape == (len(frames), spec.n_coefficients) == (len(frames), 13 * (1 + order) + 3)
        assert np.array_equal(made[:, -3:], frames[:, 40:])
        plain = FeatureSpec(n_mfcc=13, floor_power=1e-9, delta_order=order)
        assert np.array_equal(made[:, :-3], coefficients(np.ascontiguousarray(frames[:, :40]), spec=plain))


@pytest.mark.parametrize("clip", ["emodb/03a01Fa.opus", "emodb/11a01Nd.opus"])
def test_women_speak_higher_than_men(data_dir: Path, clip: str):
    """03 and 11 are men; 08 and 16 women who say the same sentence."""
    heard = {}
    for name in (clip, clip.replace("03a", "08a").replace("11a", "16a")):
        path = next((data_dir / "emodb").glob(name[6:11] + "*"))
        columns = found(read_clip(path, rate_hz=RATE_HZ))
        voiced = columns[:, VOICING] > 0.3
        assert voiced.sum() > 20
        heard[name] = np.median(pitch_hz_of(columns[voiced]))
    man, woman = heard.values()
    assert 80 < man < woman < 400
