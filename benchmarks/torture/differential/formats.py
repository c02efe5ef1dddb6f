"""Every container and codec that the differential run makes, and how each is written.

Most are written by ffmpeg, which can write into a pipe as recorders do; what it cannot write, libsndfile and sox do,
and AMR with pauses and AMR-WB are put together from frames. Everything is the same bytes each time.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.torture.differential.speech import Sound
from benchmarks.torture.mutants import without_chance

ANY_HZ = (8000, 16_000, 44_100, 48_000)
Make = Callable[[Sound, Path, bool], bytes]  # the sound, a folder to work in, whether into a pipe


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file.

    Attributes:
        container, codec: as a report names them.
        suffix: of its name.
        muxer: what ffmpeg calls the container, for files that it does not recognise and for changes without decoding.
        make: writes it.
        rates_hz, channels: that it can have.
        tracks: how many audio tracks it has.
        pipes: whether it can be written into a pipe.
    """

    container: str
    codec: str
    suffix: str
    muxer: str
    make: Make
    rates_hz: tuple[int, ...] = ANY_HZ
    channels: tuple[int, ...] = (1, 2)
    tracks: int = 1
    pipes: bool = False

    @property
    def name(self) -> str:
        """Container and codec."""
        return f"{self.container}/{self.codec}" + (f"*{self.tracks}" if self.tracks > 1 else "")


def formats() -> tuple[Format, ...]:
    """All of them, always in the same order."""
    return (*_chunked(), *_elementary(), *_packets(), *_several_tracks(), *_by_sndfile(), *_amr())


def ffmpeg(*arguments: str) -> bytes:
    """Run ffmpeg; what it writes to standard output.

    Raises:
        RuntimeError: it failed; the message holds its words.
    """
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)  # noqa: S603
    if done.returncode:
        said = done.stderr.decode(errors="replace")[-500:]
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {said}")
    return done.stdout


def _chunked() -> list[Format]:
    """WAV and its kin, AU, CAF, AIFF: samples behind a header that says how many."""
    pcm = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_u8", "pcm_mulaw", "pcm_alaw")
    adpcm = ("adpcm_ima_wav", "adpcm_ms")
    return [
        *(_by_ffmpeg("wav", codec, ".wav", "wav") for codec in (*pcm, *adpcm)),
        _by_ffmpeg("wav", "gsm_ms", ".wav", "wav", encoder="libgsm_ms", rates_hz=(8000,), channels=(1,)),
        _by_ffmpeg("wav", "mp3", ".wav", "wav", encoder="libmp3lame"),
        _by_ffmpeg("wav", "g722", ".wav", "wav", rates_hz=(16_000,), channels=(1,)),
        _by_ffmpeg("wav", "g726", ".wav", "wav", rates_hz=(8000,), channels=(1,)),
        *(_by_ffmpeg("rf64", codec, ".wav", "wav", "-rf64", "always") for codec in ("pcm_s16le", "pcm_mulaw")),
        _renamed(_by_ffmpeg("bw64", "pcm_s16le", ".wav", "wav", "-rf64", "always"), b"RF64", b"BW64"),
        *(_by_ffmpeg("w64", codec, ".w64", "w64") for codec in ("pcm_s16le", "pcm_s24le", "pcm_mulaw", "adpcm_ms")),
        *(_by_ffmpeg("au", codec, ".au", "au") for codec in ("pcm_s16be", "pcm_mulaw", "pcm_alaw", "pcm_f32be")),
        *(_by_ffmpeg("caf", codec, ".caf", "caf") for codec in ("pcm_s16be", "pcm_s16le", "pcm_mulaw", "pcm_alaw")),
        *(_by_ffmpeg("caf", codec, ".caf", "caf", pipes=False) for codec in ("alac", "adpcm_ima_qt")),
        *(_by_ffmpeg("aiff", codec, ".aiff", "aiff", pipes=False) for codec in ("pcm_s16be", "pcm_s24be")),
        *(_by_ffmpeg("aifc", codec, ".aifc", "aiff", pipes=False) for codec in ("pcm_s16le", "pcm_mulaw", "pcm_f32be")),
        *(_by_ffmpeg("voc", codec, ".voc", "voc") for codec in ("pcm_u8", "pcm_s16le", "pcm_alaw")),
    ]


def _elementary() -> list[Format]:
    """Frames that follow each other with little or nothing around them."""
    xing = ("-write_xing", "0")
    vbr = ("-q:a", "4")
    return [
        _by_ffmpeg("flac", "flac", ".flac", "flac"),
        *(_by_ffmpeg("mp3", f"mp3-{kind}", ".mp3", "mp3", *options, encoder="libmp3lame") for kind, options in (
            ("cbr", ()), ("cbr-bare", (*xing, "-id3v2_version", "0")), ("vbr", vbr), ("vbr-bare", (*xing, *vbr)),
        )),
        _by_ffmpeg("mp2", "mp2", ".mp2", "mp2", rates_hz=(16_000, 44_100, 48_000)),
        _by_ffmpeg("adts", "aac", ".aac", "adts"),
        _by_ffmpeg("ac3", "ac3", ".ac3", "ac3", rates_hz=(44_100, 48_000)),
        _by_ffmpeg("eac3", "eac3", ".eac3", "eac3", rates_hz=(44_100, 48_000)),
        _by_ffmpeg("wv", "wavpack", ".wv", "wv"),
        _by_ffmpeg("tta", "tta", ".tta", "tta", pipes=False),
    ]  # fmt: skip


def _packets() -> list[Format]:
    """Containers whose packets have times."""
    fragmented = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "2000000")
    in_mkv = ("pcm_s16le", "libopus", "flac", "aac", "libmp3lame", "libvorbis", "ac3", "pcm_alaw")
    return [
        *(_by_ffmpeg("ogg", codec, ".ogg", "ogg") for codec in ("libvorbis", "libopus", "flac")),
        _by_ffmpeg("ogg", "libspeex", ".spx", "ogg", rates_hz=(8000, 16_000)),
        *(_by_ffmpeg("m4a", codec, ".m4a", "ipod", pipes=False) for codec in ("aac", "alac")),
        _by_ffmpeg("m4a", "aac-index-first", ".m4a", "ipod", "-movflags", "faststart", encoder="aac", pipes=False),
        *(_by_ffmpeg("mp4-fragmented", codec, ".mp4", "mp4", *fragmented) for codec in ("aac", "libopus")),
        *(_by_ffmpeg("mov", codec, ".mov", "mov", pipes=False) for codec in ("aac", "pcm_s16le", "pcm_mulaw", "alac")),
        *(_by_ffmpeg("mkv", codec, ".mkv", "matroska") for codec in in_mkv),
        *(_by_ffmpeg("webm", codec, ".webm", "webm") for codec in ("libopus", "libvorbis")),
        *(_by_ffmpeg("asf", codec, ".wma", "asf") for codec in ("wmav1", "wmav2", "libmp3lame")),
        *(_by_ffmpeg("avi", codec, ".avi", "avi") for codec in ("pcm_s16le", "libmp3lame", "ac3", "aac")),
        *(_by_ffmpeg("mpegts", codec, ".ts", "mpegts") for codec in ("aac", "ac3", "libopus", "libmp3lame")),
        _by_ffmpeg("mpegts", "mp2", ".ts", "mpegts", rates_hz=(16_000, 44_100, 48_000)),
        *(_by_ffmpeg("mpegps", codec, ".mpg", "mpeg", rates_hz=(44_100, 48_000)) for codec in ("mp2", "ac3")),
        _by_ffmpeg("flv", "aac", ".flv", "flv"),
        _by_ffmpeg("flv", "libmp3lame", ".flv", "flv", rates_hz=(44_100,)),
        _by_ffmpeg("flv", "nellymoser", ".flv", "flv", rates_hz=(8000, 16_000), channels=(1,)),
    ]


def _several_tracks() -> list[Format]:
    """Two or three people, each a track with its own start and length."""
    makes = (
        *(("mkv", "aac", ".mkv", "matroska", 2), ("mkv", "libopus", ".mka", "matroska", 3)),
        *(("mkv", "pcm_s16le", ".mkv", "matroska", 2), ("webm", "libopus", ".webm", "webm", 2)),
        *(("ogg", "libopus", ".ogg", "ogg", 2), ("ogg", "libvorbis", ".ogg", "ogg", 2)),
        *(("mp4", "aac", ".mp4", "mp4", 2), ("mov", "pcm_s16le", ".mov", "mov", 2), ("mp4", "alac", ".mp4", "mp4", 3)),
        *(
            ("mpegts", "aac", ".ts", "mpegts", 2),
            ("asf", "wmav2", ".asf", "asf", 2),
            ("avi", "libmp3lame", ".avi", "avi", 2),
        ),
    )
    return [
        _by_ffmpeg(*names, tracks=tracks, channels=(1, 1, 2), pipes=names[2] not in (".mp4", ".mov"))
        for *names, tracks in makes
    ]


def _by_sndfile() -> list[Format]:
    """What ffmpeg does not write, and other headers of what it does."""
    makes = (
        *(("rifx", "PCM_16", ".wav", "wav", "WAV", "BIG"), ("rifx", "FLOAT", ".wav", "wav", "WAV", "BIG")),
        *(("wavex", "PCM_16", ".wav", "wav", "WAVEX", "FILE"), ("wavex", "ULAW", ".wav", "wav", "WAVEX", "FILE")),
        *(("rf64", "PCM_24", ".wav", "wav", "RF64", "FILE"), ("w64", "PCM_16", ".w64", "w64", "W64", "FILE")),
        *(("au-little", "PCM_16", ".au", "au", "AU", "LITTLE"), ("au-little", "ULAW", ".au", "au", "AU", "LITTLE")),
        *(("caf", "PCM_24", ".caf", "caf", "CAF", "FILE"), ("caf", "ALAC_16", ".caf", "caf", "CAF", "FILE")),
        *(("aifc", "ALAW", ".aifc", "aiff", "AIFF", "FILE"), ("flac", "PCM_24", ".flac", "flac", "FLAC", "FILE")),
        ("nist", "PCM_16", ".sph", "nistsphere", "NIST", "FILE"),
        *(("ircam", "PCM_16", ".sf", "ircam", "IRCAM", "FILE"), ("mp3", "mpeg", ".mp3", "mp3", "MP3", "FILE")),
    )
    return [_sndfile_format(*make) for make in makes]


def _sndfile_format(container: str, codec: str, suffix: str, muxer: str, kind: str, endian: str) -> Format:
    subtype = {"mpeg": "MPEG_LAYER_III"}.get(codec, codec)

    def make(sound: Sound, folder: Path, piped: bool) -> bytes:
        buffer = io.BytesIO()
        soundfile.write(buffer, sound.tracks[0].T, sound.rate_hz, format=kind, subtype=subtype, endian=endian)
        return without_chance(buffer.getvalue())

    return Format(container, codec.lower(), suffix, muxer, make)


def _amr() -> list[Format]:
    """AMR-NB by sox, alone and in 3GP; with pauses, and AMR-WB, from frames of any bits, which are a sound too."""

    def spoken(sound: Sound, folder: Path, piped: bool) -> bytes:
        speech, out = folder / "amr.wav", folder / "amr.amr-nb"
        soundfile.write(speech, sound.tracks[0].T, sound.rate_hz, subtype="PCM_16")
        subprocess.run(["sox", str(speech), str(out)], check=True, capture_output=True, timeout=120)  # noqa: S603, S607
        return out.read_bytes()

    def in_3gp(sound: Sound, folder: Path, piped: bool) -> bytes:
        (folder / "speech.amr").write_bytes(spoken(sound, folder, False))
        ffmpeg("-i", str(folder / "speech.amr"), "-c", "copy", "-f", "3gp", str(folder / "made.3gp"))
        return (folder / "made.3gp").read_bytes()

    phone = {"rates_hz": (8000,), "channels": (1,)}
    return [
        Format("amr", "amr-nb", ".amr", "amr", spoken, **phone),
        Format("3gp", "amr-nb", ".3gp", "3gp", in_3gp, **phone),
        Format("amr", "amr-nb-pauses", ".amr", "amr", _frames(b"#!AMR\n", (0x3C, 32), (0x44, 6), 0x7C), **phone),
        Format("amr", "amr-wb-pauses", ".awb", "amr", _frames(b"#!AMR-WB\n", (0x14, 33), (0x4C, 6), 0x7C),
               rates_hz=(16_000,), channels=(1,)),
    ]  # fmt: skip


def _frames(magic: bytes, talk: tuple[int, int], pause: tuple[int, int], nothing: int) -> Make:
    """Frames of 20 ms (RFC 4867, 5.3): two seconds of talk and one of pause (one SID frame in eight) in turn."""

    def make(sound: Sound, folder: Path, piped: bool) -> bytes:
        rng = np.random.default_rng(sound.tracks[0].shape[1])
        frames = [magic]
        for number in range(round(sound.seconds / 0.02)):
            header, size = talk if number % 150 < 100 else pause if number % 8 == 0 else (nothing, 1)
            frames.append(bytes([header]) + rng.bytes(size - 1))
        return b"".join(frames)

    return make


def _renamed(format: Format, old: bytes, new: bytes) -> Format:
    """The same file under another magic number."""

    def make(sound: Sound, folder: Path, piped: bool) -> bytes:
        return format.make(sound, folder, piped).replace(old, new, 1)

    return Format(format.container, format.codec, format.suffix, format.muxer, make, pipes=format.pipes)


def _by_ffmpeg(
    container: str, codec: str, suffix: str, muxer: str, *options: str, rates_hz: tuple[int, ...] = ANY_HZ,
    channels: tuple[int, ...] = (1, 2), tracks: int = 1, pipes: bool = True, encoder: str = "",
) -> Format:  # fmt: skip
    """A format that ffmpeg writes."""
    exact = ("-fflags", "+bitexact", "-flags:a", "+bitexact", "-strict", "-2")

    def make(sound: Sound, folder: Path, piped: bool) -> bytes:
        out = folder / f"made{suffix}"
        serial = ("-serial_offset", str(sound.tracks[0].shape[1])) if muxer == "ogg" else ()  # else all are 0
        arguments = (*_inputs(sound, folder), "-c:a", encoder or codec, *options, *serial, *exact, "-f", muxer)
        if piped:
            return ffmpeg(*arguments, "pipe:1")
        ffmpeg(*arguments, str(out))
        return out.read_bytes()

    return Format(
        container,
        codec.removeprefix("lib"),
        suffix,
        muxer,
        make,
        _fitting(encoder or codec, rates_hz),
        channels,
        tracks,
        pipes,
    )


def _fitting(encoder: str, rates_hz: tuple[int, ...]) -> tuple[int, ...]:
    """Rates that an encoder takes."""
    taken = {"libopus": (48_000, 16_000, 8000), "ac3": (44_100, 48_000)}.get(encoder, rates_hz)
    return tuple(rate_hz for rate_hz in rates_hz if rate_hz in taken)


def _inputs(sound: Sound, folder: Path) -> list[str]:
    arguments, maps = [], []
    for number, (track, start_s) in enumerate(zip(sound.tracks, sound.starts_s, strict=True)):
        path = folder / f"track{number}.wav"
        soundfile.write(path, track.T, sound.rate_hz, subtype="FLOAT")
        arguments += ["-itsoffset", str(start_s), "-i", str(path)]
        maps += ["-map", f"{number}:a"]
    return [*arguments, *maps]
