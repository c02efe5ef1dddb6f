"""Live events from Python: arrays in, events out, without the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from sertag.live.events import Event
from sertag.live.session.session import Session
from sertag.model.session import DEFAULT_MODEL, Model, load
from sertag.records import FloatArray, Options
from sertag.text import plural


def stream(
    blocks: Iterable[npt.ArrayLike],
    *,
    rate_hz: int,
    model: str | Model = DEFAULT_MODEL,
    channels: Literal["split", "mix"] | int = "split",
    roles: Iterable[str] = (),
    only_role: str | None = None,
    hop_s: float | None = None,
    min_confidence: float | None = None,
    name: str = "-",
) -> Iterator[Event]:
    """Tag live audio.

    Events come in the order in which things happen: `Start`; for each window a provisional `Window` as soon as it is
    complete, `SpeechEnd` when somebody stops; after the last block every window once more as it stays; `End` with the
    rows, which are those of `Tagger.tag` on the same samples. Leaving the loop early gives the rest up.

    Args:
        blocks: float32 (channels, n) in [-1, 1], or (n,) for one channel, of any length; blocks of 20 to 200 ms keep
            the lag short. An iterable that waits for audio makes the events wait with it.
        rate_hz: of the samples.
        model: name of a bundled model, path of an `.onnx` file, or one that `sertag.model.session.load` gave.
        channels: `split`, `mix` or the number of the only one wanted, as in `Tagger`.
        roles: names of channel 0, 1, ...
        only_role: score this role alone.
        hop_s: step between windows in seconds; None for the model's.
        min_confidence: under it a window and a row are `uncertain`; None for the model's.
        name: path of the rows.

    Raises:
        ModelError: the model cannot be used.
        SertagError: there is no such channel or role.
        ValueError: a block has another shape than the first one, or a rate that nothing records with.

    >>> silence = (np.zeros((1, 1600), np.float32) for _ in range(50))
    >>> [type(event).__name__ for event in stream(silence, rate_hz=16000, model="phone")]
    ['Start', 'End']
    """
    if not 1_000 <= rate_hz <= 768_000:
        raise ValueError(f"rate_hz is {rate_hz}, expected 1000 to 768000")
    options = Options(channels, tuple(roles), only_role, hop_s, min_confidence)
    loaded = load(model) if isinstance(model, str) else model
    return _events(iter(blocks), loaded, options, rate_hz, name)


def _events(
    blocks: Iterator[npt.ArrayLike], model: Model, options: Options, rate_hz: int, name: str
) -> Iterator[Event]:
    session: Session | None = None
    count = 1
    try:
        for block in blocks:
            samples = _samples(block)
            if session is None:
                count = samples.shape[1]
                session = Session(model=model, channels=count, rate_hz=rate_hz, options=options, path=name)
                yield session.start()
            if samples.shape[1] != count:
                raise ValueError(f"a block has {plural(samples.shape[1], 'channel')}, the first one had {count}")
            yield from session.push(samples)
        if session is None:
            session = Session(model=model, channels=count, rate_hz=rate_hz, options=options, path=name)
            yield session.start()
        events, session = session.finish("end_of_stream"), None
        yield from events
    finally:
        if session is not None:
            session.close()


def _samples(block: npt.ArrayLike) -> FloatArray:
    """A copy of a block, float32 (n, channels)."""
    samples = np.array(block, dtype=np.float32, ndmin=2, copy=True)  # (channels, n)
    if samples.ndim != 2 or not 1 <= samples.shape[0] <= 256:
        raise ValueError(f"a block has shape {samples.shape}, expected (channels, n) or (n,)")
    return np.ascontiguousarray(samples.T)
