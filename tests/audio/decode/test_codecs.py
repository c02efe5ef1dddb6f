"""Every container, codec, rate and channel count becomes the same float32 blocks, whatever the file is called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sertag.audio.decode import open_audio
from sertag.records import FloatArray
from tests.audio.decode.reading import correlation, put, read, read_with_problem, refusal
from tests.audio_files import encoded, tones, wav


@pytest.mark.parametrize(
    ("format", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 0.01),
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-6),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("WAV", "ULAW", 0.02),
        ("WAV", "ALAW", 0.02),
        ("WAV", "MS_ADPCM", 0.05),
        ("WAVEX", "PCM_16", 1e-4),
        ("RF64", "PCM_16", 1e-4),
        ("W64", "PCM_16", 1e-4),
        ("FLAC", "PCM_16", 1e-4),
        ("AIFF", "PCM_16", 1e-4),
        ("AIFF", "ULAW", 0.02),
        ("AU", "ULAW", 0.02),
        ("AU", "PCM_16", 1e-4),
        ("CAF", "PCM_16", 1e-4),
        ("NIST", "PCM_16", 1e-4),
        ("VOC", "ULAW", 0.02),
    ],
)
def test_codecs_keep_the_samples(tmp_path: Path, format: str, subtype: str, tolerance: float) -> None:
    samples = tones(1.5, channels=2)
    path = put(tmp_path, encoded(samples, format=format, subtype=subtype))
    found = read(path)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert np.abs(found[:, : len(samples)] - samples.T).max() <= tolerance
    assert read_with_problem(path)[1] is None


@pytest.mark.parametrize(
    ("format", "subtype", "rate_hz"),
    [
        ("WAV", "GSM610", 8000),
        ("WAV", "IMA_ADPCM", 8000),
        ("MP3", None, 44100),
        ("OGG", "VORBIS", 44100),
        ("OGG", "OPUS", 48000),
    ],
)
def test_lossy_codecs_keep_the_sound(tmp_path: Path, format: str, subtype: str | None, rate_hz: int) -> None:
    samples = tones(2, rate_hz=rate_hz)
    found = read(put(tmp_path, encoded(samples, rate_hz=rate_hz, format=format, subtype=subtype)))
    assert correlation(found, samples.T) > 0.98
    assert found.shape[1] == pytest.approx(len(samples), abs=320)


@pytest.mark.parametrize("name", ["call.wav", "call.mp3", "call.raw", "call.ogg", "call", "call.gsm", "call.txt"])
@pytest.mark.parametrize("format", ["WAV", "MP3", "AIFF", "FLAC", "OGG"])
def test_the_content_decides_and_never_the_name(tmp_path: Path, name: str, format: str) -> None:
    samples = tones(1, rate_hz=16000)
    found = read(put(tmp_path, encoded(samples, rate_hz=16000, format=format), name))
    assert correlation(found, samples.T) > 0.95


def test_names_hold_any_byte(tmp_path: Path) -> None:
    for name in (b"new\nline.wav", b"inv\xff.wav", b"-", b"=1.wav", "☎.wav".encode()):
        path = os.path.join(tmp_path, os.fsdecode(name))
        Path(path).write_bytes(wav(tones(0.1)))
        assert read(path).shape == (1, 800)


@pytest.mark.parametrize("rate_hz", [1000, 8000, 11025, 44100, 768_000])
def test_rates(tmp_path: Path, rate_hz: int) -> None:
    path = put(tmp_path, wav(tones(0.5, rate_hz=rate_hz), rate_hz=rate_hz))
    with open_audio(path) as audio:
        blocks = list(audio.blocks(rate_hz=8000))
    assert audio.rate_hz == rate_hz
    assert audio.duration_s == pytest.approx(0.5, abs=1e-3)
    assert sum(block.shape[1] for block in blocks) == pytest.approx(4000, abs=1)


@pytest.mark.parametrize("channels", [1, 2, 3, 32, 64])
def test_channels_stay_apart(tmp_path: Path, channels: int) -> None:
    samples = tones(0.3, channels=channels)
    found = read(put(tmp_path, wav(samples)), block_s=0.07)
    assert found.shape == samples.T.shape
    assert np.abs(found - samples.T).max() < 1e-4


@pytest.mark.parametrize(
    ("refused", "code"), [(dict(header_rate=1), "bad_rate"), (dict(header_rate=768_001), "bad_rate")]
)
def test_rates_that_no_recording_has(tmp_path: Path, refused: dict[str, int], code: str) -> None:
    error = refusal(put(tmp_path, wav(tones(0.1), header_rate=refused["header_rate"])))
    assert error.code == code
    assert str(refused["header_rate"]) in str(error)


@pytest.mark.parametrize("channels", [65, 1025])
def test_too_many_channels(tmp_path: Path, channels: int) -> None:
    assert refusal(put(tmp_path, wav(np.zeros((10, channels), np.float32)))).code == "too_many_channels"


# Blocks and resampling


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 22050), (44100, 8000), (11025, 16000), (48000, 8000)])
def test_resampling_is_that_of_soxr_in_one_piece(tmp_path: Path, from_hz: int, to_hz: int) -> None:
    samples = tones(5, rate_hz=from_hz, channels=2)
    found = read(put(tmp_path, encoded(samples, rate_hz=from_hz, subtype="FLOAT")), rate_hz=to_hz, block_s=0.7)
    expected = soxr.resample(samples, from_hz, to_hz, quality="HQ").T
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-6


def test_resampling_is_that_of_librosa(tmp_path: Path) -> None:
    librosa = pytest.importorskip("librosa")
    path = put(tmp_path, encoded(tones(3, rate_hz=44100), rate_hz=44100))
    expected, _ = librosa.load(path, sr=8000)
    assert np.abs(read(path, rate_hz=8000)[0] - expected).max() < 1e-6


def test_blocks_have_the_length_asked_for_and_the_last_one_the_rest(tmp_path: Path) -> None:
    with open_audio(put(tmp_path, wav(tones(2.5)))) as audio:
        lengths = [block.shape for block in audio.blocks(rate_hz=8000, block_s=1)]
        assert lengths == [(1, 8000), (1, 8000), (1, 4000)]
        assert audio.samples_read == 20_000
    with open_audio(put(tmp_path, wav(tones(2)))) as audio:
        assert [block.shape for block in audio.blocks(rate_hz=8000, block_s=1)] == [(1, 8000), (1, 8000)]


def test_a_recording_is_read_once(tmp_path: Path) -> None:
    with open_audio(put(tmp_path, wav(tones(1)))) as audio:
        list(audio.blocks(rate_hz=8000))
        with pytest.raises(RuntimeError, match="once"):
            list(audio.blocks(rate_hz=8000))


def test_blocks_do_not_share_memory(tmp_path: Path) -> None:
    with open_audio(put(tmp_path, wav(tones(3)))) as audio:
        blocks = list(audio.blocks(rate_hz=8000, block_s=1))
    assert np.abs(np.concatenate(blocks, axis=1).T - tones(3)).max() < 1e-4


@pytest.fixture(scope="module")
def block_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, FloatArray]]:
    """Name → path and its samples at 8 kHz in one block; longer than one call of the decoder."""
    folder = tmp_path_factory.mktemp("blocks")
    samples = tones(4, rate_hz=44100, channels=2)
    files = {}
    for format, subtype, rate_hz in (("WAV", "ULAW", 44100), ("MP3", None, 44100), ("OGG", "OPUS", 48000)):
        path = put(folder, encoded(samples, rate_hz=rate_hz, format=format, subtype=subtype), format)
        files[format] = path, read(path, rate_hz=8000)
    return files


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(format=st.sampled_from(["WAV", "MP3", "OGG"]), block_s=st.floats(0.001, 5))
def test_the_samples_do_not_depend_on_the_block(
    block_files: dict[str, tuple[str, FloatArray]], format: str, block_s: float
) -> None:
    path, expected = block_files[format]
    assert np.array_equal(read(path, rate_hz=8000, block_s=block_s), expected)


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    path = str(tmp_path / "long.wav")
    with soundfile.SoundFile(path, "w", 8000, 2, subtype="ULAW") as file:
        for _ in range(45):  # 45 minutes: 170 MB as float32
            file.write(np.tile(tones(1, channels=2), (60, 1)))
    script = (
        "import resource, sys; from sertag.audio.decode import open_audio\n"
        "with open_audio(sys.argv[1]) as audio:\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    count = sum(block.shape[1] for block in audio.blocks(rate_hz=8000))\n"
        "print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    result = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    count, grown_kib = map(int, result.stdout.split())
    assert count == 2700 * 8000
    assert grown_kib < 40 * 1024


# Levels


def test_clipping_is_counted_for_each_channel(tmp_path: Path) -> None:
    samples = tones(1, channels=2)
    samples[100:110, 1] = 1
    samples[200:205, 1] = -1
    for subtype in ("PCM_16", "ULAW", "ALAW", "FLOAT"):
        with open_audio(put(tmp_path, encoded(samples, subtype=subtype))) as audio:
            list(audio.blocks(rate_hz=16000))
        assert audio.clipped.tolist() == [0, 15], subtype
        assert audio.clipped.dtype == np.int64


def test_values_beyond_full_scale_are_limited(tmp_path: Path) -> None:
    path = put(tmp_path, encoded(tones(1, level=5), subtype="FLOAT"))
    for rate_hz in (8000, 22050):
        assert np.abs(read(path, rate_hz=rate_hz)).max() == 1


def test_resampling_does_not_overshoot(tmp_path: Path) -> None:
    square = np.sign(tones(1)).astype(np.float32)
    assert np.abs(soxr.resample(square, 8000, 22050, quality="HQ")).max() > 1
    assert np.abs(read(put(tmp_path, encoded(square, subtype="FLOAT")), rate_hz=22050)).max() == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_values_that_are_no_numbers_are_silence_and_named(tmp_path: Path, value: float, subtype: str) -> None:
    samples = tones(20, channels=2)
    samples[12 * 8000 + 40, 1] = value
    path = put(tmp_path, encoded(samples, subtype=subtype))
    _, problem = read_with_problem(path)
    assert problem is not None
    assert problem.code == "truncated"
    assert "1 values that are no numbers" in problem.message
    assert "12.005 s in channel 1" in problem.message
    samples[12 * 8000 + 40, 1] = 0
    assert np.array_equal(read(path), samples.T)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_recording_of_values_that_are_no_numbers_is_refused_with_their_place(tmp_path: Path, value: float) -> None:
    samples = tones(20, channels=2)
    samples[4 * 8000 + 40 :] = value
    error = refusal(put(tmp_path, encoded(samples, subtype="FLOAT")))
    assert error.code == "not_finite"
    assert "4.005 s in channel 0" in str(error)


# Real recordings


def test_real_calls(data_dir: Path) -> None:
    expected = {
        "auto_repairs_40.wav": (2, 8000, 245.38),
        "call_center_sample_alaw.wav": (1, 8000, 10.9715),
        "commercial_mono.wav": (1, 8000, 45.3),
        "sample1_stereo.mp3": (2, 44100, 39.628),
    }
    for name, facts in expected.items():
        with open_audio(str(data_dir / "calls" / name)) as audio:
            for block in audio.blocks(rate_hz=8000):
                assert np.abs(block).max() <= 1
            assert (audio.channels, audio.rate_hz, round(audio.duration_s, 3)) == (*facts[:2], round(facts[2], 3))
            assert audio.problem is None


def test_a_real_m4a(data_dir: Path) -> None:
    pytest.importorskip("av")
    with open_audio(str(data_dir / "calls" / "caller_leg.m4a")) as audio:
        blocks = list(audio.blocks(rate_hz=8000))
    assert (audio.channels, audio.rate_hz) == (1, 8000)
    # FFmpeg 8 leaves out the padding of the last packet, older ones keep it.
    assert sum(block.shape[1] for block in blocks) in (480_000, 480_256)
    assert audio.problem is None


@pytest.mark.parametrize("clip", ["emodb/03a01Fa.opus", "ravdess/Actor_01/03-01-05-01-01-01-01.flac"])
def test_real_clips_equal_librosa(data_dir: Path, clip: str) -> None:
    librosa = pytest.importorskip("librosa")
    expected, _ = librosa.load(data_dir / clip, sr=22050)
    found = read(str(data_dir / clip), rate_hz=22050)[0]
    assert len(expected) - 1 <= len(found) <= len(expected)  # librosa rounds up and fills with a zero, soxr rounds
    assert np.abs(found - expected[: len(found)]).max() < 1e-6
