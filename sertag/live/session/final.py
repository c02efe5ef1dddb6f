"""The final rows of live audio: the batch pipeline on a separate thread, fed piece by piece.

So the final results of a stream are those of `sertag tag` for the same samples, by the same code and in the same
chunks. Scoring a chunk does not delay provisional events, and its windows are final then.
"""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Iterator, Sequence

from sertag.audio.decode import AudioSource
from sertag.errors import DecodeError, SertagError
from sertag.model.session import Model
from sertag.records import AudioFile, FileResult, FloatArray, Options, Problem
from sertag.tagging.channel_state import ConfirmedWindows
from sertag.tagging.pipeline import tag_source
from sertag.text import display_name

_PIECES = 4096  # waiting, at most: some minutes of packets of 20 ms
_LOOK_S = 0.5  # interval of checks whether the pipeline has ended early


class FinalRows:
    """The pipeline, running on pieces that arrive over time; `result` completes it, `close` aborts it."""

    def __init__(self, path: str, *, channels: int, rate_hz: int, model: Model, options: Options) -> None:
        """Start the thread.

        Args:
            path: path of the rows.
            channels: of the audio.
            rate_hz: of the audio.
            model: that scores it.
            options: of the run.
        """
        self._samples = _QueuedSamples(display_name(path), channels, rate_hz)
        self._result: FileResult | None = None
        self._confirmed: queue.SimpleQueue[ConfirmedWindows] = queue.SimpleQueue()
        self._pushed = 0  # samples of each channel
        self._thread = threading.Thread(target=self._run, args=(path, model, options), name="sertag-final", daemon=True)
        self._thread.start()

    def push(self, piece: FloatArray) -> None:
        """Add native samples, float32 (n, channels), which must not change afterwards."""
        self._pushed += len(piece)
        self._put(piece)

    def confirmed(self) -> Iterator[ConfirmedWindows]:
        """What has become final since the last call; never waits."""
        while not self._confirmed.empty():
            yield self._confirmed.get()

    def result(self, *, declared_samples: int | None = None, notes: Sequence[Problem] = ()) -> FileResult:
        """The rows, once everything was added.

        Args:
            declared_samples: of each channel, as a header says it; None where none does.
            notes: what else was wrong with the audio; the messages are parts of a sentence about it.
        """
        self._samples.declared_samples = self._pushed if declared_samples is None else declared_samples
        self._samples.with_header = declared_samples is not None
        self._samples.notes = list(notes)
        self._put(None)
        self._thread.join()
        if self._result is None:
            raise RuntimeError("the pipeline ended without a result")
        return self._result

    def close(self) -> None:
        """Have the thread end without its rows."""
        self._samples.abandon()
        self._thread.join()

    def _run(self, path: str, model: Model, options: Options) -> None:
        def open_source() -> AudioSource:
            return AudioSource(path, io.BytesIO(), self._samples)

        file = AudioFile(path)
        self._result = tag_source(file, open_source, model=model, options=options, confirm=self._confirmed.put)

    def _put(self, piece: FloatArray | None) -> None:
        while self._thread.is_alive():  # it gives up early on what is too long, and takes no more
            try:
                return self._samples.queue.put(piece, timeout=_LOOK_S)
            except queue.Full:
                continue


class _QueuedSamples:
    """Pieces from a queue, as `decode.Samples`."""

    def __init__(self, name: str, channels: int, rate_hz: int) -> None:
        self._name, self.with_header = name, False
        self.channels, self.rate_hz = channels, rate_hz
        self.announced_samples = self.declared_samples = 0
        self.notes: list[Problem] = []
        self.queue: queue.Queue[FloatArray | None] = queue.Queue(_PIECES)
        self._abandoned = threading.Event()

    def pieces(self) -> Iterator[FloatArray]:
        nothing = True
        while (piece := self.queue.get()) is not None:
            if self._abandoned.is_set():
                break
            nothing = False
            yield piece
        if self._abandoned.is_set():
            raise SertagError("given up", code="abandoned")  # else the pipeline would score what it has
        if nothing and not self.with_header:
            raise DecodeError(
                f"{self._name}: ended before any audio came; does the other side send any?", code="empty_file"
            )

    def abandon(self) -> None:
        """End `pieces` soon, whatever waits."""
        self._abandoned.set()
        try:
            self.queue.put_nowait(None)
        except queue.Full:
            pass  # then `pieces` is not waiting, and sees the mark

    def close(self) -> None:
        pass  # there is nothing to release
