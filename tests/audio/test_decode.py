"""Every container, codec, rate and channel count becomes the same float32 blocks; every broken file a clear error."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sertag.audio.decode import open_audio
from sertag.audio.decoders.pyav import AvReader
from sertag.audio.decoders.reader import BrokenError
from sertag.audio.decoders.track import Track
from sertag.audio.streams import Spliced
from sertag.errors import DecodeError
from sertag.records import FloatArray, Problem
from tests.audio_files import encoded, id3_tag, tones, wav, with_format_tag


def put(folder: Path, content: bytes, name: str = "call.wav") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def read(path: str, *, rate_hz: int | None = None, block_s: float = 60.0) -> FloatArray:
    """All samples, (channels, n), at the file's own rate unless told."""
    with open_audio(path) as audio:
        return np.concatenate(list(audio.blocks(rate_hz=rate_hz or audio.rate_hz, block_s=block_s)), axis=1)


def read_with_problem(path: str) -> tuple[float, Problem | None]:
    with open_audio(path) as audio:
        for _ in audio.blocks(rate_hz=audio.rate_hz):
            pass
        return audio.duration_s, audio.problem


def refusal(path: str) -> DecodeError:
    with pytest.raises(DecodeError) as caught, open_audio(path) as audio:
        list(audio.blocks(rate_hz=8000))
    assert path == "-" or os.path.basename(path) in str(caught.value)
    return caught.value


def correlation(a: FloatArray, b: FloatArray) -> float:
    n = min(a.shape[1], b.shape[1])
    return float(np.corrcoef(a[:, :n].ravel(), b[:, :n].ravel())[0, 1])


# Sound files


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
        for _ in range(120):  # two hours: 460 MB as float32
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
    assert count == 7200 * 8000
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


# Files that are no recordings


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"Dear Sir or Madam,\nplease find attached", "text that begins with 'Dear Sir or Madam,'"),
        ("Sehr geehrte Frau Müller".encode("utf-16"), "text that begins with 'Sehr geehrte"),
        (b"<!DOCTYPE html><html>404", "a web page"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"PK\x03\x04....", "a ZIP"),
        (b"\x89PNG\r\n", "a PNG"),
        (b"RIFF\x10\0\0\0WEBPVP8 ....", "WEBP"),
        (b"\0" * 5000, "zero bytes"),
        (b"\xff" * 5000, "no known kind of file"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "macOS metadata"),
        (np.random.default_rng(0).bytes(300_000), "no known kind of file"),
        (b"\xff\xfb\x90\x00 once and never again" * 9, "no known kind of file"),
        (tones(3).tobytes(), "--raw says how they are written"),
    ],
)
def test_what_is_no_audio_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes, says: str
) -> None:
    error = refusal(put(tmp_path, content))
    assert error.code == "not_audio"
    assert says in str(error)
    assert str(error).isprintable()
    assert capfd.readouterr() == ("", "")


def test_an_empty_file(tmp_path: Path) -> None:
    assert refusal(put(tmp_path, b"")).code == "empty_file"


@pytest.mark.parametrize("format", ["WAV", "AIFF", "AU", "OGG", "RF64", "W64", "CAF"])
def test_a_header_without_samples(tmp_path: Path, format: str) -> None:
    assert refusal(put(tmp_path, encoded(tones(0), format=format))).code == "no_samples"


def test_a_flac_header_without_samples(tmp_path: Path) -> None:
    whole = encoded(tones(1), format="FLAC")
    header = whole[:4] + bytes([whole[4] | 0x80]) + whole[5:42]  # STREAMINFO, marked as the last block of the header
    assert refusal(put(tmp_path, header)).code == "no_samples"


def test_a_header_without_samples_before_another_chunk(tmp_path: Path) -> None:
    listing = b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert refusal(put(tmp_path, wav(tones(0), tail=listing))).code == "no_samples"


@pytest.mark.parametrize("count", [3, 13, 20, 40])
def test_half_a_header(tmp_path: Path, count: int) -> None:
    assert refusal(put(tmp_path, wav(tones(1))[:count])).code in ("damaged", "not_audio", "no_samples")


def test_one_sample_is_a_recording(tmp_path: Path) -> None:
    assert read(put(tmp_path, wav(tones(1)[:1]))).shape == (1, 1)
    assert read(put(tmp_path, wav(tones(1)[:80])), rate_hz=22050).shape[1] == pytest.approx(220, abs=1)


def test_paths_that_lead_to_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.wav")
    os.symlink("gone", tmp_path / "link.wav")
    assert refusal(str(tmp_path / "none.wav")).code == "not_found"
    assert refusal(str(tmp_path / "link.wav")).code == "not_found"
    assert refusal(str(tmp_path / "fifo.wav")).code == "not_a_file"
    assert refusal(str(tmp_path)).code == "not_a_file"


def test_a_file_without_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, wav(tones(1)))
    os.chmod(path, 0)
    if os.geteuid() == 0:  # rights do not bind root, so the refusal is played

        def refuse(path: str, **_: object) -> None:
            raise PermissionError(13, "Permission denied", path)

        monkeypatch.setattr(io, "FileIO", refuse)
    assert refusal(path).code == "permission_denied"


# Files that hold less, or more, than they say


@pytest.fixture
def no_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    """As installed without the extra."""
    monkeypatch.setitem(sys.modules, "av", None)


def test_a_cut_wav_gives_what_is_left(tmp_path: Path) -> None:
    whole = wav(tones(10))
    duration_s, problem = read_with_problem(put(tmp_path, whole[: 44 + 2 * 8000 * 4 + 1]))
    assert duration_s == 4
    assert problem is not None
    assert problem.code == "truncated"
    assert "announces 10.000 s" in problem.message
    assert "4.000 s" in problem.message


@pytest.mark.parametrize("format", ["AIFF", "AU", "FLAC", "MP3", "OGG", "RF64"])
def test_other_cut_files_give_what_is_left(tmp_path: Path, capfd: pytest.CaptureFixture[str], format: str) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (80_000, 1)).astype(np.float32)
    whole = encoded(noise, format=format)
    duration_s, problem = read_with_problem(put(tmp_path, whole[: len(whole) * 6 // 10]))
    assert 3.5 < duration_s < 6.5
    assert problem is not None
    assert problem.code == "truncated"
    assert f"{duration_s:.3f} s could be read" in problem.message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("claimed", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("level", [0, 0.3])
def test_wav_files_of_programs_that_write_to_a_pipe(tmp_path: Path, claimed: int, level: float) -> None:
    samples = tones(3, channels=2, level=level)
    path = put(tmp_path, wav(samples, data_size=claimed))
    assert read_with_problem(path) == (3, None)
    assert np.abs(read(path) - samples.T).max() < 1e-4


def test_a_header_that_promises_too_much(tmp_path: Path) -> None:
    duration_s, problem = read_with_problem(put(tmp_path, wav(tones(1), data_size=160_000)))
    assert duration_s == 1
    assert problem is not None
    assert "announces 10.000 s" in problem.message


def test_a_header_that_promises_too_little(tmp_path: Path) -> None:
    duration_s, problem = read_with_problem(put(tmp_path, wav(tones(3), data_size=16_000)))
    assert duration_s == 3
    assert problem is not None
    assert problem.code == "stale_header"
    assert "its header gives 1.000 s, but more was recorded" in problem.message


@pytest.mark.parametrize(
    "tail", [b"LIST\x04\0\0\0INFO", b"id3 \x03\0\0\0abc\0", b"\0" * 5000, b"\0", b"cue \x04\0\0\0\0\0\0\0"]
)
def test_what_may_follow_the_samples_is_no_problem(tmp_path: Path, tail: bytes) -> None:
    assert read_with_problem(put(tmp_path, wav(tones(1), tail=tail))) == (1, None)


def test_flac_of_unknown_length(tmp_path: Path) -> None:
    whole = bytearray(encoded(tones(2), format="FLAC"))
    whole[21] &= 0xF0  # 36 bits of total samples in STREAMINFO, 0 is unknown
    whole[22:26] = bytes(4)
    assert read_with_problem(put(tmp_path, bytes(whole))) == (2, None)


def test_damage_in_the_middle_keeps_what_came_before(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (80_000, 1)).astype(np.float32)
    whole = bytearray(encoded(noise, format="FLAC"))
    middle = len(whole) // 2
    whole[middle : middle + 9000] = bytes(9000)
    path = put(tmp_path, bytes(whole))
    duration_s, problem = read_with_problem(path)
    assert duration_s == 10  # the second decoder goes on behind the damage, and the clock with it
    assert problem is not None
    assert problem.code == "truncated"
    found = read(path)
    for stretch in (slice(0, 24_000), slice(56_000, None)):
        assert np.abs(found[0, stretch] - noise[stretch, 0]).max() < 1e-4


def test_without_a_second_decoder_damage_keeps_what_came_before(tmp_path: Path, no_pyav: None) -> None:
    whole = bytearray(encoded(np.random.default_rng(1).normal(0, 0.1, (80_000, 1)).astype(np.float32), format="FLAC"))
    middle = len(whole) // 2
    whole[middle : middle + 9000] = bytes(9000)
    duration_s, problem = read_with_problem(put(tmp_path, bytes(whole)))
    assert 3 < duration_s < 7
    assert problem is not None
    assert problem.code == "truncated"
    assert "announces 10.000 s" in problem.message


@pytest.mark.parametrize("sound_bytes", [42, 300])
def test_damage_right_behind_the_header_is_an_error(tmp_path: Path, no_pyav: None, sound_bytes: int) -> None:
    whole = encoded(tones(1), format="FLAC")
    assert refusal(put(tmp_path, whole[:sound_bytes] + b"\x55" * 3000)).code == "damaged"


def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    path = put(tmp_path, wav(tones(300, channels=2)))
    with open_audio(path) as audio:
        blocks = audio.blocks(rate_hz=8000, block_s=5)
        next(blocks)
        os.truncate(path, 100_000)
        with pytest.raises(DecodeError, match="while it was read") as caught:
            list(blocks)
    assert caught.value.code == "changed"


def test_a_file_that_grows_while_it_is_read(tmp_path: Path) -> None:
    whole = wav(tones(100))
    path = put(tmp_path, whole)
    with open_audio(path) as audio:
        blocks = audio.blocks(rate_hz=8000, block_s=5)
        next(blocks)
        with open(path, "ab") as file:
            file.write(whole[44:])
        assert sum(block.shape[1] for block in blocks) == 95 * 8000
    assert audio.problem is None


def test_a_file_that_is_deleted_while_it_is_read(tmp_path: Path) -> None:
    path = put(tmp_path, wav(tones(100)))
    with open_audio(path) as audio:
        os.unlink(path)
        assert sum(block.shape[1] for block in audio.blocks(rate_hz=8000)) == 800_000


def test_an_error_of_the_disk_is_a_decode_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("sertag.audio.parts.skip_tags", fail)
    error = refusal(put(tmp_path, wav(tones(1))))
    assert error.code == "damaged"
    assert "Input/output error" in str(error)


# MP3 as it is found


@pytest.fixture(scope="module")
def mp3() -> bytes:
    return encoded(tones(3, rate_hz=44100, channels=2), rate_hz=44100, format="MP3")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\0" * 1000, b""),
        (b"junk\xff\xfb\x90" * 300, b""),
        (id3_tag(200_001), b""),
        (id3_tag(100) + id3_tag(50) + bytes(700), b""),
        (b"", b"TAG" + bytes(125)),
        (b"", b"APETAGEX" + bytes(100)),
        (b"", b"\xff" * 100_000),
    ],
)
def test_junk_around_an_mp3(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], mp3: bytes, before: bytes, after: bytes
) -> None:
    clean, dirty = put(tmp_path, mp3, "clean"), put(tmp_path, before + mp3 + after, "dirty")
    assert np.array_equal(read(clean), read(dirty))
    assert read_with_problem(dirty)[1] is None
    assert capfd.readouterr() == ("", "")


def test_junk_inside_an_mp3_is_skipped_and_told(tmp_path: Path, capfd: pytest.CaptureFixture[str], mp3: bytes) -> None:
    middle = len(mp3) // 2
    path = put(tmp_path, mp3[:middle] + np.random.default_rng(0).bytes(5000) + mp3[middle:])
    duration_s, problem = read_with_problem(path)
    assert duration_s == pytest.approx(3, abs=0.1)
    assert problem is not None
    assert "damaged and were skipped" in problem.message
    assert capfd.readouterr() == ("", "")


def test_joined_mp3_files_are_read_to_the_end(tmp_path: Path, mp3: bytes) -> None:
    duration_s, problem = read_with_problem(put(tmp_path, mp3 + mp3))
    assert duration_s == pytest.approx(6, abs=0.1)
    assert problem is None
    assert read_with_problem(put(tmp_path, mp3 + id3_tag(300) + mp3))[1] is None


def test_tags_in_front_of_a_flac_file(tmp_path: Path) -> None:
    samples = tones(1)
    found = read(put(tmp_path, id3_tag(5000) + encoded(samples, format="FLAC")))
    assert np.abs(found - samples.T).max() < 1e-4


# PyAV


def av_file(folder: Path, *, container: str, codec: str, rate_hz: int, seconds: float = 3) -> tuple[str, FloatArray]:
    """A file that PyAV writes, named .wav because names do not matter, and its samples."""
    av = pytest.importorskip("av")
    samples = tones(seconds, rate_hz=rate_hz)
    path = str(folder / "call.wav")
    with av.open(path, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz)
        stream.layout, stream.bit_rate = "mono", 64_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="mono")
        frame.rate = rate_hz
        fifo = av.AudioFifo()
        fifo.write(frame)
        while part := fifo.read(stream.frame_size or 1024, partial=True):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return path, samples.T


@pytest.mark.parametrize(
    ("magic", "frame_head", "frame_bytes", "rate_hz"),
    [(b"#!AMR\n", b"\x3c", 31, 8000), (b"#!AMR-WB\n", b"\x44", 60, 16000)],
    ids=["12.2 kbit/s", "wide band 23.85 kbit/s"],
)
def test_amr_is_read(tmp_path: Path, magic: bytes, frame_head: bytes, frame_bytes: int, rate_hz: int) -> None:
    """Every bit pattern is a speech frame of 20 ms in AMR, so no encoder is needed for a file."""
    pytest.importorskip("av")
    rng = np.random.default_rng(0)
    path = tmp_path / "recorder.wav"
    path.write_bytes(magic + b"".join(frame_head + rng.bytes(frame_bytes) for _ in range(50)))
    with open_audio(str(path)) as audio:
        found = np.concatenate(list(audio.blocks(rate_hz=rate_hz)), axis=1)
    assert (audio.channels, audio.rate_hz, audio.problem) == (1, rate_hz, None)
    assert found.shape == (1, rate_hz)
    assert found.std() > 0.01


AV_KINDS = [("mp4", "aac", 44100), ("adts", "aac", 16000), ("asf", "wmav2", 44100), ("matroska", "aac", 48000)]


@pytest.mark.parametrize(("container", "codec", "rate_hz"), AV_KINDS)
def test_what_only_pyav_reads(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], container: str, codec: str, rate_hz: int
) -> None:
    path, samples = av_file(tmp_path, container=container, codec=codec, rate_hz=rate_hz)
    with open_audio(path) as audio:
        assert (audio.channels, audio.rate_hz) == (1, rate_hz)
        found = np.concatenate(list(audio.blocks(rate_hz=rate_hz, block_s=0.3)), axis=1)
    assert audio.problem is None
    assert found.dtype == np.float32
    assert audio.duration_s == pytest.approx(3, abs=0.15)
    size = 1 << 19  # cross-correlation, because not every container tells how many priming samples its codec adds
    lags = np.fft.irfft(np.fft.rfft(found[0], size) * np.conj(np.fft.rfft(samples[0], size)))
    shift = int(np.argmax(lags[:5000]))
    assert correlation(found[:, shift:], samples) > 0.98
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("container", "codec", "rate_hz"), AV_KINDS)
def test_without_pyav_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: str, codec: str, rate_hz: int
) -> None:
    path, _ = av_file(tmp_path, container=container, codec=codec, rate_hz=rate_hz, seconds=0.5)
    monkeypatch.setitem(sys.modules, "av", None)
    error = refusal(path)
    assert error.code == "needs_av"
    assert "pip install 'sertag[av]'" in str(error)


def test_without_pyav_a_wav_of_another_codec_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    error = refusal(put(tmp_path, with_format_tag(wav(tones(1)), 0x0083)))
    assert error.code == "needs_av"
    assert "0x0083" in str(error)


@pytest.mark.parametrize(
    "content",
    [
        b"#!AMR\n" + b"\x3c" + bytes(31),
        b"#!AMR-WB\n",
        b"\x1aE\xdf\xa3" + bytes(40),
        b"\0\0\0\x20ftypM4A " + bytes(20) + b"\0\0\0\x08moov",
        b"0&\xb2u\x8ef\xcf\x11" + bytes(40),
    ],
)
def test_what_needs_pyav_is_known_by_its_first_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert refusal(put(tmp_path, content)).code == "needs_av"


def test_pyav_is_imported_only_where_it_is_needed(tmp_path: Path) -> None:
    path = put(tmp_path, wav(tones(1)))
    script = (
        "import sys; from sertag.audio.decode import open_audio\n"
        "with open_audio(sys.argv[1]) as audio: list(audio.blocks(rate_hz=8000))\n"
        "print('av' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_a_cut_m4a_without_its_index_is_damaged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, _ = av_file(tmp_path, container="mp4", codec="aac", rate_hz=44100)
    os.truncate(path, os.path.getsize(path) // 2)
    error = refusal(path)
    assert error.code == "damaged"
    assert str(error).count("call.wav") == 1
    assert capfd.readouterr() == ("", "")


def test_a_cut_adts_stream_gives_what_is_left(tmp_path: Path) -> None:
    path, _ = av_file(tmp_path, container="adts", codec="aac", rate_hz=16000)
    os.truncate(path, os.path.getsize(path) // 2)
    assert 1 < read_with_problem(path)[0] < 2


def test_an_m4a_on_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = av_file(tmp_path, container="mp4", codec="aac", rate_hz=44100)
    feed(monkeypatch, Path(path).read_bytes())
    assert np.array_equal(read("-"), read(path))


LIST = b"ffconcat version 1.0\n#".ljust(28, b"#") + b"Speex   \nfile secret.wav\n"  # with a mark where Ogg has it


def test_a_list_of_other_files_is_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg, left to guess, would read the file that stands in it."""
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    put(tmp_path, wav(tones(1)), "secret.wav")
    assert refusal(put(tmp_path, LIST, "call.spx")).code == "not_audio"


@pytest.mark.parametrize("format", ["concat", "ogg"])
def test_no_container_opens_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    av = pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    put(tmp_path, wav(tones(1)), "secret.wav")
    text = Spliced(io.BytesIO(LIST), (range(0, len(LIST)),))
    with pytest.raises(BrokenError):
        AvReader(av, text, format=format)


@pytest.mark.parametrize("error", [IndexError("list index out of range"), ZeroDivisionError("Fraction(1, 0)")])
def test_streams_that_go_away_give_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A broken FLV file announces other streams in its middle, and PyAV looks for those that it had."""
    path, _ = av_file(tmp_path, container="adts", codec="aac", rate_hz=16000)
    decoded = Track._decoded

    def failing(track: Track) -> Iterator[object]:
        yield from islice(decoded(track), 20)
        raise error

    monkeypatch.setattr(Track, "_decoded", failing)
    duration_s, problem = read_with_problem(path)
    assert 1 < duration_s < 2
    assert problem is not None
    assert "its data contradict each other" in problem.message
    assert str(error) not in problem.message


def test_m4a_behind_an_id3_tag(tmp_path: Path) -> None:
    path, _ = av_file(tmp_path, container="adts", codec="aac", rate_hz=16000)
    tagged = put(tmp_path, id3_tag(5000) + Path(path).read_bytes(), "tagged.m4a")
    assert np.array_equal(read(tagged), read(path))


# Files that claim what is not so


def flac_that_claims(samples: int) -> bytes:
    """Three seconds of sound under a header that says otherwise (36 bits at the end of 8 bytes)."""
    content = bytearray(encoded(tones(3), format="FLAC"))
    fields = int.from_bytes(content[18:26], "big") >> 36 << 36 | samples
    content[18:26] = fields.to_bytes(8, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "announced_s"),
    [
        (wav(tones(3)), 3),
        (wav(tones(3), data_size=0xFFFFFFFF), 3),
        (encoded(tones(3), format="OGG", subtype="OPUS"), 3),
        (flac_that_claims(1 << 35), 3),
        (flac_that_claims(0), 3),
        (encoded(tones(3), format="MP3"), 0),
    ],
)
def test_what_a_recording_says_of_its_length(tmp_path: Path, content: bytes, announced_s: float) -> None:
    with open_audio(put(tmp_path, content)) as audio:
        assert audio.announced_s == pytest.approx(announced_s)


@pytest.mark.parametrize(
    ("channels", "rate_hz", "code"),
    [
        (255, 8000, "too_many_channels"),
        (65_535, 8000, "too_many_channels"),
        (0, 8000, "damaged"),
        (1, 0, "damaged"),
        (1, 1, "bad_rate"),
        (1, 1 << 31, "damaged"),  # a negative rate to libsndfile
        (2, 1_000_000, "bad_rate"),
    ],
)
def test_absurd_numbers_in_a_header(tmp_path: Path, channels: int, rate_hz: int, code: str) -> None:
    content = bytearray(wav(tones(1)))
    content[22:28] = struct.pack("<HI", channels, rate_hz)
    assert refusal(put(tmp_path, bytes(content))).code == code


# Standard input


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("format", ["WAV", "FLAC", "MP3", "OGG", "AIFF", "AU"])
def test_standard_input_holds_what_files_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    content = encoded(tones(2, rate_hz=16000, channels=2), rate_hz=16000, format=format)
    feed(monkeypatch, content)
    with open_audio("-") as audio:
        found = np.concatenate(list(audio.blocks(rate_hz=8000)), axis=1)
    assert audio.problem is None
    assert np.array_equal(found, read(put(tmp_path, content), rate_hz=8000))


def test_large_standard_input_goes_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sertag.audio.streams._STDIN_IN_MEMORY_BYTES", 1000)
    feed(monkeypatch, wav(tones(2)))
    assert np.abs(read("-") - tones(2).T).max() < 1e-4


@pytest.mark.parametrize("claimed", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_a_pipe_that_knows_no_length(monkeypatch: pytest.MonkeyPatch, claimed: int) -> None:
    feed(monkeypatch, wav(tones(2), data_size=claimed))
    assert read_with_problem("-") == (2, None)


def test_standard_input_that_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, b"")
    assert refusal("-").code == "empty_file"
    monkeypatch.setattr(sys, "stdin", None)
    assert refusal("-").code == "not_found"


def test_standard_input_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sertag.audio.streams._STDIN_BYTES", 10_000)
    feed(monkeypatch, wav(tones(1)))
    assert refusal("-").code == "too_large"


def test_standard_input_that_fits_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: object, /) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile", lambda max_size: Full())
    feed(monkeypatch, wav(tones(1)))
    error = refusal("-")
    assert error.code == "no_space"
    assert "No space left on device" in str(error)


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
