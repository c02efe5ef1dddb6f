"""Differences in length between sertag and ffmpeg that are right, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.torture.differential.ffmpeg import Played
from benchmarks.torture.differential.recordings.recording import Recording

TOLERANCE_S = 0.2
_FRAME_SAMPLES = {
    "aac": 1024,
    "mp3": 1152,
    "mp2": 1152,
    "ac3": 1536,
    "eac3": 1536,
    "wmav1": 2048,
    "wmav2": 2048,
    "adpcm_ms": 1400,
    "adpcm_ima_wav": 1400,
}  # of ADPCM two thirds of a block, because each of two joined recordings may be filled up

_SLOWEST_VOC = 44_100 / 43_478


@dataclass(frozen=True, slots=True)
class Explanation:
    """A difference in length that is right, and why."""

    name: str
    reason: str
    holds: Callable[[Recording, Played, float], bool]


EXPLANATIONS = (
    Explanation(
        "clock",
        "a hole in the timestamps is silence for sertag, so that later windows keep their times; ffmpeg plays on",
        lambda recording, played, seconds: abs(seconds - played.clock_s) <= TOLERANCE_S,
    ),
    Explanation(
        "frames",
        "one of both plays the delay or the padding of the encoder: up to three frames of a codec at low rates",
        lambda recording, played, seconds: abs(seconds - played.seconds) <= frames_s(played),
    ),
    Explanation(
        "content",
        "ffmpeg believes a wrong header or stops behind the first recording, sertag reads all that the file holds",
        lambda recording, played, seconds: (
            recording.held_s is not None and abs(seconds - recording.held_s) <= TOLERANCE_S + frames_s(played)
        ),
    ),
    Explanation(
        "rate",
        "VOC keeps a rate in one byte, so that both play 44,100 Hz as 43,478 Hz, and 16,000 Hz as 15,873 Hz",
        lambda recording, played, seconds: (
            recording.format.container == "voc"
            and recording.held_s is not None
            and recording.held_s - TOLERANCE_S <= seconds <= longest_s(recording) + TOLERANCE_S
        ),
    ),
    Explanation(
        "concealed",
        "packets that cannot be decoded are silence for sertag and nothing for ffmpeg",
        lambda recording, played, seconds: (
            played.errors > 0
            and played.seconds < seconds <= max((track.packets_s for track in played.tracks), default=0) + TOLERANCE_S
        ),
    ),
    Explanation(
        "damage",
        "behind damage sertag finds more of the recording than ffmpeg does, and not more than there was",
        lambda recording, played, seconds: (
            recording.held_s is None and played.seconds < seconds <= recording.most_s + TOLERANCE_S + frames_s(played)
        ),
    ),
    Explanation(
        "unknown size",
        "no header says where the sound ends, so what follows is sound too, as players of raw samples take it",
        lambda recording, played, seconds: (
            {"sizes", "piped", "killed", "joined", "joined_other"} & set(recording.kinds) != set()
            and played.seconds < seconds <= recording.most_s + TOLERANCE_S
        ),
    ),
    Explanation(
        "junk",
        "ffmpeg plays a tag, filling bytes or another recording's bytes as sound, sertag does not",
        lambda recording, played, seconds: (
            (recording.spoken_s if recording.held_s is None else recording.held_s) - TOLERANCE_S
            <= seconds
            < played.seconds
        ),
    ),
)

# No difference in length. sertag's workers keep what libraries write from the terminal.
PRINTED = (
    "libmpg123",
    "the library complains of damaged frames on standard error, which is seen from Python and not on the command line",
)
_PRINTED_LINE = re.compile(r"\[src/libmpg123/layer3\.c:\w+\(\):\d+\] error: dequantization failed!")


def is_printed_by_mpg123(said: str) -> bool:
    r"""Whether that line is all that libraries wrote to standard error; what was kept of the last one may be cut.

    >>> is_printed_by_mpg123("[src/libmpg123/layer3.c:INT123_do_layer3():1804] error: dequantization failed!\n")
    True
    >>> is_printed_by_mpg123("Invalid data found\n"), is_printed_by_mpg123("")
    (False, False)
    """
    lines = said[: said.rfind("\n") + 1].splitlines()
    return bool(lines) and all(_PRINTED_LINE.fullmatch(line) for line in lines)


def longest_s(recording: Recording) -> float:
    """Seconds that a recording cannot exceed; VOC may play them more slowly than they were recorded."""
    return recording.most_s * (_SLOWEST_VOC if recording.format.container == "voc" else 1)


def frames_s(played: Played) -> float:
    """How long three frames of the slowest track's codec are, 0 where frames are samples."""
    return max(
        (3 * _FRAME_SAMPLES.get(track.codec, 0) / track.rate_hz for track in played.tracks if track.rate_hz), default=0
    )
