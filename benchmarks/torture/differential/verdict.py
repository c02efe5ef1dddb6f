"""Is a difference between what sertag reads and what ffmpeg plays right? The table of explained ones stands here.

A case is `same` where both agree, `explained` by a row of `EXPLANATIONS`, `announced` where sertag says itself that
sound is missing, and `unexplained` else. Sertag must give what the file holds by construction where that is known, for
ffmpeg believes wrong headers too, and what ffmpeg plays where it is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.torture.differential.explanations import (
    EXPLANATIONS,
    PRINTED,
    TOLERANCE_S,
    frames_s,
    is_printed_by_mpg123,
    longest_s,
)
from benchmarks.torture.differential.ffmpeg import Played
from benchmarks.torture.differential.outlines import differences, differences_in_parts
from benchmarks.torture.differential.recordings.recording import Recording

LEAST_S = 0.5  # ffmpeg must play at least this much before sertag may not refuse a file
_NOISE_ERRORS = 50  # complaints of ffmpeg from which on both play noise, as of ADPCM whose bytes have moved
# Containers whose packets have times.
_OPUS_RATE_HZ = 48_000
_TIMED = ("mkv", "webm", "mp4", "mp4-fragmented", "m4a", "mov", "3gp", "asf", "flv", "mpegts", "ogg")
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
    if read.said and not is_printed_by_mpg123(read.said):
        return Verdict("unexplained", "a library prints", read.said)
    words = read.message or read.note
    return Verdict("unexplained", "foreign words", words) if _FOREIGN.search(words) else None


def _shape(recording: Recording, played: Played, read: Read) -> Verdict | None:
    """Channels and rate; where ffmpeg plays nothing, those that the file was made with."""
    made = recording.channels * recording.format.tracks
    if read.channels not in (played.channels or made, made):
        return Verdict("unexplained", "channels", f"{read.channels} instead of {played.channels or made}")
    rates_hz = {recording.rate_hz, *(track.rate_hz for track in played.tracks)}
    if recording.format.codec == "opus":  # it is decoded in one rate, whatever was put in
        rates_hz.add(_OPUS_RATE_HZ)
    if read.rate_hz not in rates_hz:
        return Verdict("unexplained", "rate", f"{read.rate_hz} Hz instead of {sorted(rates_hz)} Hz")
    return None


def _length(recording: Recording, played: Played, read: Read) -> Verdict | None:
    """None where nothing is missing and nothing is too much, so that the content is compared."""
    seconds, held_s = read.seconds, recording.held_s
    slack_s = TOLERANCE_S + frames_s(played)
    wanted_s = held_s if held_s is not None else min(played.seconds, recording.spoken_s)  # more than that is junk
    detail = f"{seconds:.3f} s, ffmpeg {played.seconds:.3f} s (with clock {played.clock_s:.3f} s), held {held_s}"
    if seconds < wanted_s - (slack_s if held_s is not None else TOLERANCE_S):
        return _announced(played, read, detail) or Verdict("unexplained", "lost in silence", detail)
    holes = {"time_hole", "packets_lost"} & set(recording.kinds) and recording.format.container in _TIMED
    if holes and held_s is None and seconds < played.clock_s - slack_s:
        return Verdict("unexplained", "clock not kept", detail)
    if seconds > max(played.seconds, played.clock_s, longest_s(recording)) + slack_s:
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
    """Every channel sounds as the speech in it did, or as ffmpeg's does in one of its two timings."""
    if not recording.format.speaks:  # pauses are silence for sertag, and whatever the decoder does there for ffmpeg
        return None
    if recording.held_s is None and played.errors >= _NOISE_ERRORS:
        return None
    moved = recording.held_s is None or {"joined", "joined_other", "two_data"} & set(recording.kinds)
    compare = differences_in_parts if moved else differences
    sides = [[channel for track in played.tracks for channel in track.outline]]
    sides += [[channel for track in played.tracks for channel in track.clock_outline]]
    sides += [list(recording.truth)] if recording.truth is not None else []
    for number, own in enumerate(np.asarray(read.outline, dtype=np.float32)):
        reasons = [compare(own, side[number]) for side in sides if number < len(side)]
        if reasons and all(reasons):
            swapped = any(not compare(own, channel) for channel in sides[-1])
            name = "channel order" if swapped else "other content"
            return Verdict("unexplained", name, f"channel {number}: {reasons[-1]}")
    return None


def _false_note(recording: Recording, played: Played, read: Read) -> Verdict | None:
    """A complete file is said to be truncated."""
    lies = ("sizes", "junk_behind", "junk_before", "two_data", "joined", "joined_other")
    lies += ("zeros_behind",) if recording.format.container == "amr" else ()  # a zero is the beginning of a frame
    whole = recording.held_s is not None and not any(kind in lies for kind in recording.kinds)
    if whole and read.note_code == "truncated":
        return Verdict("unexplained", "false note", read.note)
    lengths_s = [float(length) for length in re.findall(r"(\d+\.\d+) s\b", read.note)]
    most_s = recording.most_s + 1 + frames_s(played)
    if "sizes" not in recording.kinds and max(lengths_s, default=0) > max(most_s, read.seconds + 1):
        return Verdict("unexplained", "false length", f"at most {recording.most_s:.3f} s; {read.note}")
    return None


def _agreed(recording: Recording, played: Played, read: Read) -> Verdict:
    if abs(read.seconds - played.seconds) <= TOLERANCE_S:
        return Verdict("explained", PRINTED[0], read.said) if read.said else Verdict("same", "the lengths agree")
    name = _explained(recording, played, read.seconds)
    detail = f"{read.seconds:.3f} s, ffmpeg {played.seconds:.3f} s (with clock {played.clock_s:.3f} s)"
    if name:
        return Verdict("explained", name, detail)
    if read.note and read.seconds > played.seconds:
        return Verdict("announced", "more than the header says", f"{detail}; {read.note}")
    return Verdict("unexplained", "other length", detail)


def _explained(recording: Recording, played: Played, seconds: float) -> str:
    if abs(seconds - played.seconds) <= TOLERANCE_S and recording.held_s is None:
        return "same"
    return next((one.name for one in EXPLANATIONS if one.holds(recording, played, seconds)), "")
