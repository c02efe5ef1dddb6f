"""The result of measuring a container: which bytes to give to a decoder, and what to report about the file.

Recorders stop before they finish the header, disks fill up, and the length of a pipe is unknown. Decoders then read
nothing, stop early or print errors. A `Layout` says what is available and what the header declares, and lists the
pieces that a decoder gets in place of the file (`streams.Spliced`). Positions and sizes are in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from sertag.records import Problem

UNKNOWN_BYTES = 0x7FFFF000  # from here on a size means "unknown": sox writes this one, others 2^31 - 1 or 2^32 - 1


@dataclass(frozen=True, slots=True)
class Layout:
    """Which bytes of a file are one recording, and what its header declares.

    Attributes:
        end: end of the recording, where something else may begin.
        pieces: ranges of the file, and bytes to insert between them; empty if decoders can read the file as it is.
        declared_ratio: declared length divided by available length; 1 if the header declares none.
        declared_s: declared length in seconds, for containers that store seconds; else None.
        notes: other problems; each message is part of a sentence about the file.
        codec: format tag of a WAV file, else None.
        sounds: ranges of the coded samples, for containers that may hold a stream of another format.
        prefers_av: libsndfile would lose a track or the timing, so PyAV is tried first if it is installed.
        format: FFmpeg's name for the format of the pieces, if it is not that of the container.
        damaged: why nothing can be decoded, as part of a sentence; empty if unknown.
    """

    end: int
    pieces: tuple[range | bytes, ...] = ()
    declared_ratio: float = 1.0
    declared_s: float | None = None
    notes: tuple[Problem, ...] = ()
    codec: int | None = None
    sounds: tuple[range, ...] = ()
    prefers_av: bool = False
    format: str = ""
    damaged: str = ""


def ratio(declared_bytes: int, available_bytes: int) -> float:
    """Declared length divided by available length; 1 if either is zero.

    >>> ratio(200, 100), ratio(100, 100), ratio(0, 100)
    (2.0, 1.0, 1.0)
    """
    return declared_bytes / available_bytes if declared_bytes > 0 and available_bytes > 0 else 1.0
