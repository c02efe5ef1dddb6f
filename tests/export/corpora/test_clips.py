"""Which recordings a company may train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.corpora.clips import Clip, Corpus, open_only
from export.errors import ExportError


def corpus(name: str, *licences: str) -> Corpus:
    clips = tuple(
        Clip(Path(f"{name}/{number}.wav"), name, "ann", "happy", "", "", licence, f"{number:040x}")
        for number, licence in enumerate(licences)
    )
    return Corpus(name, "; ".join(licences), clips)


def test_recordings_that_reserve_trade_are_left_out_counted_and_named() -> None:
    mixed, closed = corpus("ordinary", "CC BY 4.0", "GPL-2", "MIT"), corpus("ravdess", "CC BY-NC-SA 4.0")
    (kept,) = open_only([mixed, closed])
    assert [clip.licence for clip in kept.clips] == ["CC BY 4.0", "MIT"]
    assert kept.licence == "CC BY 4.0; MIT"
    assert kept.skipped == {"licence reserves commercial use": ("ordinary/1.wav",)}


def test_a_corpus_that_allows_trade_keeps_its_own_words() -> None:
    whole = corpus("crema_d", "ODbL 1.0, contents DbCL 1.0")
    assert open_only([whole]) == (whole,)


def test_nothing_open_is_an_error() -> None:
    with pytest.raises(ExportError, match=r"no licence of tess allows commercial use; .*--open"):
        open_only([corpus("tess", "CC BY-NC-ND 4.0")])
