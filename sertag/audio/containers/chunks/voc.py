"""VOC (Creative Voice File): blocks of samples, silence and comments, each with a type and a size of three bytes.

Decoders read the headers of later blocks as samples, or stop at a wrong size. So the blocks are walked here, and the
decoder gets one WAV file with their samples. Version 1.20 of the format (block types 0 to 9). Positions and sizes are
in bytes.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO

from sertag.audio.containers.chunks.layouts import wave_head
from sertag.audio.containers.chunks.walk import RECORDED_ON_BYTES, is_like
from sertag.audio.containers.layout import Layout, ratio
from sertag.audio.containers.tags import trim
from sertag.audio.filetype import next_recording
from sertag.audio.streams import Window, read_at
from sertag.records import Problem

_MARK = b"Creative Voice File\x1a"
_FIRST_BYTES = 26  # before the first block
_END, _SOUND, _MORE, _SILENCE, _EXTENDED, _NEW_SOUND = 0, 1, 2, 3, 8, 9
_HEAD_BYTES = 4
_LEAST_BYTES = {_SOUND: 2, _SILENCE: 3, _EXTENDED: 4, _NEW_SOUND: 12}  # bytes before the samples
_FIXED_BYTES = {_SILENCE: 3, 4: 2, 6: 2, 7: 0, _EXTENDED: 4}  # markers, ends of loops
_LONGEST_BYTES = 0xFFFFFF  # also written for an unknown size
_CODECS = {0: (1, 8, b"\x80"), 4: (1, 16, b"\0\0"), 6: (6, 8, b"\xd5"), 7: (7, 8, b"\xff")}  # WAV's: tag, bits, silence
_PACKED_BITS = {1: 4, 2: 3, 3: 2, 0x200: 4}
_NEXT = re.compile(rb"[\x01\x02\x09]")
_PROOF_BLOCKS, _FEWEST_BLOCKS = 16, 4
_MOST_BLOCKS = 1_000_000  # a gigabyte of blocks as FFmpeg writes them
_MOST_SILENCES = 10_000  # up to 45 hours in all
_PIECE_BYTES = 1 << 16
_LONGEST_SILENCE_BYTES = 1 << 24  # of a block, 16 s of 500,000 bytes a second


@dataclass(frozen=True, slots=True)
class _Form:
    """Format of samples: VOC's codec number, sample rate and channels."""

    codec: int
    rate_hz: int
    channels: int


@dataclass
class _Blocks:
    """The blocks of a file.

    Attributes:
        form: format of the first block of samples; None if there is none.
        pieces: ranges of samples, and lengths of silence in seconds between them.
        declared: declared size of all samples.
        silences: number of blocks of silence.
        wrong: number of wrong sizes.
        end: end of the recording.
    """

    form: _Form | None = None
    pieces: list[range | float] = field(default_factory=list)
    declared: int = 0
    silences: int = 0
    wrong: int = 0
    end: int = 0


def voc_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure a VOC file.

    Args:
        stream: seekable; its position changes.
        start: first byte of the file in the stream.
        size_bytes: size of the stream.

    Returns:
        The layout. It ends at the end marker, at the next recording, or before blocks of another rate or codec. After a
        wrong size the walk continues at the next sequence of consistent blocks; if there is none, all data that
        resemble the samples before are samples.
    """
    end = Window(stream, size_bytes).find(_MARK, start + len(_MARK)) or trim(stream, start, size_bytes)
    found = _walk(stream, start, end)
    sounds = tuple(piece for piece in found.pieces if isinstance(piece, range))
    if found.form is None:
        return Layout(found.end)
    some = f"{found.wrong} of its blocks {'have wrong sizes' if found.wrong > 1 else 'has a wrong size'}"
    return Layout(
        found.end,
        _pieces(found, found.form),
        ratio(found.declared, sum(map(len, sounds))),
        notes=(Problem("stale_header", some),) if found.wrong else (),
        sounds=sounds,
        prefers_av=found.form.codec not in _CODECS,
        format="wav" if found.form.codec in _CODECS else "",
    )


def _walk(stream: BinaryIO, start: int, end: int) -> _Blocks:
    """Go from block to block up to the end of the recording."""
    window, found = Window(stream, end), _Blocks()
    extended: _Form | None = None
    position = start + max(_FIRST_BYTES, int.from_bytes(window.at(start + len(_MARK), 2), "little"))
    for _ in range(_MOST_BLOCKS):
        head = window.at(position, 16)
        if len(head) < _HEAD_BYTES or not _END < head[0] <= _NEW_SOUND or found.silences == _MOST_SILENCES:
            break
        kind, size = head[0], int.from_bytes(head[1:4], "little")
        body, preface = position + _HEAD_BYTES, _LEAST_BYTES.get(kind, 0)
        if kind == _EXTENDED:
            extended = _extended(head)
        elif kind == _SILENCE and len(head) >= 7:
            found.silences += 1
            found.pieces.append((int.from_bytes(head[4:6], "little") + 1) / _rate_hz(head[6]))
        if kind not in (_SOUND, _MORE, _NEW_SOUND):
            position = _behind(stream, window, found, body, _FIXED_BYTES.get(kind, size))
            found.wrong += size != _FIXED_BYTES.get(kind, size)
            continue
        form = found.form if kind == _MORE else (_form(head) if kind == _NEW_SOUND else extended or _form(head))
        if found.form not in (None, form):
            break
        found.form = form
        position = _take(stream, window, found, range(body + preface, body + size))
    found.end = min(end, position + (window.at(position, 1) == bytes([_END])))
    return found


def _behind(stream: BinaryIO, window: Window, found: _Blocks, body: int, size: int) -> int:
    """The position of the block behind one without sound."""
    following = None if _is_head(window, body + size) else _resumed(stream, body, window.end)
    found.wrong += following is not None
    return body + size if following is None else following


def _take(stream: BinaryIO, window: Window, found: _Blocks, declared: range) -> int:
    """Take the samples of a block, wherever they really end; the position of the next block."""
    stop = declared.stop
    if not _is_head(window, stop):
        endless = len(declared) >= _LONGEST_BYTES - 12  # no size of a block, but "up to the end"
        following = None if endless else _resumed(stream, declared.start, window.end)
        unknown = endless or not declared
        if following is not None:
            found.wrong += 1
            declared, stop = range(declared.start, following), following
        elif stop > window.end or unknown or _is_sound(stream, declared, window.end):
            stop = next_recording(stream, declared.start, window.end)
            declared = range(declared.start, stop) if unknown else declared
    found.declared += len(declared)
    found.pieces.append(range(declared.start, max(declared.start, stop)))
    return stop


def _is_head(window: Window, position: int) -> bool:
    """Whether a block may begin at a position, or the recording may end there."""
    head = window.at(position, _HEAD_BYTES)
    if position == window.end or head[:1] == b"\0":
        return position <= window.end <= position + RECORDED_ON_BYTES
    fits = position + _HEAD_BYTES + int.from_bytes(head[1:], "little") <= window.end
    return len(head) == _HEAD_BYTES and head[0] <= _NEW_SOUND and (fits or head[0] == _MORE)


def _is_sound(stream: BinaryIO, declared: range, end: int) -> bool:
    """Whether samples continue behind the declared end of a block."""
    return end - declared.stop > RECORDED_ON_BYTES and is_like(stream, declared, declared.stop)


def _resumed(stream: BinaryIO, start: int, end: int) -> int | None:
    """Position of the next sequence of consistent blocks behind a wrong size; None if there is none."""
    position = start
    while position < end:
        data = read_at(stream, position, min(1 << 16, end - position))
        for match in _NEXT.finditer(data):
            if _is_proven(stream, position + match.start(), end):
                return position + match.start()
        position += max(1, len(data))
    return None


def _is_proven(stream: BinaryIO, position: int, end: int) -> bool:
    """Whether many blocks of one size follow each other, or fewer up to the end; the first and last may differ.

    Quiet samples can look like small blocks too, but of various sizes. Two or three blocks prove nothing; to read their
    headers as samples does no harm.
    """
    sizes: list[int] = []
    while len(sizes) < _PROOF_BLOCKS:
        head = read_at(stream, position, _HEAD_BYTES)
        ended = position == end or (head[:1] == b"\0" and position + 1 == end)
        if ended or len(head) < _HEAD_BYTES:
            return ended and len(sizes) >= _FEWEST_BLOCKS and len(set(sizes[1:-1])) == 1
        size = int.from_bytes(head[1:], "little")
        position += _HEAD_BYTES + size
        sizes.append(size)
        fits = 0 < head[0] <= _NEW_SOUND and size > _LEAST_BYTES.get(head[0], 0) and position <= end
        if not fits or len(set(sizes[1:-1])) > 1:
            return False
    return True


def _form(head: bytes) -> _Form:
    """Format of the samples of a block."""
    if head[0] == _NEW_SOUND:
        rate_hz, channels, codec = struct.unpack("<IxBH", head[4:12].ljust(8, b"\0"))
        return _Form(codec, rate_hz, channels)
    divisor, codec = head[4:6].ljust(2, b"\0")
    return _Form(codec, _rate_hz(divisor), 1)


def _extended(head: bytes) -> _Form:
    """Format from an extended block, which replaces that of the next block, for example for two channels."""
    constant, codec, channels = struct.unpack("<HBB", head[4:8].ljust(4, b"\0"))
    return _Form(codec, 256_000_000 // (65_536 - constant) // (channels + 1), channels + 1)


def _rate_hz(divisor: int) -> int:
    return 1_000_000 // (256 - divisor)


def _pieces(found: _Blocks, form: _Form) -> tuple[range | bytes, ...]:
    """Pieces of a WAV file with the samples of all blocks; of a VOC file for codecs that WAV does not have."""
    if form.codec not in _CODECS:
        return _packed(found, form)
    tag, bits, quiet = _CODECS[form.codec]
    frame_bytes = form.channels * bits // 8
    pieces: list[range | bytes] = []
    for piece in found.pieces:
        pieces += [piece] if isinstance(piece, range) else _silence(piece, form, quiet)
    bytes_per_s = min(form.rate_hz * frame_bytes, 0xFFFFFFFF)
    chunk = struct.pack("<HHIIHH", tag, form.channels, form.rate_hz, bytes_per_s, frame_bytes, bits)
    return wave_head(chunk, sum(map(len, pieces))), *pieces


def _silence(length_s: float, form: _Form, quiet: bytes) -> list[bytes]:
    """Samples of silence as repetitions of one object: a block of seven bytes may last 16 s."""
    count = min(_LONGEST_SILENCE_BYTES, round(length_s * form.rate_hz) * form.channels * len(quiet))
    whole, rest = divmod(count, _PIECE_BYTES)
    return [_quiet_piece(quiet)] * whole + ([quiet * (rest // len(quiet))] if rest else [])


@lru_cache
def _quiet_piece(quiet: bytes) -> bytes:
    return quiet * (_PIECE_BYTES // len(quiet))


def _packed(found: _Blocks, form: _Form) -> tuple[range | bytes, ...]:
    pieces: list[range | bytes] = [_MARK + struct.pack("<HHH", _FIRST_BYTES, 0x0114, 0x111F)]
    preface = struct.pack("<IBBHI", form.rate_hz, _PACKED_BITS.get(form.codec, 0), form.channels, form.codec, 0)
    for sound in found.pieces:
        if not isinstance(sound, range):
            continue
        for start in range(sound.start, sound.stop, _LONGEST_BYTES - len(preface)):
            part = range(start, min(sound.stop, start + _LONGEST_BYTES - len(preface)))
            size = len(part) + len(preface)
            pieces += [bytes([_NEW_SOUND if preface else _MORE]) + size.to_bytes(3, "little") + preface, part]
            preface = b""
    return *pieces, bytes([_END])
