"""What a model says of clips: the same alone or among others, in any order, from one worker or two."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from export.corpora.clips import Clip
from export.evaluation.evaluate import Answer, tag_clips
from sertag.model.session import load
from tests.conftest import RATE_HZ, speech_like


def clip(place: Path) -> Clip:
    digest = hashlib.sha1(place.read_bytes(), usedforsecurity=False).hexdigest()
    return Clip(place, "own", "a", "angry", "", "", "", digest)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("clips")
    for number in range(5):
        soundfile.write(folder / f"{number}.wav", speech_like(2, seed=number), RATE_HZ, subtype="PCM_16")
    (folder / "text.wav").write_text("no audio")
    (folder / "empty.wav").write_bytes(b"")
    soundfile.write(folder / "silent.wav", np.zeros(2 * RATE_HZ), RATE_HZ)
    return [clip(place) for place in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def clean(clips: list[Clip], tiny_model: Path) -> list[Answer]:
    """Answers to all clips."""
    return tag_all(clips, tiny_model, phone=False)


@pytest.fixture(scope="module")
def by_phone(clips: list[Clip], tiny_model: Path) -> list[Answer]:
    """The same by phone."""
    return tag_all(clips, tiny_model, phone=True)


def tag_all(clips: list[Clip], place: Path, *, phone: bool, seed: int = 1, jobs: int = 1) -> list[Answer]:
    return list(tag_clips(clips, model=load(str(place)), phone=phone, seed=seed, jobs=jobs))


def test_every_clip_has_an_answer_a_problem_or_nothing_to_say(clips, clean, by_phone):
    for answers, fewest in ((clean, 5), (by_phone, 4)):  # a line may drown one of them in noise
        found = dict(zip((clip.path.name for clip in clips), answers, strict=True))
        assert {name for name, answer in found.items() if answer.problem} == {"text.wav", "empty.wav"}
        assert all(name in found[name].problem for name in ("text.wav", "empty.wav"))
        assert found["silent.wav"].probs == ()
        sums = [sum(found[f"{number}.wav"].probs) for number in range(5) if found[f"{number}.wav"].probs]
        assert sums == pytest.approx([1] * len(sums))
        assert len(sums) >= fewest


def test_neither_order_nor_company_changes_an_answer(clips, tiny_model, clean, by_phone):
    assert tag_all(clips[::-1], tiny_model, phone=True) == by_phone[::-1]
    assert tag_all(clips[1::2], tiny_model, phone=False) == clean[1::2]


def test_two_workers_say_what_one_says(clips, tiny_model, by_phone):
    assert tag_all(clips, tiny_model, phone=True, jobs=2) == by_phone


def test_a_line_is_drawn_from_content_and_seed_not_from_the_name(clips, tiny_model, clean, by_phone, tmp_path):
    copy = tmp_path / "elsewhere.wav"
    copy.write_bytes(clips[0].path.read_bytes())
    (first,) = by_phone[:1]
    assert tag_all([clip(copy)], tiny_model, phone=True) == [first]
    assert tag_all(clips[:1], tiny_model, phone=True, seed=2) != [first]
    assert clean[0] != first
