"""Sizes of batches, and the order of their results."""

from __future__ import annotations

from sertag.parallel.batches import BatchQueue, BatchSize, MeasuredSize
from sertag.parallel.pool import Batch
from sertag.records import AudioFile, ChannelResult, FileResult, Status


def drain(queue: BatchQueue, size: BatchSize, *, seconds_a_file: float) -> list[Batch]:
    """Take everything, one batch at a time."""
    taken = []
    while queue.fill():
        for batch in queue.take():
            taken.append(batch)
            size.measured(batch, seconds_a_file * len(batch.files))
            row = ChannelResult(channel=None, status=Status.OK)
            list(queue.in_order(batch, [FileResult(file.path, (row,)) for file in batch.files]))
            queue.fill()
    return taken


def test_batches_grow_to_half_a_minute_of_work() -> None:
    size = MeasuredSize(workers=2)
    files = (AudioFile(f"{number}.wav", size_bytes=1_000_000) for number in range(3000))
    taken = drain(BatchQueue(files, workers=2, size=size), size, seconds_a_file=2.0)
    assert sum(len(batch.files) for batch in taken) == 3000
    assert len(taken[0].files) == 1
    assert 14 <= len(taken[-2].files) <= 16  # 30 s
    assert all(len(batch.files) <= 16 for batch in taken)


def test_a_short_run_has_batches_for_all_workers() -> None:
    size = MeasuredSize(workers=10)
    files = (AudioFile(f"{number}.wav", size_bytes=100_000) for number in range(1000))
    taken = drain(BatchQueue(files, workers=10, size=size), size, seconds_a_file=1.0)
    assert len(taken) >= 80


def test_a_batch_of_tiny_files_has_an_end() -> None:
    size = MeasuredSize(workers=2)
    size.measured(Batch(0, tuple(AudioFile("x.wav") for _ in range(10_000))), 100.0)
    assert size.files == 250


def test_what_was_lost_comes_first_again() -> None:
    queue = BatchQueue((AudioFile(f"{number}.wav") for number in range(3)), workers=9, size=BatchSize())
    queue.fill()
    first, *_ = queue.take()
    queue.again(first)
    assert [batch.number for batch in queue.take()] == [first.number]
