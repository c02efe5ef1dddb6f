"""Files that hold less or more than they declare, and files that change while they are read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from sertag.audio.decode import open_audio
from sertag.errors import DecodeError
from tests.audio.decode.reading import put, read, read_with_problem, refusal
from tests.audio_files import encoded, tones, wav


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
