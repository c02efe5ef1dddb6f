"""What telephone systems write: AMR with pauses and damage, and samples without a header."""

from __future__ import annotations

import shutil
import subprocess
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from sertag.audio.decode import open_audio
from tests.audio.containers.test_tags import ape
from tests.audio.kinds.recordings import NEAR_S, SECONDS, ffmpeg, heard, pitch_hz, put, recording, samples_of
from tests.audio_files import id3_tag

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed, it writes the files")
pytest.importorskip("av", reason="PyAV is not installed, the extra `av` brings it")


def amr(frames: list[bytes], magic: bytes = b"#!AMR\n") -> bytes:
    return magic + b"".join(frames)


@pytest.mark.parametrize(
    ("magic", "talk", "pause", "rate_hz"),
    [
        (b"#!AMR\n", b"\x3c" + bytes(31), b"\x44" + bytes(5), 8000),
        (b"#!AMR\n", b"\x3c" + bytes(31), b"\x7c", 8000),
        (b"#!AMR-WB\n", b"\x0c" + bytes(23), b"\x4c" + bytes(5), 16000),
        (b"#!AMR-WB\n", b"\x0c" + bytes(23), b"\x7c", 16000),
    ],
)
@pytest.mark.parametrize("place", ["middle", "start", "end", "often"])
def test_pauses_of_phone_codecs_are_silence(
    tmp_path: Path, magic: bytes, talk: bytes, pause: bytes, rate_hz: int, place: str
) -> None:
    orders = {
        "middle": [talk] * 100 + [pause] * 50 + [talk] * 100,
        "start": [pause] * 50 + [talk] * 200,
        "end": [talk] * 200 + [pause] * 50,
        "often": ([talk] * 5 + [pause] * 5) * 25,
    }
    path = put(tmp_path, amr(orders[place], magic))
    with open_audio(str(path)) as audio:
        total = sum(block.shape[1] for block in audio.blocks(rate_hz=audio.rate_hz))
        assert (audio.rate_hz, audio.problem) == (rate_hz, None)
    assert total / rate_hz == pytest.approx(5, abs=0.05)


AMR_JUNK = {
    "APE tag": ape(header=True),
    "ID3v2 tag": id3_tag(3000),
    "zeros": bytes(700),
    "ones": b"\xff" * 700,
    "text": b"recorded by nobody, " * 40,
}


@pytest.mark.parametrize("magic", [b"#!AMR\n", b"#!AMR-WB\n"])
@pytest.mark.parametrize("junk", AMR_JUNK)
def test_what_follows_frames_is_no_silence(tmp_path: Path, magic: bytes, junk: str) -> None:
    frame = b"\x04" + bytes(17 if magic == b"#!AMR-WB\n" else 12)
    seconds, _, problem = heard(put(tmp_path, amr([frame] * 200, magic) + AMR_JUNK[junk]))
    assert seconds == pytest.approx(4, abs=0.05)
    expected = {"text": "trailing_data", "zeros": "truncated", "ones": "truncated"}
    assert (problem and problem.code) == expected.get(junk)


@pytest.mark.parametrize("junk", ["zeros", "ones", "text"])
def test_what_is_no_frame_between_frames_is_silence_and_named(tmp_path: Path, junk: str) -> None:
    frames = b"#!AMR\n" + (b"\x3c" + bytes(range(31))) * 200
    seconds, _, problem = heard(put(tmp_path, frames[:3206] + AMR_JUNK[junk][:640] + frames[3846:]))
    assert seconds == pytest.approx(4, abs=0.05)
    assert problem is not None
    assert problem.code == "truncated"
    assert "640 bytes in its middle are damaged and became 0.40 s of silence" in problem.message


# Samples without a header.

HEADERLESS = {
    ".ul": ["-f", "mulaw", "-ar", "8000"],
    ".ulaw": ["-f", "mulaw", "-ar", "8000"],
    ".pcmu": ["-f", "mulaw", "-ar", "8000"],
    ".al": ["-f", "alaw", "-ar", "8000"],
    ".alaw": ["-f", "alaw", "-ar", "8000"],
    ".pcma": ["-f", "alaw", "-ar", "8000"],
    ".sln": ["-f", "s16le", "-ar", "8000"],
    ".sln8": ["-f", "s16le", "-ar", "8000"],
    ".slin": ["-f", "s16le", "-ar", "8000"],
    ".sln16": ["-f", "s16le", "-ar", "16000"],
    ".sln48": ["-f", "s16le", "-ar", "48000"],
    ".g722": ["-f", "g722", "-ar", "16000"],
}


@pytest.fixture(scope="module")
def headerless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tone of 440 Hz for 5 s, named by each suffix, in capitals too."""
    folder = tmp_path_factory.mktemp("headerless")
    paths = {suffix: folder / f"call{suffix.upper() if suffix == '.al' else suffix}" for suffix in HEADERLESS}
    written = [[*HEADERLESS[suffix], str(path)] for suffix, path in paths.items()]
    ffmpeg("-f", "lavfi", "-i", "sine=440:sample_rate=48000:duration=5", *chain.from_iterable(written))
    return paths


@pytest.mark.parametrize("suffix", HEADERLESS)
def test_samples_without_a_header_are_known_by_their_suffix(headerless: dict[str, Path], suffix: str) -> None:
    path = headerless[suffix]
    found = samples_of(path)
    assert found.shape[1] / 8000 == pytest.approx(5, abs=0.05)
    assert pitch_hz(found[0, 8000:24000]) == pytest.approx(440, abs=5)
    assert heard(path)[2] is None


@pytest.mark.parametrize("suffix", [".gsm", ".vox", ".ul", ".al"])
@pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed, it writes the files")
def test_what_sox_writes_without_a_header(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"call{suffix}"
    command = ["sox", "-n", "-r", "8000", "-c", "1", str(path), "synth", "5", "sine", "440", "gain", "-6"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    found = samples_of(path)
    assert found.shape[1] / 8000 == pytest.approx(5, abs=0.05)
    assert pitch_hz(found[0, 8000:24000]) == pytest.approx(440, abs=5)


def test_the_content_comes_before_a_suffix_without_header(tmp_path: Path) -> None:
    for kind in ("wav pcm_s16le", "au pcm_mulaw", "mp3 cbr", "m4a aac"):
        assert heard(put(tmp_path, recording(kind), "call.ulaw")) == (pytest.approx(SECONDS, abs=NEAR_S), 2, None)


@pytest.mark.parametrize(
    ("raw", "options"),
    [
        ("alaw:16000:2", ["-f", "alaw", "-ar", "16000", "-ac", "2"]),
        ("s24be:44100", ["-f", "s24be", "-ar", "44100", "-ac", "1"]),
    ],
)
def test_samples_without_header_or_name_are_what_they_are_said_to_be(
    tmp_path: Path, raw: str, options: list[str]
) -> None:
    path = tmp_path / "call.dat"
    ffmpeg("-f", "lavfi", "-i", "sine=440:sample_rate=48000:duration=5", *options, str(path))
    with open_audio(str(path), raw=raw) as audio:
        found = np.concatenate(list(audio.blocks(rate_hz=8000)), axis=1)
        assert audio.channels == int(options[-1])
    assert pitch_hz(found[0, 8000:24000]) == pytest.approx(440, abs=5)
