"""The damaged recording of a seed: which format, which faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.torture.differential.recordings import faults, rewritten
from benchmarks.torture.differential.recordings.formats import Format
from benchmarks.torture.differential.recordings.recording import Fault, Recording, Workshop, recorded

_SECOND_SHARE = 0.3  # of the cases have two faults
FIRST: tuple[Fault, ...] = (  # what stands twice comes twice as often
    *(
        faults.none,
        faults.cut,
        faults.cut,
        faults.sizes,
        faults.sizes,
        faults.sizes,
        faults.joined,
        faults.joined,
        faults.joined_other,
        faults.two_data,
        faults.chunk_before,
        faults.chunk_behind,
    ),
    *(
        faults.tag_behind,
        faults.zeros_behind,
        faults.junk_behind,
        faults.tag_before,
        faults.junk_before,
        faults.flipped,
        faults.zeroed,
        faults.bytes_lost,
    ),
    *(
        rewritten.packets_lost,
        rewritten.time_hole,
        rewritten.piped,
        rewritten.killed,
        faults.no_index,
        rewritten.index_first,
    ),
)
SECOND: tuple[Fault, ...] = (
    faults.cut,
    faults.sizes,
    faults.tag_behind,
    faults.zeros_behind,
    faults.junk_behind,
    faults.flipped,
    faults.zeroed,
    faults.bytes_lost,
)


def case(seed: int, *, folder: Path, clips: tuple[Path, ...], among: tuple[Format, ...]) -> Recording:
    """The damaged recording of a seed, always the same; seeds that follow each other go through the formats in turn.

    Args:
        seed: which one.
        folder: to work in, empty.
        clips: speech.
        among: formats.
    """
    shop = Workshop(folder, clips, np.random.default_rng(seed))
    recording = recorded(among[seed % len(among)], shop)
    recording = _one_of(FIRST, recording, shop)
    return _one_of(SECOND, recording, shop) if shop.rng.random() < _SECOND_SHARE else recording


def _one_of(choice: tuple[Fault, ...], recording: Recording, shop: Workshop) -> Recording:
    while True:
        fault = choice[int(shop.rng.integers(len(choice)))]
        made = fault(recording, shop)
        if made is not None:
            return replace(made, kinds=(*recording.kinds, fault.__name__))
