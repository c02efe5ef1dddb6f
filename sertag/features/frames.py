"""Frames of a recording, and the chunks that they are regrouped into."""

from __future__ import annotations

from dataclasses import dataclass

from sertag.records import FloatArray


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of all channels of a recording, as they come.

    Attributes:
        columns: (channels, t, m), mel bands in dB, then voice and pitch where the recipe asks for them.
        power: float32 (channels, t), mean square of the samples of each hop without their constant part.
        samples: float32 (channels, t * hop or a little less at the end), only for models that take cut clips.
    """

    columns: FloatArray
    power: FloatArray
    samples: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a recording, long enough for statistics and short enough for memory.

    Attributes:
        first_frame: index in the file of the first frame.
        core_frames: how many frames belong to this chunk; those after them are lookahead for windows that
            begin here and end in the next chunk.
        last: whether the recording ends with it; then there is no lookahead.
        frames: frames of the core and lookahead.
    """

    first_frame: int
    core_frames: int
    last: bool
    frames: Frames
