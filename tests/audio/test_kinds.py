"""What recorders, disks and people do to recordings, for every container and codec: no second is lost in silence.

Files are written by FFmpeg and SoX, broken here, and compared with what FFmpeg itself plays. Where FFmpeg stops early,
as at the end that a stale header gives, more than it plays is expected, and the length is known from how it was made.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sertag.audio.decode import open_audio
from sertag.errors import DecodeError
from sertag.records import Problem
from tests.audio.containers.test_tags import ID3V1, ape
from tests.audio_files import encoded, id3_tag, tones

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed, it writes the files")
pytest.importorskip("av", reason="PyAV is not installed, the extra `av` brings it")

SECONDS = 6.0
NEAR_S = 0.2  # coders add up to some frames at both ends

# name: (FFmpeg's container, options); None where FFmpeg cannot write it to a pipe.
WAVES: dict[str, tuple[str, list[str]]] = {
    "wav pcm_s16le": ("wav", ["-c:a", "pcm_s16le"]),
    "wav pcm_s24le": ("wav", ["-c:a", "pcm_s24le"]),
    "wav pcm_f32le": ("wav", ["-c:a", "pcm_f32le"]),
    "wav pcm_mulaw": ("wav", ["-c:a", "pcm_mulaw"]),
    "wav pcm_alaw": ("wav", ["-c:a", "pcm_alaw"]),
    "wav adpcm_ms": ("wav", ["-c:a", "adpcm_ms"]),
    "wav adpcm_ima_wav": ("wav", ["-c:a", "adpcm_ima_wav"]),
    "wav mp3": ("wav", ["-c:a", "libmp3lame"]),
    "rf64 pcm_s16le": ("wav", ["-rf64", "always"]),
    "w64 pcm_s16le": ("w64", []),
    "au pcm_s16be": ("au", []),
    "au pcm_mulaw": ("au", ["-c:a", "pcm_mulaw"]),
    "caf pcm_s16be": ("caf", []),
    "aiff pcm_s16be": ("aiff", []),
    "voc pcm_u8": ("voc", ["-c:a", "pcm_u8"]),
    "voc pcm_s16le": ("voc", ["-c:a", "pcm_s16le"]),
    "voc pcm_alaw": ("voc", ["-c:a", "pcm_alaw"]),
}
OTHERS: dict[str, tuple[str, list[str]]] = {
    "caf alac": ("caf", ["-c:a", "alac"]),
    "flac": ("flac", []),
    "ogg vorbis": ("ogg", ["-c:a", "libvorbis"]),
    "ogg opus": ("ogg", ["-c:a", "libopus"]),
    "ogg flac": ("ogg", ["-c:a", "flac"]),
    "mp3 cbr": ("mp3", ["-b:a", "32k"]),
    "mp3 vbr": ("mp3", ["-q:a", "5"]),
    "mp3 vbr without tag": ("mp3", ["-q:a", "5", "-write_xing", "0"]),
    "mp2": ("mp2", []),
    "adts aac": ("adts", []),
    "m4a aac": ("ipod", ["-c:a", "aac"]),
    "m4a alac": ("ipod", ["-c:a", "alac"]),
    "mp4 fragments": ("mp4", ["-movflags", "frag_keyframe+empty_moov"]),
    "3gp aac": ("3gp", ["-c:a", "aac"]),
    "mov pcm": ("mov", ["-c:a", "pcm_s16le"]),
    "mkv pcm": ("matroska", ["-c:a", "pcm_s16le"]),
    "mkv opus": ("matroska", ["-c:a", "libopus"]),
    "mkv vorbis": ("matroska", ["-c:a", "libvorbis"]),
    "webm opus": ("webm", ["-c:a", "libopus"]),
    "wma": ("asf", ["-c:a", "wmav2"]),
    "avi pcm": ("avi", ["-c:a", "pcm_s16le"]),
    "mpegts aac": ("mpegts", ["-c:a", "aac"]),
    "ac3": ("ac3", []),
    "eac3": ("eac3", []),
    "mpegts mp2": ("mpegts", ["-c:a", "mp2"]),
    "flv mp3": ("flv", ["-ar", "11025"]),
    "wavpack": ("wv", []),
    "tta": ("tta", []),
}
ALL = WAVES | OTHERS
WITHOUT_END = {
    "caf alac",
    "m4a aac",
    "m4a alac",
    "3gp aac",
    "mov pcm",
}  # cannot be played when written to a pipe or cut
STREAMS = {"adts aac", "ac3", "eac3", "mpegts aac", "mpegts mp2"}  # which may change at any frame
IN_TRANSIT = {"m4a aac", "m4a alac", "3gp aac", "mov pcm", "caf alac", "tta", "wavpack"}  # FFmpeg cannot pipe them


def ffmpeg(*arguments: str, data: bytes | None = None) -> bytes:
    command = (
        ["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments] if data is None else ["ffmpeg", "-v", "error", "-y"]
    )
    if data is not None:
        command += arguments
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=60).stdout


@cache
def source(seconds: float, rate_hz: int, channels: int) -> bytes:
    """Interleaved 16-bit samples: noise, that no coder leaves out, and a tone that tells channels apart."""
    noise = np.random.default_rng(round(seconds * 10)).normal(0, 0.05, (round(seconds * rate_hz), channels))
    return ((noise + tones(seconds, rate_hz=rate_hz, channels=channels)) * 32767).astype("<i2").tobytes()


@cache
def recording(
    kind: str, seconds: float = SECONDS, rate_hz: int = 16_000, channels: int = 2, *, piped: bool = False
) -> bytes:
    """A recording of a kind as FFmpeg writes it, to a file or to a pipe, which knows no length."""
    container, options = ALL[kind]
    raw = ["-f", "s16le", "-ar", str(rate_hz), "-ac", str(channels), "-i", "pipe:0", *options, "-f", container]
    samples = source(seconds, rate_hz, channels)
    if piped:
        return ffmpeg(*raw, "pipe:1", data=samples)
    with TemporaryFile() as path:
        ffmpeg(*raw, str(path), data=samples)
        return path.read_bytes()


def noise(seconds: float, seed: int) -> np.ndarray:
    """Float32 (n, 1), which no coder makes small, so that the file is long."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * 16_000), 1)).astype(np.float32)


class TemporaryFile:
    """A path that is gone afterwards."""

    def __enter__(self) -> Path:
        import tempfile

        self._folder = tempfile.TemporaryDirectory()
        return Path(self._folder.name) / "file"

    def __exit__(self, *error: object) -> None:
        self._folder.cleanup()


def heard(path: Path) -> tuple[float, int, Problem | None]:
    """Seconds, channels and the note of a recording."""
    with open_audio(str(path)) as audio:
        for _ in audio.blocks(rate_hz=8000):
            pass
        return audio.duration_s, audio.channels, audio.problem


def played_s(path: Path) -> float:
    """Seconds of the first track that FFmpeg plays."""
    command = ["ffmpeg", "-v", "quiet", "-nostdin", "-i", str(path), "-map", "0:a:0", "-ac", "1", "-ar", "8000"]
    done = subprocess.run([*command, "-f", "s16le", "-"], capture_output=True, timeout=60, check=False)
    return len(done.stdout) / 16_000


def put(tmp_path: Path, content: bytes, name: str = "call.bin") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def samples_of(path: Path) -> np.ndarray:
    with open_audio(str(path)) as audio:
        return np.concatenate(list(audio.blocks(rate_hz=8000)), axis=1)


# Whole files, however they were written, have nothing to be said about them.


@pytest.mark.parametrize("kind", ALL)
def test_a_whole_file_is_read_to_its_end(tmp_path: Path, kind: str) -> None:
    path = put(tmp_path, recording(kind))
    seconds, channels, problem = heard(path)
    assert (channels, problem) == (2, None)
    assert seconds == pytest.approx(played_s(path), abs=NEAR_S)


@pytest.mark.parametrize("kind", sorted(ALL.keys() - IN_TRANSIT))
def test_what_was_written_to_a_pipe_is_read_to_its_end(tmp_path: Path, kind: str) -> None:
    seconds, channels, problem = heard(put(tmp_path, recording(kind, piped=True)))
    assert (channels, problem) == (2, None)
    assert seconds == pytest.approx(SECONDS, abs=NEAR_S + 0.1)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("behind", [ID3V1, ape(header=True), ape(header=False) + ID3V1, bytes(4000)])
def test_tags_and_filler_behind_a_whole_file_are_no_loss(tmp_path: Path, kind: str, behind: bytes) -> None:
    whole_s, _, _ = heard(put(tmp_path, recording(kind)))
    seconds, _, problem = heard(put(tmp_path, recording(kind) + behind))
    assert problem is None
    assert seconds == pytest.approx(whole_s, abs=0.01 if kind in WAVES else NEAR_S)


@pytest.mark.parametrize("kind", ALL)
def test_a_tag_in_front_is_passed(tmp_path: Path, kind: str) -> None:
    whole_s, _, _ = heard(put(tmp_path, recording(kind)))
    assert heard(put(tmp_path, id3_tag(3000) + recording(kind))) == (pytest.approx(whole_s, abs=0.01), 2, None)


# Several recordings one behind the other.


@pytest.mark.parametrize("kind", ALL)
def test_joined_recordings_are_all_read(tmp_path: Path, kind: str) -> None:
    seconds, channels, problem = heard(put(tmp_path, recording(kind) + recording(kind, 3.0)))
    assert (channels, problem) == (2, None)
    assert seconds == pytest.approx(SECONDS + 3, abs=2 * NEAR_S)


@pytest.mark.parametrize("kind", sorted(ALL.keys() - IN_TRANSIT))
def test_joined_recordings_that_know_no_length_are_all_read(tmp_path: Path, kind: str) -> None:
    content = recording(kind, piped=True)
    seconds, _, problem = heard(put(tmp_path, content + content))
    assert problem is None
    assert seconds == pytest.approx(2 * SECONDS, abs=2 * NEAR_S)


@pytest.mark.parametrize("kind", sorted(ALL.keys() - STREAMS))
def test_joined_recordings_that_differ_are_all_read_as_the_first(tmp_path: Path, kind: str) -> None:
    rate_hz = 22_050 if kind == "flv mp3" else 8000
    if kind in {"flv mp3", "wma", "mkv opus", "webm opus", "ogg opus", "3gp aac"}:
        other = recording(kind, 3.0, 16_000, 1)
    else:
        other = recording(kind, 3.0, rate_hz, 1)
    seconds, channels, problem = heard(put(tmp_path, recording(kind) + other))
    assert channels == 2
    assert problem is not None
    assert problem.code == "format_changes"
    assert seconds == pytest.approx(SECONDS + 3, abs=2 * NEAR_S)


@pytest.mark.parametrize("kind", sorted(STREAMS))
def test_streams_that_change_are_read_to_their_end(tmp_path: Path, kind: str) -> None:
    other = recording(kind, 3.0, 32_000, 1)
    seconds, channels, _ = heard(put(tmp_path, recording(kind, rate_hz=48_000) + other))
    assert channels == 2
    assert seconds == pytest.approx(SECONDS + 3, abs=2 * NEAR_S)


@pytest.mark.parametrize(
    ("first", "second"), [("wav pcm_s16le", "flac"), ("mp3 cbr", "wav pcm_s16le"), ("ogg opus", "mp3 vbr")]
)
def test_recordings_of_different_containers_are_all_read(tmp_path: Path, first: str, second: str) -> None:
    seconds, _, _ = heard(put(tmp_path, recording(first) + ID3V1 + recording(second, 3.0)))
    assert seconds == pytest.approx(SECONDS + 3, abs=2 * NEAR_S)


@pytest.mark.parametrize("container", ["FLAC", "IRCAM", "NIST"])
def test_joined_recordings_of_equal_length_are_all_read(tmp_path: Path, container: str) -> None:
    """Their heads and the last frame agree, so only what lies between tells that there are two."""
    first, second = (encoded(noise(30, seed), rate_hz=16_000, format=container) for seed in (1, 2))
    seconds, _, problem = heard(put(tmp_path, first + second))
    assert (seconds, problem) == (60, None)


# Something unknown in front.


@pytest.mark.parametrize("kind", ["mp3 cbr", "mp2", "adts aac", "ac3", "eac3", "mpegts aac", "mpegts mp2"])
@pytest.mark.parametrize("count", [1, 50, 5000])
def test_a_stream_is_found_behind_junk(tmp_path: Path, kind: str, count: int) -> None:
    content = recording(kind)
    junk = np.random.default_rng(count).bytes(count)
    whole_s, _, _ = heard(put(tmp_path, content))
    seconds, channels, problem = heard(put(tmp_path, junk + content))
    assert channels == 2
    assert seconds == pytest.approx(whole_s, abs=0.1)
    assert problem is not None or kind in {"mp3 cbr", "mp2"}
    assert problem is None or f"{count} bytes in front of it are nothing" in problem.message


# Cut, unfinished, stale.


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("share", [0.3, 0.77])
def test_a_cut_file_gives_what_is_left_or_says_what_is_missing(tmp_path: Path, kind: str, share: float) -> None:
    whole = recording(kind)
    path = put(tmp_path, whole[: int(len(whole) * share)])
    if kind == "wavpack" and not played_s(path):  # one block is all there is
        with pytest.raises(DecodeError, match="holds no audio that can be decoded"):
            heard(path)
        return
    if kind in WITHOUT_END - {"mov pcm"} or kind == "mov pcm":
        with (
            pytest.raises(Exception, match=r"moov|index")
            if kind != "caf alac"
            else pytest.raises(Exception, match="CAF")
        ):
            heard(path)
        return
    seconds, channels, problem = heard(path)
    assert channels == 2
    assert seconds >= played_s(path) - NEAR_S
    if kind not in STREAMS | {"mp2", "mp3 vbr without tag", "avi pcm"}:  # these know no length
        assert problem is not None
        assert problem.code == "truncated"


def sized(content: bytes, name: bytes, size: int, *, width: int = 4, big: bool = False, counted: int = 0) -> bytes:
    """A chunked file with another size in the chunk of that name."""
    place = content.index(name) + (16 if width == 8 and name.startswith(b"data\xf3") else len(name))
    return content[:place] + (size + counted).to_bytes(width, "big" if big else "little") + content[place + width :]


HEADERS: dict[str, Callable[[bytes, int], bytes]] = {
    "wav pcm_s16le": lambda content, size: sized(content, b"data", size),
    "wav pcm_mulaw": lambda content, size: sized(content, b"data", size),
    "wav pcm_f32le": lambda content, size: sized(content, b"data", size),
    "wav adpcm_ms": lambda content, size: sized(content, b"data", size),
    "w64 pcm_s16le": lambda content, size: sized(content, b"data\xf3", size, width=8, counted=24),
    "au pcm_s16be": lambda content, size: content[:8] + struct.pack(">I", size) + content[12:],
    "au pcm_mulaw": lambda content, size: content[:8] + struct.pack(">I", size) + content[12:],
    "caf pcm_s16be": lambda content, size: sized(content, b"data", size + 4, width=8, big=True),
    "aiff pcm_s16be": lambda content, size: sized(content, b"SSND", size + 8, big=True),
}
# Of containers that do not say how much sound there is, sizes that are wrong and cost nothing.
WRONG: dict[str, Callable[[bytes], bytes]] = {
    "voc pcm_s16le": lambda content: content[:27] + (5000).to_bytes(3, "little") + content[30:],
    "voc pcm_u8": lambda content: content[:27] + (999).to_bytes(3, "little") + content[30:],
    "voc pcm_alaw": lambda content: content[:27] + b"\xff\xff\xff" + content[30:],
    "m4a aac": lambda content: grown(content, b"moov", -7),
    "m4a alac": lambda content: grown(content, b"moov", 7),
    "3gp aac": lambda content: grown(content, b"moov", -7),
    "mkv pcm": lambda content: without_sizes(content),
    "mkv opus": lambda content: without_sizes(content),
    "webm opus": lambda content: without_sizes(content),
    "ogg vorbis": lambda content: unplaced(content),
}


def grown(content: bytes, name: bytes, count: int) -> bytes:
    """An MP4 file with its index in front, and a box of another size; FFmpeg writes the index behind."""
    with TemporaryFile() as path:
        path.write_bytes(content)
        content = ffmpeg("-i", str(path), "-c", "copy", "-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "pipe:1")
    place = content.index(name) - 4
    size = int.from_bytes(content[place : place + 4], "big") + count
    return content[:place] + size.to_bytes(4, "big") + content[place + 4 :]


def without_sizes(content: bytes) -> bytes:
    """A Matroska file whose segment and clusters have sizes of zero."""
    changed = bytearray(content)
    for match in re.finditer(rb"\x18\x53\x80\x67|\x1f\x43\xb6\x75(?=[^\x53])", content):
        width = 9 - content[match.end()].bit_length()
        changed[match.end() : match.end() + width] = (1 << 7 * width).to_bytes(width, "big")
    return bytes(changed)


def unplaced(content: bytes) -> bytes:
    """An Ogg file whose last page has no position, with the checksum of that."""
    place = content.rindex(b"OggS")
    page = (
        content[place : place + 6] + b"\xff" * 8 + content[place + 14 : place + 22] + bytes(4) + content[place + 26 :]
    )
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFFFFFF
    return content[:place] + page[:22] + checksum.to_bytes(4, "little") + page[26:]


@pytest.mark.parametrize("kind", WRONG)
def test_sizes_that_are_wrong_cost_nothing(tmp_path: Path, kind: str) -> None:
    seconds, channels, problem = heard(put(tmp_path, WRONG[kind](recording(kind))))
    assert channels == 2
    assert seconds == pytest.approx(SECONDS, abs=NEAR_S)
    assert problem is None or problem.code in {"stale_header", "truncated"}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_size_of_zero_is_what_recorders_leave_that_were_stopped(tmp_path: Path, kind: str) -> None:
    assert heard(put(tmp_path, HEADERS[kind](recording(kind), 0))) == (pytest.approx(SECONDS, abs=NEAR_S), 2, None)


@pytest.mark.parametrize("kind", HEADERS)
def test_what_was_recorded_behind_a_stale_size_is_read_and_named(tmp_path: Path, kind: str) -> None:
    whole = recording(kind)
    seconds, _, problem = heard(put(tmp_path, HEADERS[kind](whole, len(whole) // 4 // 256 * 256)))
    assert seconds == pytest.approx(SECONDS, abs=NEAR_S)
    assert problem is not None
    assert problem.code == "stale_header"


@pytest.mark.parametrize("kind", HEADERS)
def test_more_than_there_is_is_announced(tmp_path: Path, kind: str) -> None:
    whole = recording(kind)
    seconds, _, problem = heard(put(tmp_path, HEADERS[kind](whole, 2 * len(whole))))
    assert seconds == pytest.approx(SECONDS, abs=NEAR_S)
    assert problem is not None
    assert problem.code == "truncated"
    assert f"announces {2 * SECONDS:.0f}" in problem.message or "announces 12" in problem.message


@pytest.mark.parametrize("kind", sorted(HEADERS.keys() - {"caf pcm_s16be", "w64 pcm_s16le"}))
@pytest.mark.parametrize("size", [0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFF0])
def test_placeholders_are_no_announcement(tmp_path: Path, kind: str, size: int) -> None:
    assert heard(put(tmp_path, HEADERS[kind](recording(kind), size))) == (pytest.approx(SECONDS, abs=NEAR_S), 2, None)


@pytest.mark.parametrize("kind", WAVES)
def test_what_is_not_understood_behind_the_end_is_named(tmp_path: Path, kind: str) -> None:
    whole_s, _, _ = heard(put(tmp_path, recording(kind)))
    seconds, _, problem = heard(put(tmp_path, recording(kind) + b"\x01?unknown\x02" * 50))
    assert seconds == pytest.approx(whole_s, abs=0.01)
    assert problem is not None
    assert problem.code == "trailing_data"


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
@pytest.mark.parametrize("sizes", [bytes(28), b"\xff" * 24 + bytes(4)])
def test_unfinished_long_files(tmp_path: Path, magic: bytes, sizes: bytes) -> None:
    plain = recording("wav pcm_s16le")
    form = plain[plain.index(b"fmt ") :][:24]
    data = plain[plain.index(b"data") + 8 :]
    content = (
        magic + b"\xff" * 4 + b"WAVE" + b"ds64" + struct.pack("<I", 28) + sizes + form + b"data\xff\xff\xff\xff" + data
    )
    assert heard(put(tmp_path, content)) == (SECONDS, 2, None)


# Damage in the middle: the clock goes on, and the row says so.


@pytest.mark.parametrize(
    "kind", sorted(OTHERS.keys() - {"mov pcm", "mkv pcm", "avi pcm", "mp2", "tta", "adts aac", "ac3"})
)
def test_damage_keeps_the_clock(tmp_path: Path, kind: str) -> None:
    whole = bytearray(recording(kind, 12.0))
    place = len(whole) // 2
    whole[place : place + 400] = np.random.default_rng(5).bytes(400)
    path = put(tmp_path, bytes(whole))
    seconds, _, problem = heard(path)
    clean_s, _, _ = heard(put(tmp_path, recording(kind, 12.0), "clean.bin"))
    assert seconds >= played_s(path) - NEAR_S
    if kind not in {"mp3 cbr", "mp3 vbr", "mp3 vbr without tag", "wavpack"}:
        assert seconds == pytest.approx(clean_s, abs=NEAR_S + 0.1)
    assert problem is None or problem.code in {"truncated", "gaps"}


# Tracks.

TRACKED = {
    "matroska": ["-c:a", "libopus"],
    "webm": ["-c:a", "libvorbis"],
    "mp4": ["-c:a", "aac"],
    "mov": ["-c:a", "pcm_s16le"],
    "ogg": ["-c:a", "libvorbis"],
    "mpegts": ["-c:a", "aac"],
    "asf": ["-c:a", "wmav2"],
    "avi": ["-c:a", "pcm_s16le"],
}


def tracks(tmp_path: Path, container: str, *, offset_s: float = 0.0) -> Path:
    """Two people on two tracks: a tone of 440 Hz for 4 s, and one of 1,500 Hz for 7 s that may begin later."""
    low, high, out = tmp_path / "low.wav", tmp_path / "high.wav", tmp_path / "two.bin"
    for path, hertz, seconds in ((low, 440, 4), (high, 1500, 7)):
        ffmpeg("-f", "lavfi", "-i", f"sine={hertz}:sample_rate=16000:duration={seconds}", str(path))
    inputs = ["-i", str(low), "-itsoffset", str(offset_s), "-i", str(high), "-map", "0", "-map", "1"]
    ffmpeg(*inputs, *TRACKED[container], "-f", container, str(out))
    return out


def loud(samples: np.ndarray, start_s: float, stop_s: float) -> float:
    return float(np.sqrt(np.mean(samples[round(start_s * 8000) : round(stop_s * 8000)] ** 2)))


def pitch_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * 8000 / len(samples))


@pytest.mark.parametrize("container", TRACKED)
def test_every_track_is_a_channel(tmp_path: Path, container: str) -> None:
    found = samples_of(tracks(tmp_path, container))
    assert found.shape[0] == 2
    assert found.shape[1] / 8000 == pytest.approx(7, abs=NEAR_S)
    assert pitch_hz(found[0, 8000:24000]) == pytest.approx(440, abs=5)
    assert pitch_hz(found[1, 8000:24000]) == pytest.approx(1500, abs=5)
    assert loud(found[0], 4.3, 6.9) < 1e-3 < loud(found[0], 1, 3)


@pytest.mark.parametrize("container", ["matroska", "webm", "mp4", "mov", "mpegts"])
def test_a_track_that_begins_later_keeps_its_place(tmp_path: Path, container: str) -> None:
    path = tracks(tmp_path, container, offset_s=2.5)
    found = samples_of(path)
    assert found.shape[1] / 8000 == pytest.approx(9.5, abs=NEAR_S)
    assert loud(found[1], 0, 2.3) < 1e-3 < loud(found[1], 2.7, 9)
    assert heard(path)[2] is None


@pytest.mark.parametrize("container", ["matroska", "mp4", "mov"])
def test_stereo_and_mono_tracks_follow_each_other(tmp_path: Path, container: str) -> None:
    stereo, mono, out = tmp_path / "s.wav", tmp_path / "m.wav", tmp_path / "three.bin"
    stereo.write_bytes(recording("wav pcm_s16le", 3.0, 16_000, 2))
    mono.write_bytes(recording("wav pcm_s16le", 3.0, 8000, 1))
    ffmpeg("-i", str(stereo), "-i", str(mono), "-map", "0", "-map", "1", *TRACKED[container], "-f", container, str(out))
    seconds, channels, problem = heard(out)
    assert (channels, problem) == (3, None)
    assert seconds == pytest.approx(3, abs=NEAR_S)


# Holes in timestamps.


HOLED = {  # container: (coder, packets that are lost, by number)
    "matroska": ("libopus", (200, 350)),
    "webm": ("libopus", (200, 350)),
    "mp4": ("aac", (63, 109)),
    "mpegts": ("aac", (63, 109)),
    "flv": ("aac", (63, 109)),
    "ogg": ("libopus", (200, 350)),
}


@pytest.mark.parametrize("container", HOLED)
def test_holes_in_timestamps_keep_the_clock(tmp_path: Path, container: str) -> None:
    coder, (first, last) = HOLED[container]
    whole, out = tmp_path / "whole.mka", tmp_path / "hole.bin"
    ffmpeg("-f", "lavfi", "-i", "sine=440:sample_rate=16000:duration=12", "-c:a", coder, str(whole))
    lost = f"noise=drop=between(n\\,{first}\\,{last})"
    ffmpeg("-i", str(whole), "-c", "copy", "-bsf:a", lost, "-f", container, str(out))
    seconds, _, problem = heard(out)
    found = samples_of(out)[0]
    assert seconds == pytest.approx(12, abs=NEAR_S)
    assert problem is not None
    assert problem.code == "gaps"
    assert loud(found, 4.3, 6.7) < 1e-2 < loud(found, 8, 11)


# Phone codecs.


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


def test_a_complete_stream_is_not_told_to_be_longer(tmp_path: Path) -> None:
    """FFmpeg guesses the length of a stream from its first packets, which are small where nobody speaks."""
    silence, speech, out = tmp_path / "0.wav", tmp_path / "1.wav", tmp_path / "silent_start.aac"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=20", str(silence))
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=r=8000:d=10:a=0.3", str(speech))
    ffmpeg("-i", str(silence), "-i", str(speech), "-filter_complex", "concat=n=2:v=0:a=1", "-b:a", "32k", str(out))
    assert heard(out) == (pytest.approx(played_s(out), abs=0.01), 1, None)


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


@pytest.mark.parametrize("suffix", HEADERLESS)
def test_samples_without_a_header_are_known_by_their_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"call{suffix.upper() if suffix == '.al' else suffix}"
    ffmpeg("-f", "lavfi", "-i", "sine=440:sample_rate=48000:duration=5", *HEADERLESS[suffix], str(path))
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
