"""Measures a recording in columns of a picture: envelope, levels, speech and spectrum, in one pass, constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.audio.decode import open_recording
from sertag.features.chunks import chunk_frames, cut_chunks
from sertag.features.frames import Chunk
from sertag.features.mfcc import activity_spec, stream_frames
from sertag.features.vad import detect
from sertag.records import AudioFile, FloatArray, Options
from sertag.spec import FeatureSpec, ModelSpec

QUIETEST_DBFS = -100.0

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sound:
    """Measurements of each column of a timeline; columns are of equal length.

    Attributes:
        duration_s: duration of all columns together.
        lowest, highest: float32 (channels, columns), smallest and largest sample.
        level_dbfs: float64 (channels, columns), RMS level.
        speech: float64 (channels, columns), share of speech frames by the energy gate, 0 to 1.
        mel_db: float64 (channels, columns, bands), mean of the frames in dB.
        band_hz: lowest and highest frequency of the bands.
    """

    duration_s: float
    lowest: FloatArray
    highest: FloatArray
    level_dbfs: npt.NDArray[np.float64]
    speech: npt.NDArray[np.float64]
    mel_db: npt.NDArray[np.float64]
    band_hz: tuple[float, float]

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.lowest.shape[1])


def measure(file: AudioFile, *, spec: ModelSpec, options: Options, duration_s: float, columns: int) -> Sound:
    """Measure a recording.

    Args:
        file: the recording.
        spec: specification of the model, which defines the frames.
        options: `channels` says whether all channels are mixed, `raw` is the format of a file without a header.
        duration_s: duration from the rows; later samples are added to the last column.
        columns: number of columns.

    Raises:
        DecodeError: the recording cannot be read.
    """
    frame_spec = activity_spec(spec.features)
    mixed = options.channels == "mix"
    with open_recording(file, raw=options.raw) as audio:
        count = 1 if mixed else audio.channels
        found = _Columns(count, columns, duration_s, frame_spec)
        blocks = (
            block.mean(axis=0, keepdims=True) if mixed else block
            for block in audio.blocks(rate_hz=spec.features.rate_hz)
        )
        chunks = cut_chunks(
            stream_frames(found.seen(blocks), spec=frame_spec, keep_samples=False),
            core_frames=chunk_frames(channels=count, frame_rate_hz=frame_spec.frame_rate_hz),
            lookahead_frames=round(spec.window_s * frame_spec.frame_rate_hz) + 1,
            hop_length=frame_spec.hop_length,
        )
        for chunk in chunks:
            found.add(chunk)
    return found.sound()


class _Columns:
    """Accumulates sums and extremes of each column."""

    def __init__(self, channels: int, columns: int, duration_s: float, spec: FeatureSpec) -> None:
        self._spec, self._duration_s = spec, duration_s
        self._samples = 0
        self._lowest, self._highest = (np.zeros((channels, columns), dtype=np.float32) for _ in range(2))
        self._frames = np.zeros(columns)
        self._power, self._speech = (np.zeros((channels, columns)) for _ in range(2))
        self._mel = np.zeros((channels, columns, spec.n_mels))

    def seen(self, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """Yields the blocks, float32 (channels, n), unchanged after noting their extremes."""
        for block in blocks:
            place = self._column(self._samples + np.arange(block.shape[1]), self._spec.rate_hz)
            starts = np.flatnonzero(np.diff(place, prepend=-1))
            chosen = place[starts]
            for channel, samples in enumerate(block):
                low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
                self._lowest[channel, chosen] = np.minimum(self._lowest[channel, chosen], low)
                self._highest[channel, chosen] = np.maximum(self._highest[channel, chosen], high)
            self._samples += block.shape[1]
            yield block

    def add(self, chunk: Chunk) -> None:
        """Add the frames of a chunk."""
        core = chunk.core_frames
        place = self._column(chunk.first_frame + np.arange(core), self._spec.frame_rate_hz)
        np.add.at(self._frames, place, 1)
        for channel, frames in enumerate(chunk.frames.columns):
            active = detect(frames, spec=self._spec)[:core]
            np.add.at(self._speech[channel], place, active)
            np.add.at(self._power[channel], place, chunk.frames.power[channel, :core])
            np.add.at(self._mel[channel], place, frames[:core, : self._spec.n_mels])

    def sound(self) -> Sound:
        """The measurements; a column without a frame has the values of the one before."""
        column_source = np.maximum.accumulate(np.where(self._frames > 0, np.arange(len(self._frames)), 0))
        count = np.maximum(1, self._frames)
        power = (self._power / count)[:, column_source]
        return Sound(
            duration_s=self._duration_s,
            lowest=self._lowest,
            highest=self._highest,
            level_dbfs=10 * np.log10(np.maximum(power, 10 ** (QUIETEST_DBFS / 10))),
            speech=(self._speech / count)[:, column_source],
            mel_db=(self._mel / count[:, None])[:, column_source],
            band_hz=(self._spec.fmin_hz, self._spec.fmax_hz),
        )

    def _column(self, index: Ints, rate_hz: float) -> Ints:
        columns = len(self._frames)
        return np.minimum(columns - 1, (index * (columns / (self._duration_s * rate_hz))).astype(np.int64))
