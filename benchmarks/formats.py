"""Which recordings can be read, tried: FFmpeg writes one of every container and codec, and sertag reads it.

    python -m benchmarks.formats --out benchmarks/results/formats.json

Each is read twice, as installed and with the extra `av`, and has to be as long as FFmpeg itself plays it, with as many
channels and nothing to be said about it. The table of formats in docs/formats.md is made of the results.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_RESULTS = Path(__file__).parent / "results" / "formats.json"
NEAR_S = 0.2  # coders add up to some frames at both ends

_READ = (
    "import sys\n"
    "if sys.argv[2] == 'without': sys.modules['av'] = None\n"
    "from sertag.audio.decode import open_audio\n"
    "with open_audio(sys.argv[1]) as audio:\n"
    "    for _ in audio.blocks(rate_hz=8000): pass\n"
    "    print(audio.duration_s, audio.channels, audio.problem.code if audio.problem else '-')\n"
)


@dataclass(frozen=True, slots=True)
class Format:
    """How FFmpeg writes a kind of recording.

    Attributes:
        container: for the table.
        codec: for the table.
        suffix: of the file; decides how it is read only where there is no header.
        options: of FFmpeg, container included.
        rate_hz, channels: what the codec can hold.
        content: the file itself, for what FFmpeg cannot write: 6 s of frames without sound.
    """

    container: str
    codec: str
    suffix: str
    options: tuple[str, ...]
    rate_hz: int = 16_000
    channels: int = 2
    content: bytes = b""


def _formats(container: str, suffix: str, name: str, codecs: dict[str, str | tuple[str, ...]]) -> list[Format]:
    """Formats of one container: FFmpeg's name of it, and the name of each codec with FFmpeg's."""
    return [
        Format(container, title, suffix, ("-c:a", coder, "-f", name))
        if isinstance(coder, str)
        else Format(container, title, suffix, (*coder, "-f", name))
        for title, coder in codecs.items()
    ]


_PHONE = {"rate_hz": 8000, "channels": 1}
FORMATS: tuple[Format, ...] = (
    *_formats(
        "WAV",
        ".wav",
        "wav",
        {"PCM": "pcm_s16le", "PCM (8 bits)": "pcm_u8", "PCM (24)": "pcm_s24le", "PCM (32)": "pcm_s32le"},
    ),
    *_formats(
        "WAV", ".wav", "wav", {"float": "pcm_f32le", "double": "pcm_f64le", "µ-law": "pcm_mulaw", "A-law": "pcm_alaw"}
    ),
    *_formats("WAV", ".wav", "wav", {"MS ADPCM": "adpcm_ms", "IMA ADPCM": "adpcm_ima_wav", "MP3": "libmp3lame"}),
    Format("WAV", "GSM", ".wav", ("-c:a", "libgsm_ms", "-f", "wav"), **_PHONE),
    Format("WAV", "G.726", ".wav", ("-c:a", "g726", "-b:a", "32k", "-f", "wav"), **_PHONE),
    *_formats("RF64", ".wav", "wav", {"PCM": ("-rf64", "always")}),
    *_formats("W64", ".w64", "w64", {"PCM": "pcm_s16le", "µ-law": "pcm_mulaw"}),
    *_formats("AIFF", ".aiff", "aiff", {"PCM": "pcm_s16be", "µ-law": "pcm_mulaw"}),
    *_formats("AU", ".au", "au", {"PCM": "pcm_s16be", "µ-law": "pcm_mulaw", "A-law": "pcm_alaw"}),
    *_formats("CAF", ".caf", "caf", {"PCM": "pcm_s16be", "µ-law": "pcm_mulaw", "ALAC": "alac"}),
    *_formats("FLAC", ".flac", "flac", {"FLAC": "flac"}),
    *_formats("MP3", ".mp3", "mp3", {"MP3": "libmp3lame"}),
    *_formats("MP2", ".mp2", "mp2", {"MP2": "mp2"}),
    *_formats("Ogg", ".ogg", "ogg", {"Vorbis": "libvorbis", "Opus": "libopus", "FLAC": "flac"}),
    Format("Ogg", "Speex", ".spx", ("-c:a", "libspeex", "-f", "ogg"), channels=1),
    *_formats("MP4, M4A", ".m4a", "ipod", {"AAC": "aac", "ALAC": "alac"}),
    *_formats("MOV", ".mov", "mov", {"PCM": "pcm_s16le", "AAC": "aac", "µ-law": "pcm_mulaw"}),
    *_formats("3GP", ".3gp", "3gp", {"AAC": "aac"}),
    *_formats(
        "Matroska",
        ".mkv",
        "matroska",
        {"PCM": "pcm_s16le", "Opus": "libopus", "AAC": "aac", "FLAC": "flac", "MP3": "libmp3lame"},
    ),
    *_formats("WebM", ".webm", "webm", {"Opus": "libopus", "Vorbis": "libvorbis"}),
    *_formats("AAC", ".aac", "adts", {"AAC": "aac"}),
    *_formats("WMA", ".wma", "asf", {"WMA": "wmav2"}),
    *_formats("AVI", ".avi", "avi", {"PCM": "pcm_s16le", "MP3": "libmp3lame"}),
    *_formats("MPEG-TS", ".ts", "mpegts", {"AAC": "aac", "MP2": "mp2"}),
    *_formats("AC-3", ".ac3", "ac3", {"AC-3": "ac3"}),
    *_formats("WavPack", ".wv", "wv", {"WavPack": "wavpack"}),
    *_formats("TTA", ".tta", "tta", {"TTA": "tta"}),
    Format("no header", "µ-law (.ul .ulaw .pcmu)", ".ulaw", ("-f", "mulaw"), **_PHONE),
    Format("no header", "A-law (.al .alaw .pcma)", ".alaw", ("-f", "alaw"), **_PHONE),
    Format("no header", "PCM (.sln .sln8 … .sln192)", ".sln16", ("-f", "s16le"), 16_000, 1),
    Format("no header", "GSM (.gsm)", ".gsm", ("-c:a", "libgsm", "-f", "gsm"), **_PHONE),
    Format("no header", "Dialogic ADPCM (.vox)", ".vox", (), **_PHONE, content=b"\x08" * 24_000),
    Format("AMR", "AMR", ".amr", (), **_PHONE, content=b"#!AMR\n" + (b"\x3c" + bytes(31)) * 300),
    Format("AMR", "AMR-WB", ".awb", (), 16_000, 1, b"#!AMR-WB\n" + (b"\x0c" + bytes(23)) * 300),
    Format("no header", "G.722 (.g722)", ".g722", ("-f", "g722"), 16_000, 1),
)


def write(form: Format, path: Path, *, seconds: float = 6.0) -> None:
    """Write a recording of a format: noise and a tone.

    Raises:
        subprocess.CalledProcessError: FFmpeg cannot; its message is in `stderr`.
    """
    if form.content:
        path.write_bytes(form.content)
        return
    count = round(seconds * form.rate_hz)
    time_s = np.arange(count)[:, None] / form.rate_hz
    tone = 0.2 * np.sin(2 * np.pi * np.array([440.0, 660.0])[: form.channels] * time_s)
    noise = np.random.default_rng(1).normal(0, 0.05, (count, form.channels))
    source = ["-f", "s16le", "-ar", str(form.rate_hz), "-ac", str(form.channels), "-i", "pipe:0"]
    command = ["ffmpeg", "-v", "error", "-y", *source, *form.options, str(path)]
    samples = ((tone + noise) * 32767).astype("<i2").tobytes()
    subprocess.run(command, input=samples, capture_output=True, check=True, timeout=60)  # noqa: S603 - of this module


def played_s(path: Path, form: Format) -> float:
    """Seconds that FFmpeg plays; samples without a header are as long as they were written."""
    if form.container == "no header":
        return 6.0
    command = ["ffmpeg", "-v", "quiet", "-nostdin", "-i", str(path), "-map", "0:a:0", "-ac", "1", "-ar", "8000"]
    command += ["-f", "s16le", "-"]
    played = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603 - of this module
    return len(played.stdout) / 16e3


def is_read(path: Path, form: Format, *, extra: bool) -> bool:
    """Whether sertag reads a recording whole, with or without PyAV, in a process of its own."""
    command = [sys.executable, "-c", _READ, str(path), "with" if extra else "without"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - of this module
    if done.returncode:
        return False
    seconds, channels, note = done.stdout.split()
    whole = abs(float(seconds) - played_s(path, form)) < NEAR_S
    return whole and int(channels) == form.channels and note == "-"


def page(table: Callable[[Sequence[str], Sequence[Sequence[str]]], str]) -> str:
    """What can be read, as installed and with the extra, from the results of `python -m benchmarks.formats`."""
    tried = json.loads(_RESULTS.read_text(encoding="utf-8"))
    rows = []
    for container in dict.fromkeys(row["container"] for row in tried):
        own = [row for row in tried if row["container"] == container]
        plain = [row["codec"] for row in own if row["plain"]]
        extra = [row["codec"] for row in own if row["extra"] and not row["plain"]]
        rows.append([container, ", ".join(plain), ", ".join(extra)])
    return table(["container", "reads as installed", "with `sertag[av]`"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all; the exit code is 1 where one is not read with the extra."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "formats.json")
    options = parser.parse_args(arguments)
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMATS:
            path = Path(folder) / f"call{form.suffix}"
            write(form, path)
            plain, extra = (is_read(path, form, extra=extra) for extra in (False, True))
            found.append({"container": form.container, "codec": form.codec, "plain": plain, "extra": extra})
            sys.stderr.write(
                f"{form.container} {form.codec}: {'plain' if plain else 'extra' if extra else 'NOT READ'}\n"
            )
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in found)
    options.out.write_text(f"[\n{rows}\n]\n", encoding="utf-8")
    return 0 if all(row["extra"] for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
