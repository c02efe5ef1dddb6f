"""What only PyAV reads, what is said where it is not installed, and that no container opens other files."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from sertag.audio.decode import open_audio
from sertag.audio.decoders.pyav import AvReader
from sertag.audio.decoders.reader import BrokenError
from sertag.audio.decoders.track import Track
from sertag.audio.streams import Spliced
from tests.audio.decode.reading import av_file, correlation, feed, put, read, read_with_problem, refusal
from tests.audio_files import id3_tag, tones, wav, with_format_tag


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
