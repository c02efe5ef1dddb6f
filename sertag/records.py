"""Frozen records that are passed between the stages, without behaviour beyond simple arithmetic.

Conventions: seconds are floats counted from the first sample of the file, levels are dBFS (0 dB is a mean
square of 1, so a full-scale sine has -3 dB), probabilities are calibrated and follow the label order of the model.
`None` means "there is no such value", never zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

from sertag.limits import CPU, MAX_DURATION_S

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.floating[Any]]  # float32, unless a docstring says otherwise
    BoolArray = npt.NDArray[np.bool_]
else:
    FloatArray = BoolArray = Any  # loading numpy takes longer than all the rest that hands out work and writes tables

STDIN = "-"  # the path of a recording that comes on standard input
SCHEMA = 2  # of the rows; raised with every change that could break a reader


class Status(str, Enum):
    """What a row can say about one channel of one file."""

    OK = "ok"
    NO_SPEECH = "no_speech"
    TOO_SHORT = "too_short"
    UNCERTAIN = "uncertain"
    UNREADABLE = "unreadable"
    FAILED = "failed"


FAILURES = frozenset({Status.UNREADABLE, Status.FAILED})
STRICT_FAILURES = FAILURES | {Status.NO_SPEECH, Status.TOO_SHORT, Status.UNCERTAIN}


class Sentiment(str, Enum):
    """The three-way reading of the labels, by the mapping that the model itself carries."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class Trend(str, Enum):
    """Whether the negative probability fell or rose from the first half of a call to the second."""

    IMPROVING = "improving"
    STEADY = "steady"
    WORSENING = "worsening"


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """An object in a storage as it was found, with `options` of the storage as JSON text.

    Its `url` may hold a signature, so it is never shown. `version` is its ETag or generation, None without either.
    """

    url: str = field(repr=False)
    version: str | None = None
    options: str = ""


@dataclass(frozen=True, slots=True)
class AudioFile:
    """One input as it was reached from the command line.

    Attributes:
        path: as reached, a URL without secrets; surrogate escapes where the name is not valid UTF-8; `-` is stdin.
        size_bytes: size when it was found; None for stdin or where there is nothing to measure.
        mtime_ns: modification time when it was found; None as for `size_bytes`.
        problem: why it cannot even be opened (a dangling link, a FIFO, a missing path), else None.
        remote: what an object in a storage is; None for files.
    """

    path: str
    size_bytes: int | None = None
    problem: Problem | None = None
    remote: RemoteObject | None = None
    mtime_ns: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason in two readings: `code` for programs, `message` for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may choose about a run that changes its rows; everything else belongs to the model.

    Attributes:
        channels: `split` for one row a channel, `mix` for the mean of all, or the number of the only channel wanted.
        roles: names of channel 0, 1, ...
        only_role: score this role alone; no rows are written for the others.
        hop_s: step between windows; None for the model's.
        min_confidence: under it a window and a row are `uncertain`; None for the model's, one for each.
        max_duration_s: longer recordings are failures, which bounds what a damaged or hostile file can cost.
        raw: how samples without a header are written, `FORMAT[:RATE[:CHANNELS]]`; by the suffix of the file where None.
        provider: what runs the network; another one than the processor may change last digits.
    """

    channels: Literal["split", "mix"] | int = "split"
    roles: tuple[str, ...] = ()
    only_role: str | None = None
    hop_s: float | None = None
    min_confidence: float | None = None
    max_duration_s: float = MAX_DURATION_S
    raw: str | None = None
    provider: str = CPU


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and deviation of the coefficients over the speech of one channel, as far as it was processed.

    Attributes:
        mean, std: float32 (c,).
        speech_frames: how many frames they are of; by weight, where frames have weights (`features.normalization`).
    """

    mean: FloatArray
    std: FloatArray
    speech_frames: float


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one channel and chunk that hold enough speech to be scored.

    Attributes:
        starts: int64 (w,), where each begins in the chunk: a frame, or a sample for models that take cut clips.
        start_s, end_s: float64 (w,), in the file.
        speech_s: float64 (w,), seconds of speech inside each.
        loudness_dbfs: float64 (w,), level of the speech inside each.
        first_frame, end_frame: int64 (w,), the frames of the file that each spans, the last one not included.
    """

    starts: npt.NDArray[np.int64]
    start_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]
    speech_s: npt.NDArray[np.float64]
    loudness_dbfs: npt.NDArray[np.float64]
    first_frame: npt.NDArray[np.int64]
    end_frame: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ScoredWindows:
    """All windows of one channel, in order of time, and what the model says of them.

    Attributes:
        start_s, end_s, speech_s, loudness_dbfs, first_frame, end_frame: (w,), as in `Windows`.
        probs: float64 (w, k), calibrated.
        dimensions: float64 (w, d), as the model estimates them.
        is_speech: bool (w,), False if the model detects music, noise or tones.
    """

    start_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]
    speech_s: npt.NDArray[np.float64]
    loudness_dbfs: npt.NDArray[np.float64]
    first_frame: npt.NDArray[np.int64]
    end_frame: npt.NDArray[np.int64]
    probs: npt.NDArray[np.float64]
    dimensions: npt.NDArray[np.float64]
    is_speech: BoolArray


@dataclass(frozen=True, slots=True)
class Segment:
    """One window of one channel. `emotion` is None unless `status` is `ok`, and always for models without labels.

    With `no_speech` (the model detects music, noise or tones) `probs` and `dimensions` are empty; `confidence`,
    `arousal` and `valence` are None.
    """

    index: int
    start_s: float
    end_s: float
    status: Status
    emotion: str | None
    confidence: float | None
    sentiment: Sentiment | None
    probs: tuple[float, ...]
    speech_ratio: float
    loudness_dbfs: float
    arousal: float | None = None
    valence: float | None = None
    dimensions: tuple[float, ...] = ()

    def __reduce__(self) -> tuple[type[Segment], tuple[Any, ...]]:
        """For `pickle`, in less than half the time: a dataclass with slots asks for its fields each time."""
        return Segment, _SEGMENT_VALUES(self)


_SEGMENT_VALUES = attrgetter(*(item.name for item in fields(Segment)))


@dataclass(frozen=True, slots=True)
class ChannelResult:
    """Everything one row says about one channel, apart from the path and the model.

    `channel` is `mix` for the mean of all, None where the file could not be opened. Tuples are empty and numbers None
    where they do not apply. Each of `dimensions` is the mean and those of the four quarters.
    """

    channel: int | Literal["mix"] | None
    status: Status
    role: str = ""
    problem: Problem | None = None
    duration_s: float | None = None
    sample_rate: int | None = None
    speech_s: float | None = None
    segments: tuple[Segment, ...] = ()
    emotion: str | None = None
    confidence: float | None = None
    margin: float | None = None
    sentiment: Sentiment | None = None
    probs: tuple[float, ...] = ()
    fracs: tuple[float, ...] = ()
    quarters: tuple[float | None, ...] = (None, None, None, None)
    trend: float | None = None
    trend_label: Trend | None = None
    peak_start_s: float | None = None
    peak_score: float | None = None
    talk_pct: float | None = None
    overtalk_s: float | None = None
    silence_s: float | None = None
    longest_silence_s: float | None = None
    loudness_dbfs: float | None = None
    clipped_pct: float | None = None
    attention: float | None = None
    arousal: float | None = None
    valence: float | None = None
    arousal_quarters: tuple[float | None, ...] = (None, None, None, None)
    valence_quarters: tuple[float | None, ...] = (None, None, None, None)
    interruptions: int | None = None
    dimensions: tuple[tuple[float | None, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class FileResult:
    """The outcome for one input: at least one channel result, failures included.

    Attributes:
        path: as in `AudioFile`.
        channels: one result a channel; a file that cannot be opened has one with `channel=None`.
        crash: details of an unexpected failure for the log: a traceback, or the end of a worker's stderr; else None.
    """

    path: str
    channels: tuple[ChannelResult, ...]
    crash: str | None = None

    @property
    def status(self) -> Status:
        """The most telling status of the channels: a failure first, then the best that any channel reached."""
        found = {channel.status for channel in self.channels}
        return next(status for status in _TELLING_FIRST if status in found)

    @property
    def duration_s(self) -> float:
        """Seconds of audio that were read; 0 where none could be."""
        return max((channel.duration_s or 0.0 for channel in self.channels), default=0.0)


_TELLING_FIRST = (Status.FAILED, Status.UNREADABLE, Status.OK, Status.UNCERTAIN, Status.NO_SPEECH, Status.TOO_SHORT)
