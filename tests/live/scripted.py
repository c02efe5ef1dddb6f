"""A source that does what a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from sertag.live.events import Gap, Reason
from tests.conftest import RATE_HZ, speech_like

SPEECH = speech_like(8, seed=1)[:, None]


class Script:
    """A source that does what it is told: samples, gaps, errors, and waiting (seconds, or for an event)."""

    def __init__(self, *steps: Any, reason: Reason = "hang_up") -> None:
        self.name, self.channels, self.rate_hz = "script", 1, RATE_HZ
        self.call: dict[str, str] = {}
        self.reason, self.declared_samples = reason, None
        self.closed = threading.Event()
        self._steps = steps

    def items(self) -> Iterator[np.ndarray | Gap]:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, threading.Event):
                step.wait(10)
            elif isinstance(step, float):
                self.closed.wait(step)
            else:
                yield step

    def close(self) -> None:
        self.closed.set()
