"""Between a source and whoever listens: what does not fit is counted, and nothing waits for ever."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from sertag.live.sources.feed import Arrived, Feed, Lost, Over
from tests.conftest import RATE_HZ
from tests.live.scripted import Script


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


SECOND = np.zeros((RATE_HZ, 1), np.float32)


def test_a_source_that_keeps_the_pace_loses_what_does_not_fit_and_counts_it() -> None:
    clock, go = Clock(), [threading.Event() for _ in range(100)]
    steps: list[Any] = []
    for event in go:
        steps += [event, SECOND]
    feed = Feed(Script(*steps), limit_s=30, clock=clock)
    for event in go:  # nobody takes anything for 100 s
        clock.now_s += 1
        event.set()
    items = []
    while not isinstance(item := feed.get(timeout_s=5), Over):
        assert item is not None
        items.append(item)
    assert [type(item) for item in items[:-1]] == [Arrived] * (len(items) - 1)
    assert isinstance(items[-1], Lost)
    assert sum(len(item.samples) if isinstance(item, Arrived) else item.samples for item in items) == 100 * RATE_HZ
    assert 29 * RATE_HZ <= sum(len(item.samples) for item in items[:-1]) <= 41 * RATE_HZ


def test_a_source_that_runs_ahead_waits_and_loses_nothing() -> None:
    clock = Clock()
    feed = Feed(Script(*[SECOND] * 200), limit_s=30, clock=clock)
    count = 0
    while not isinstance(item := feed.get(timeout_s=5), Over):
        assert isinstance(item, Arrived)
        count += 1
        clock.now_s += 7  # whoever listens is slow, too
    assert count == 200


def test_a_feed_that_is_closed_lets_its_reader_go() -> None:
    source = Script(*[SECOND] * 200)
    feed = Feed(source, limit_s=5)
    feed.get(timeout_s=5)
    feed.close()
    for _ in range(100):
        if not [thread for thread in threading.enumerate() if thread.name == "sertag-feed"]:
            break
        time.sleep(0.05)
    assert [thread.name for thread in threading.enumerate() if thread.name == "sertag-feed"] == []
