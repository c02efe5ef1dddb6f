"""Which clips are of use: what is dropped for which reason, and what stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from export.audio.clip_file import read_clip
from export.corpora.clips import Clip, Corpus
from export.corpora.decodable import FLAW, drop_unusable
from export.corpora.loading import load
from export.errors import ExportError
from tests.audio_files import encoded, tones, wav

LEAST_S = 0.032


def corpus_of(folder: Path, **recordings: bytes) -> Corpus:
    clips = []
    for name, content in recordings.items():
        path = folder / f"{name}.wav"
        path.write_bytes(content)
        clips.append(Clip(path, "mine", "", "sad", "", "", "", digest=f"{name}-{hash(content):x}"))
    return Corpus("mine", "", tuple(clips))


def drop(*corpora: Corpus, jobs: int = 1) -> tuple[Corpus, ...]:
    return drop_unusable(corpora, jobs=jobs, least_s=LEAST_S, report=lambda what, share: None)


def undated(corpus: Corpus) -> Corpus:
    """A corpus as it was before durations of clips were known."""
    return replace(corpus, clips=tuple(replace(clip, duration_s=0.0) for clip in corpus.clips))


def names(paths: tuple[str, ...]) -> list[str]:
    return [Path(path).stem for path in paths]


@pytest.fixture
def mixed(tmp_path: Path) -> Corpus:
    whole = wav(tones(0.5))
    return corpus_of(
        tmp_path,
        good=whole,
        cut=whole[: len(whole) // 2],
        empty=b"",
        header=whole[:44],
        text=b"Dear Sir",
        noise=bytes(range(256)) * 9,
        short=wav(tones(0.03)),
        enough=wav(tones(0.032)),
        zero_rate=wav(tones(0.5), header_rate=1),
    )


def test_what_is_of_no_use_is_dropped_counted_and_named(mixed, tmp_path):
    (found,) = drop(mixed)
    assert [clip.path.stem for clip in found.clips] == ["good", "cut", "enough"]
    assert [clip.duration_s for clip in found.clips] == pytest.approx([0.5, 0.25, 0.032], abs=0.01)
    assert {reason: names(paths) for reason, paths in found.skipped.items()} == {
        "empty": ["empty", "header"],
        "cannot be decoded (not_audio)": ["text", "noise"],
        "shorter than 0.032 s": ["short"],
        "cannot be decoded (bad_rate)": ["zero_rate"],
    }


def test_a_truncated_clip_stays_and_is_named(mixed, tmp_path):
    (found,) = drop(mixed)
    assert {flaw: names(paths) for flaw, paths in found.flawed.items()} == {FLAW: ["cut"]}


def test_what_is_left_can_be_read_at_any_rate(mixed, tmp_path):
    (found,) = drop(mixed)
    for clip in found.clips:
        for rate_hz in (8000, 22050):
            assert len(read_clip(clip.path, rate_hz=rate_hz)) >= LEAST_S * rate_hz - 1


def test_earlier_reasons_and_whole_corpora_stay(mixed, tmp_path):
    earlier = Corpus("mine", "", mixed.clips[:1], skipped={"no audio suffix": ("x.txt",)}, flawed={"odd": ("y.wav",)})
    (found,) = drop(earlier)
    assert undated(found) == earlier


def test_corpora_are_judged_one_by_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = corpus_of(tmp_path / "a", x=wav(tones(0.2)), y=b"")
    other = corpus_of(tmp_path / "b", z=wav(tones(0.3)))
    assert [{*corpus.skipped} for corpus in drop(one, other)] == [{"empty"}, set()]


def test_a_corpus_of_which_nothing_is_left_is_refused(tmp_path):
    corpus = corpus_of(tmp_path, a=b"", b=b"Dear Sir")
    message = r"mine: no clip can be used, left out: 1 empty \(.*a\.wav\); 1 cannot be decoded \(not_audio\)"
    with pytest.raises(ExportError, match=message):
        drop(corpus)


@pytest.mark.parametrize("jobs", [1, 2])
def test_workers_come_to_the_same_verdicts(mixed, tmp_path, jobs, monkeypatch):
    monkeypatch.setattr("export.corpora.decodable._FEW", 0)
    (found,) = drop(mixed, jobs=jobs)
    assert [clip.path.stem for clip in found.clips] == ["good", "cut", "enough"]


def test_progress_ends_at_one(mixed, tmp_path):
    told: list[tuple[str, float]] = []
    report = lambda what, share: told.append((what, share))  # noqa: E731
    drop_unusable([mixed], jobs=1, least_s=LEAST_S, report=report)
    assert told[-1] == ("decoding", 1.0)
    assert len(told) == len(mixed.clips)


def test_aiff_inside_a_wav_name_is_of_use(tmp_path):
    (tmp_path / "OAF_back_sad.wav").write_bytes(encoded(tones(0.5), format="AIFF"))
    corpus = load(tmp_path, name="tess")
    assert [undated(found) for found in drop(corpus)] == [corpus]


def test_real_clips_are_all_of_use(data_dir, tmp_path):
    corpus = load(data_dir / "emodb", name="emodb")
    corpus = replace(corpus, clips=corpus.clips[::9])
    assert [undated(found) for found in drop(corpus)] == [corpus]
