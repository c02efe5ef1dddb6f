"""Where the time of a file goes: the stages of `sertag.tagging.pipeline` with a clock at each door.

Stages feed each other through generators, so a stage's own time is what is left when the time of those that it
waits for is taken off. Seconds are those of the thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from sertag.audio.decode import AudioSource
from sertag.model.session import Model
from sertag.tagging import channel_state, pipeline

REST = "rest"

_FUNCTIONS = {
    "open_recording": "decode",
    "detect": "speech",
    "cut_windows": "windows",
    "coefficients": "coefficients",
    "talk_stats": "aggregate",
    "join_windows": "aggregate",
    "segments": "aggregate",
    "channel_result": "aggregate",
    "clip_features": "coefficients",
}
_GENERATORS = {"stream_frames": "frames", "cut_chunks": "chunks", "window_batches": "windows"}
_MODULES = (pipeline, channel_state)


class Stages:
    """Seconds by stage; only the innermost one that is at work is charged."""

    def __init__(self) -> None:
        """Start with nothing charged; `rest` is what no stage takes."""
        self._seconds: dict[str, float] = {}
        self._at_work = [REST]
        self._since_s = time.thread_time()

    def seconds(self) -> dict[str, float]:
        """Thread seconds by stage until now, the longest first."""
        self._charge()
        return dict(sorted(self._seconds.items(), key=lambda item: -item[1]))

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Charge a stage."""
        self._charge()
        self._at_work.append(name)
        try:
            yield
        finally:
            self._charge()
            self._at_work.pop()

    def function(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function with a clock."""

        def watched_function(*args: Any, **kwargs: Any) -> Any:
            with self.inside(name):
                return work(*args, **kwargs)

        return watched_function

    def generator(self, name: str, work: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """The same generator with a clock that runs only while it makes the next item."""

        def watched_generator(*args: Any, **kwargs: Any) -> Iterator[Any]:
            items = iter(work(*args, **kwargs))
            while True:
                with self.inside(name):
                    item = next(items, _END)
                if item is _END:
                    return
                yield item

        return watched_generator

    def _charge(self) -> None:
        now_s = time.thread_time()
        name = self._at_work[-1]
        self._seconds[name] = self._seconds.get(name, 0.0) + now_s - self._since_s
        self._since_s = now_s


_END = object()


@contextmanager
def watched(stages: Stages) -> Iterator[None]:
    """Put the clocks into the pipeline for a while."""
    with ExitStack() as stack:
        for function, name in _FUNCTIONS.items():
            module = next(module for module in _MODULES if hasattr(module, function))
            clocked = stages.function(name, getattr(module, function))
            stack.enter_context(patch.object(module, function, clocked))
        for function, name in _GENERATORS.items():
            module = next(module for module in _MODULES if hasattr(module, function))
            clocked_items = stages.generator(name, getattr(module, function))
            stack.enter_context(patch.object(module, function, clocked_items))
        stack.enter_context(patch.object(AudioSource, "blocks", stages.generator("decode", AudioSource.blocks)))
        stack.enter_context(patch.object(Model, "predict", stages.function("model", Model.predict)))
        yield
