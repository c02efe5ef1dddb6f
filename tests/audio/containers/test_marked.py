"""Recordings that do not say where they end do so where the next one begins."""

from __future__ import annotations

import io

import pytest

from sertag.audio.containers.layout import Layout
from sertag.audio.containers.marked import ircam_layout, nist_layout, tta_layout, wavpack_layout
from tests.audio_files import encoded, tones

IRCAM, NIST = encoded(tones(1), format="IRCAM"), encoded(tones(1), format="NIST")
TTA = b"TTA1\x01\0" + bytes(range(1, 200))
WAVPACK = b"".join(
    b"wvpk" + (112).to_bytes(4, "little") + bytes(8) + index.to_bytes(4, "little") + bytes(100) for index in (0, 9, 18)
)
MEASURES = {"ircam": (ircam_layout, IRCAM), "nist": (nist_layout, NIST), "tta": (tta_layout, TTA)}
MEASURES["wavpack"] = (wavpack_layout, WAVPACK)


def measure(kind: str, content: bytes, start: int = 0) -> Layout:
    return MEASURES[kind][0](io.BytesIO(content), start=start, size_bytes=len(content))


@pytest.mark.parametrize("kind", MEASURES)
def test_the_next_recording_ends_it(kind: str) -> None:
    content = MEASURES[kind][1]
    assert measure(kind, content).end == len(content)
    assert measure(kind, content + content).end == len(content)
    assert measure(kind, content + content, start=len(content)).end == 2 * len(content)


def test_a_short_mark_inside_samples_ends_nothing() -> None:
    content = IRCAM[:5000] + IRCAM[:4] + b"\x12\x34\x56\x78" * 3 + IRCAM[5000:]
    assert measure("ircam", content).end == len(content)


@pytest.mark.parametrize("kind", MEASURES)
def test_files_cut_anywhere_are_no_error(kind: str) -> None:
    content = MEASURES[kind][1][:300] * 2
    for count in range(4, len(content)):
        assert measure(kind, content[:count]).end <= count
