"""What ffmpeg plays of a file: every audio track, how long, at its own rate, and the outline of its loudness.

Each track is decoded twice, as it comes and with the clock kept (`aresample=async=1`), because a hole in the timestamps
is nothing in the one and silence in the other. Outlines are mean magnitudes of stretches of `OUTLINE_S`.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.torture.differential.outlines import RATE_HZ, Outline, outline

LONGEST_S = 400.0  # a wrong timestamp may mean years of silence
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Track:
    """One audio track.

    Attributes:
        channels, rate_hz: its own.
        codec: as ffmpeg names it.
        played_s: how much is played.
        clock_s: when it ends where holes are filled with silence; starts count from the first track's.
        packets_s: how long its packets say they are, those that cannot be decoded included.
        outline, clock_outline: float32 (channels, n), of both.
    """

    channels: int
    rate_hz: int
    codec: str
    played_s: float
    clock_s: float
    packets_s: float
    outline: Outline
    clock_outline: Outline


@dataclass(frozen=True, slots=True)
class Played:
    """What ffmpeg plays.

    Attributes:
        tracks: those of which anything is played.
        errors: how many complaints there were.
        said: the first of them.
        forced: whether it had to be told what the file is.
    """

    tracks: tuple[Track, ...]
    errors: int
    said: str
    forced: bool = False

    @property
    def seconds(self) -> float:
        """How much of the longest track is played."""
        return max((track.played_s for track in self.tracks), default=0.0)

    @property
    def clock_s(self) -> float:
        """When the last track ends."""
        return max((track.clock_s for track in self.tracks), default=0.0)

    @property
    def channels(self) -> int:
        """Of all tracks together."""
        return sum(track.channels for track in self.tracks)


def play(path: Path, *, muxer: str) -> Played:
    """Decode a file with ffmpeg.

    Args:
        path: the file.
        muxer: what ffmpeg calls the container; used only where ffmpeg does not see it.
    """
    played = _play(path, [])
    if played.seconds >= 0.1:
        return played
    forced = _play(path, ["-f", {"ipod": "mov", "3gp": "mov", "adts": "aac"}.get(muxer, muxer)])
    return Played(forced.tracks, forced.errors, forced.said, True) if forced.seconds else played


def packet_seconds(path: Path) -> list[float]:
    """How long the packets of each audio track of a file say they are."""
    about = _probe(path, [])
    streams = [stream for stream in about.get("streams", []) if stream.get("codec_type") == "audio"]
    return [_packets_s(stream, about) for stream in streams]


def _play(path: Path, form: list[str]) -> Played:
    about = _probe(path, form)
    streams = [stream for stream in about.get("streams", []) if stream.get("codec_type") == "audio"]
    outputs: list[str] = []
    for number, stream in enumerate(streams):
        common = ["-map", f"0:a:{number}", "-ac", str(stream.get("channels") or 1), "-t", str(LONGEST_S)]
        for clock in (False, True):
            filter = "aresample=async=1:first_pts=0" if clock else "anull"
            target = path.with_name(f"{path.name}.{number}.{int(clock)}.raw")
            outputs += [*common, "-af", filter, "-ar", str(RATE_HZ), "-f", "f32le", str(target)]
    if not outputs:
        return Played((), 1, "no audio track")
    said = _run(["ffmpeg", "-v", "error", "-nostdin", "-y", *form, "-i", str(path), *outputs])[1].splitlines()
    tracks = [_track(path, number, stream, about) for number, stream in enumerate(streams)]
    return Played(tuple(track for track in tracks if track.played_s > 0), len(said), said[0] if said else "")


def _track(path: Path, number: int, stream: dict[str, Any], about: dict[str, Any]) -> Track:
    channels = int(stream.get("channels") or 1)
    samples = []
    for clock in (0, 1):
        raw = path.with_name(f"{path.name}.{number}.{clock}.raw")
        flat = np.fromfile(raw, dtype="<f4") if raw.exists() else np.empty(0, np.float32)
        flat = np.clip(np.nan_to_num(flat), -1, 1)  # as sertag does; flipped bytes make any float
        samples.append(flat[: len(flat) // channels * channels].reshape(-1, channels).T)  # (c, n)
        raw.unlink(missing_ok=True)
    seconds = [one.shape[1] / RATE_HZ for one in samples]
    rate_hz, codec = int(stream.get("sample_rate") or 0), str(stream.get("codec_name"))
    return Track(channels, rate_hz, codec, *seconds, _packets_s(stream, about), *(outline(one) for one in samples))


def _packets_s(stream: dict[str, Any], about: dict[str, Any]) -> float:
    packets = [packet for packet in about.get("packets", []) if packet.get("stream_index") == stream.get("index")]
    return sum(float(packet.get("duration_time") or 0) for packet in packets)


def _probe(path: Path, form: list[str]) -> dict[str, Any]:
    entries = "stream=index,codec_type,codec_name,channels,sample_rate,start_time:packet=stream_index,duration_time"
    command = ["ffprobe", "-v", "quiet", *form, "-show_entries", entries, "-of", "json", str(path)]
    text = _run(command)[0]
    about: dict[str, Any] = json.loads(text) if text.strip() else {}
    return about


def _run(command: list[str]) -> tuple[str, str]:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=LIMIT_S)  # noqa: S603
    except subprocess.TimeoutExpired:
        return "", f"{command[0]} did not end within {LIMIT_S:g} s"
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
