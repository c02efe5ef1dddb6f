"""Recordings of every container and codec, written by FFmpeg, and what sertag reads of them."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from sertag.audio.decode import open_audio
from sertag.records import Problem
from tests.audio_files import tones

SECONDS = 6.0
NEAR_S = 0.2  # coders add up to some frames at both ends

# name: (FFmpeg's container, options)
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
INDEXED = {"caf alac", "m4a aac", "m4a alac", "3gp aac", "mov pcm"}  # cannot be played without their end
STREAMS = {"adts aac", "ac3", "eac3", "mpegts aac", "mpegts mp2"}  # which may change at any frame
UNPIPED = INDEXED | {"tta", "wavpack"}  # which FFmpeg cannot write to a pipe


def ffmpeg(*arguments: str, data: bytes = b"") -> bytes:
    """Run FFmpeg; what it writes to its standard output."""
    command = ["ffmpeg", "-v", "error", "-y", *([] if data else ["-nostdin"]), *arguments]
    return subprocess.run(command, input=data or None, capture_output=True, check=True, timeout=60).stdout


def recording(kind: str, *, piped: bool = False) -> bytes:
    """Six seconds in stereo as FFmpeg writes them, to a file or as to a pipe, where no header can be corrected."""
    return recordings(tuple(sorted(ALL.keys() - UNPIPED) if piped else ALL), piped=piped)[kind]


@cache
def recordings(
    kinds: tuple[str, ...],
    seconds: float = SECONDS,
    *,
    rate_hz: int = 16_000,
    channels: int = 2,
    piped: bool = False,
) -> dict[str, bytes]:
    """Recordings of many kinds by one process of FFmpeg, because it takes longer to start than to write a file."""
    noise = np.random.default_rng(round(seconds * 10)).normal(0, 0.05, (round(seconds * rate_hz), channels))
    samples = noise + tones(seconds, rate_hz=rate_hz, channels=channels)  # noise, because no coder leaves it out
    command = ["-f", "s16le", "-ar", str(rate_hz), "-ac", str(channels), "-i", "pipe:0"]
    with tempfile.TemporaryDirectory() as folder:
        paths = {kind: Path(folder, str(number)) for number, kind in enumerate(kinds)}
        for kind, path in paths.items():
            container, options = ALL[kind]
            command += [*options, *(["-seekable", "0"] if piped else []), "-f", container, str(path)]
        ffmpeg(*command, data=(samples * 32767).astype("<i2").tobytes())
        return {kind: path.read_bytes() for kind, path in paths.items()}


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


def loud(samples: np.ndarray, start_s: float, stop_s: float) -> float:
    return float(np.sqrt(np.mean(samples[round(start_s * 8000) : round(stop_s * 8000)] ** 2)))


def pitch_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * 8000 / len(samples))
