"""Is a difference between what sertag reads and what ffmpeg plays right? The table of explained ones stands here.

A case is `same` where both agree, `explained` by a row of `EXPLANATIONS`, `announced` where sertag says itself that
sound is missing, and `unexplained` else. Sertag must give what the file holds by construction where that is known, for
ffmpeg believes wrong headers too, and what ffmpeg plays where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.torture.differential.ffmpeg import OUTLINE_S, Outline, Played
from benchmarks.torture.differential.recording import Recording

TOLERANCE_S = 0.2
LEAST_S = 0.5  # ffmpeg must play at least this much before sertag may not refuse a file
_LAG = 8  # stretches by which outlines may be shifted
_SPEECH, _SILENCE = 0.02, 0.1  # magnitude of speech, and the share of it under which it is gone
_ALIKE, _PARTLY_ALIKE = 0.85, 0.7  # correlation of outlines, of the whole and of a part of a damaged recording
_PART, _PART_LAG = 40, 60  # of damaged recordings parts of 2 s are compared, 3 s from their place at most
_BAD_PARTS = 2  # what damage itself may spoil
_TIMED = (
    "mkv",
    "webm",
    "mp4",
    "mp4-fragmented",
    "m4a",
    "mov",
    "3gp",
    "asf",
    "flv",
    "mpegts",
    "ogg",
)  # packets have times
_MISPLAYED = ("rifx",)  # ffmpeg takes the samples of RIFX for little-endian ones, and plays noise
_FRAME_SAMPLES = {"aac": 1024, "mp3": 1152, "mp2": 1152, "ac3": 1536, "eac3": 1536, "wmav1": 2048, "wmav2": 2048}
_FOREIGN = re.compile(
    r"libsndfile|FFmpeg|SF_INFO|Internal error|possibly a pipe|Invalid data found|not found|psf_|Errno|Traceback"
)


@dataclass(frozen=True, slots=True)
class Read:
    """What sertag read; `code` is that of the error that refused the file, `ended` how its process failed."""

    seconds: float = 0.0
    channels: int = 0
    rate_hz: int = 0
    code: str = ""
    message: str = ""
    note_code: str = ""
    note: str = ""
    said: str = ""
    ended: str = ""
    outline: Any = field(default_factory=list)

    @property
    def lengths(self) -> int:
        """How many lengths in seconds its note gives."""
        return len(re.findall(r"\d+\.\d+ s\b", self.note))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` is one of `same`, `explained`, `announced`, `unexplained`; `reason` says why, `detail` with figures."""

    kind: str
    reason: str
    detail: str = ""


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
        lambda recording, played, seconds: abs(seconds - played.seconds) <= _frames_s(played),
    ),
    Explanation(
        "content",
        "ffmpeg believes a wrong header or stops behind the first recording, sertag reads all that the file holds",
        lambda recording, played, seconds: (
            recording.held_s is not None and abs(seconds - recording.held_s) <= TOLERANCE_S + _frames_s(played)
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
            recording.held_s is None and played.seconds < seconds <= recording.most_s + TOLERANCE_S + _frames_s(played)
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
        "ffmpeg plays a tag or filling bytes behind the sound, sertag does not",
        lambda recording, played, seconds: (
            recording.held_s is not None and recording.held_s - TOLERANCE_S <= seconds < played.seconds
        ),
    ),
)


def judge(recording: Recording, played: Played, read: Read) -> Verdict:
    """Compare both sides of a case."""
    for check in (_fallen, _refused, _shape, _length, _content, _false_note, _foreign_words, _agreed):
        verdict = check(recording, played, read)
        if verdict is not None:
            return verdict
    raise AssertionError("`_agreed` always has a verdict")


def _fallen(recording: Recording, played: Played, read: Read) -> Verdict | None:
    if read.ended or read.code == "raised":
        return Verdict("unexplained", read.ended or "raised", read.message)
    return None


def _refused(recording: Recording, played: Played, read: Read) -> Verdict | None:
    if not read.code:
        return None
    if played.seconds >= LEAST_S:
        return Verdict("unexplained", f"refused ({read.code})", f"ffmpeg {played.seconds:.3f} s; {read.message}")
    return _foreign_words(recording, played, read) or Verdict("same", "neither reads it", read.message)


def _foreign_words(recording: Recording, played: Played, read: Read) -> Verdict | None:
    if read.said:
        return Verdict("unexplained", "a library prints", read.said)
    words = read.message or read.note
    return Verdict("unexplained", "foreign words", words) if _FOREIGN.search(words) else None


def _shape(recording: Recording, played: Played, read: Read) -> Verdict | None:
    """Channels and rate; where ffmpeg plays nothing, those that the file was made with."""
    made = recording.channels * recording.format.tracks
    if read.channels not in (played.channels or made, made):
        return Verdict("unexplained", "channels", f"{read.channels} instead of {played.channels or made}")
    rates_hz = {recording.rate_hz, *(track.rate_hz for track in played.tracks)}  # of Opus both are true
    if read.rate_hz not in rates_hz:
        return Verdict("unexplained", "rate", f"{read.rate_hz} Hz instead of {sorted(rates_hz)} Hz")
    return None


def _length(recording: Recording, played: Played, read: Read) -> Verdict | None:
    """None where nothing is missing and nothing is too much, so that the content is compared."""
    seconds, held_s = read.seconds, recording.held_s
    slack_s = TOLERANCE_S + (_frames_s(played) if held_s is not None else 0)
    wanted_s = held_s if held_s is not None else played.seconds
    detail = f"{seconds:.3f} s, ffmpeg {played.seconds:.3f} s (with clock {played.clock_s:.3f} s), held {held_s}"
    if seconds < wanted_s - slack_s:
        return _announced(played, read, detail) or Verdict("unexplained", "lost in silence", detail)
    holes = {"time_hole", "packets_lost"} & set(recording.kinds) and recording.format.container in _TIMED
    if holes and held_s is None and seconds < played.clock_s - TOLERANCE_S - _frames_s(played):
        return Verdict("unexplained", "clock not kept", detail)
    if seconds > max(played.seconds, played.clock_s, recording.most_s) + slack_s:
        return Verdict("unexplained", "too much", detail)
    return None


def _announced(played: Played, read: Read, detail: str) -> Verdict | None:
    if not read.note:
        return None
    if played.seconds > read.seconds + TOLERANCE_S:
        complete = read.note_code == "truncated" and read.lengths >= 2
        return Verdict("announced", "ffmpeg plays more", f"{detail}; {read.note}") if complete else None
    return Verdict("announced", "something behind the end", f"{detail}; {read.note}")


def _content(recording: Recording, played: Played, read: Read) -> Verdict | None:
    """Every channel sounds as ffmpeg's does, in one of its two timings."""
    if recording.format.container in _MISPLAYED:
        return None
    compare = _differences if recording.held_s is not None else _differences_in_parts
    plain = [channel for track in played.tracks for channel in track.outline]
    clock = [channel for track in played.tracks for channel in track.clock_outline]
    for number, own in enumerate(np.asarray(read.outline, dtype=np.float32)[: len(plain)]):
        reasons = [compare(own, other[number]) for other in (plain, clock)]
        if all(reasons):
            swapped = len(clock) > 1 and any(not compare(own, channel) for channel in clock)
            return Verdict(
                "unexplained", "channel order" if swapped else "other content", f"channel {number}: {reasons[0]}"
            )
    return None


def _false_note(recording: Recording, played: Played, read: Read) -> Verdict | None:
    """A complete file is said to be truncated."""
    lies = ("sizes", "junk_behind", "junk_before", "two_data", "joined", "joined_other")
    whole = recording.held_s is not None and not any(kind in lies for kind in recording.kinds)
    if whole and read.note_code == "truncated":
        return Verdict("unexplained", "false note", read.note)
    lengths_s = [float(length) for length in re.findall(r"(\d+\.\d+) s\b", read.note)]
    most_s = recording.most_s + 1 + _frames_s(played)
    if "sizes" not in recording.kinds and max(lengths_s, default=0) > most_s:
        return Verdict("unexplained", "false length", f"at most {recording.most_s:.3f} s; {read.note}")
    return None


def _agreed(recording: Recording, played: Played, read: Read) -> Verdict:
    if abs(read.seconds - played.seconds) <= TOLERANCE_S:
        return Verdict("same", "the lengths agree")
    name = _explained(recording, played, read.seconds)
    detail = f"{read.seconds:.3f} s, ffmpeg {played.seconds:.3f} s (with clock {played.clock_s:.3f} s)"
    return Verdict("explained", name, detail) if name else Verdict("unexplained", "other length", detail)


def _explained(recording: Recording, played: Played, seconds: float) -> str:
    if abs(seconds - played.seconds) <= TOLERANCE_S and recording.held_s is None:
        return "same"
    return next((one.name for one in EXPLANATIONS if one.holds(recording, played, seconds)), "")


def _frames_s(played: Played) -> float:
    return max(
        (3 * _FRAME_SAMPLES.get(track.codec, 0) / track.rate_hz for track in played.tracks if track.rate_hz), default=0
    )


def _differences(own: Outline, other: Outline) -> str:
    """How two outlines of a whole recording differ, nothing where they do not; they may begin at other times."""
    alike, gone_s = max(_compared(own, other, lag) for lag in range(-_LAG, _LAG + 1))
    if gone_s > LEAST_S:
        return f"{gone_s:.2f} s are silence instead of speech"
    return "" if alike >= _ALIKE else f"the outlines correlate {alike:.2f}"


def _differences_in_parts(own: Outline, other: Outline) -> str:
    """The same of damaged recordings, whose parts may have moved."""
    bad = []
    for start in range(0, min(len(own), len(other)) - _PART + 1, _PART):
        part = other[start : start + _PART]
        places = [own[at : at + _PART] for at in range(max(0, start - _PART_LAG), start + _PART_LAG + 1)]
        if max((_compared(place, part, 0)[0] for place in places), default=1.0) < _PARTLY_ALIKE:
            bad.append(start * OUTLINE_S)
    return f"other sound at {bad[0]:.0f} s and {len(bad) - 1} other places" if len(bad) > _BAD_PARTS else ""


def _compared(own: Outline, other: Outline, lag: int) -> tuple[float, float]:
    """Correlation of two outlines at a lag, and how many seconds of speech are silence in `own`."""
    one, two = (own[lag:], other) if lag >= 0 else (own, other[-lag:])
    size = min(len(one), len(two))
    one, two = one[:size], two[:size]
    if size < 2 * _LAG or two.std() < _SPEECH / 10:
        return 1.0, 0.0  # too short or too quiet to say
    alike = float(np.corrcoef(one, two)[0, 1]) if one.std() > _SPEECH / 1000 else 0.0
    return alike, float(np.sum((two > _SPEECH) & (one < _SILENCE * two)) * OUTLINE_S)
