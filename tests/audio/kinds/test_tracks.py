"""Containers with several tracks, or with holes in their timestamps: every track is a channel, the clock goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.audio.kinds.recordings import NEAR_S, ffmpeg, heard, pitch_hz, samples_of
from tests.audio_files import encoded, tones

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed, it writes the files")
pytest.importorskip("av", reason="PyAV is not installed, the extra `av` brings it")

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


LATE = ("matroska", "webm", "mp4", "mov", "mpegts")  # in which a track may begin later


@pytest.fixture(scope="module")
def in_step(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two people on two tracks: a tone of 440 Hz for 4 s, and one of 1,500 Hz for 7 s."""
    return tracks(tmp_path_factory.mktemp("in_step"), tuple(TRACKED))


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same, but the second one begins after 2.5 s."""
    return tracks(tmp_path_factory.mktemp("late"), LATE, offset_s=2.5)


def tracks(folder: Path, containers: tuple[str, ...], *, offset_s: float = 0.0) -> dict[str, Path]:
    first, second = (f"sine={hertz}:sample_rate=16000:duration={s}" for hertz, s in ((440, 4), (1500, 7)))
    command = ["-f", "lavfi", "-i", first, "-itsoffset", str(offset_s), "-f", "lavfi", "-i", second]
    paths = {container: folder / container for container in containers}
    for container, path in paths.items():
        command += ["-map", "0", "-map", "1", *TRACKED[container], "-f", container, str(path)]
    ffmpeg(*command)
    return paths


@pytest.mark.parametrize("container", TRACKED)
def test_every_track_is_a_channel(in_step: dict[str, Path], container: str) -> None:
    found = samples_of(in_step[container])
    assert found.shape[0] == 2
    assert found.shape[1] / 8000 == pytest.approx(7, abs=NEAR_S)
    assert pitch_hz(found[0, 8000:24000]) == pytest.approx(440, abs=5)
    assert pitch_hz(found[1, 8000:24000]) == pytest.approx(1500, abs=5)
    assert loud(found[0], 4.3, 6.9) < 1e-3 < loud(found[0], 1, 3)


@pytest.mark.parametrize("container", LATE)
def test_a_track_that_begins_later_keeps_its_place(late: dict[str, Path], container: str) -> None:
    found = samples_of(late[container])
    assert found.shape[1] / 8000 == pytest.approx(9.5, abs=NEAR_S)
    assert loud(found[1], 0, 2.3) < 1e-3 < loud(found[1], 2.7, 9)
    assert heard(late[container])[2] is None


@pytest.mark.parametrize("container", ["matroska", "mp4", "mov"])
def test_stereo_and_mono_tracks_follow_each_other(tmp_path: Path, container: str) -> None:
    stereo, mono, out = tmp_path / "s.wav", tmp_path / "m.wav", tmp_path / "three.bin"
    stereo.write_bytes(wave(3.0, rate_hz=16_000, channels=2))
    mono.write_bytes(wave(3.0, rate_hz=8000, channels=1))
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


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tone of 12 s that misses a quarter."""
    command = ["-f", "lavfi", "-i", "sine=440:sample_rate=16000:duration=12"]
    paths = {container: tmp_path_factory.mktemp("holed") / container for container in HOLED}
    for container, path in paths.items():
        coder, (first, last) = HOLED[container]
        lost = f"noise=drop=between(n\\,{first}\\,{last})"
        command += ["-c:a", coder, "-bsf:a", lost, "-f", container, str(path)]
    ffmpeg(*command)
    return paths


@pytest.mark.parametrize("container", HOLED)
def test_holes_in_timestamps_keep_the_clock(holed: dict[str, Path], container: str) -> None:
    seconds, _, problem = heard(holed[container])
    found = samples_of(holed[container])[0]
    assert seconds == pytest.approx(12, abs=NEAR_S)
    assert problem is not None
    assert problem.code == "gaps"
    assert loud(found, 4.3, 6.7) < 1e-2 < loud(found, 8, 11)


def wave(seconds: float, *, rate_hz: int, channels: int) -> bytes:
    return encoded(tones(seconds, rate_hz=rate_hz, channels=channels), rate_hz=rate_hz)


def loud(samples: np.ndarray, start_s: float, stop_s: float) -> float:
    return float(np.sqrt(np.mean(samples[round(start_s * 8000) : round(stop_s * 8000)] ** 2)))
