"""The result of measuring a container: what to show to a decoder, and what has to be said about it.

Recorders die before they finish their header, disks fill up, and pipes know no length; decoders then read nothing, stop
early or complain on standard error. A `Layout` names what is there and what was declared, and holds the pieces that a
decoder is shown instead of the file (`streams.Spliced`). Positions and sizes are in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from sertag.records import Problem

UNKNOWN_BYTES = 0x7FFFF000  # sizes from here on mean "I cannot know": sox writes this one, others 2^31 - 1 or 2^32 - 1


@dataclass(frozen=True, slots=True)
class Layout:
    """What to read of one recording in a file.

    Attributes:
        end: where the recording ends and something else may begin.
        pieces: ranges of the file and bytes to put between them; empty where it can be read as it is.
        declared_ratio: the length that the header declares, as a multiple of what is there; 1 where it does not know.
        declared_s: the same in seconds, for containers that say seconds; None where they do not.
        notes: what else has to be said; the messages are parts of a sentence about the file.
        codec: format tag of a WAV file, else None.
        sounds: where the coded samples are, for containers that may hold a stream of another format.
        prefers_av: libsndfile would lose a track or the clock, so PyAV is asked first where it is installed.
        format: what FFmpeg calls what the pieces make, where that is not the container itself.
        damaged: why nothing of it can be decoded, as a part of a sentence; empty where that is not known.
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
    """How many times the bytes that are there a header declares; 1 where nothing is there or declared.

    >>> ratio(200, 100), ratio(100, 100), ratio(0, 100)
    (2.0, 1.0, 1.0)
    """
    return declared_bytes / available_bytes if declared_bytes > 0 and available_bytes > 0 else 1.0
