"""The recipe's decisions without the tested corpus: who is learnt from and scored, what is chosen, what is kept."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.corpora import emovo

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")

from export import candidates, choice, fit_phone, phone_protocol, recipes
from export.candidates import AS_IT_IS, CHANGES, MEMBERS, alone, network_of, settings_of
from export.choice import CONDITIONS_TRIED, choose, measure
from export.clips import Corpus
from export.corpora import find_corpora
from export.errors import ExportError
from export.fit_phone import Settings
from export.phone_questions import FIVE
from export.pieces import Piece, read_all
from export.recipe import Task
from tests.export_command import run_export
from tests.training import one_process, small_phone, untraced

NAMES = ("a", "b", "c")
PAIRS = (("a", "b"), ("b", "c"), ("c", "a"))
BUILD = recipes.RECIPES["phone"].build


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three corpora, two candidates, none of which has members; one step of training."""
    small_phone(monkeypatch)
    one_process(monkeypatch)
    monkeypatch.setattr(choice, "FIVE", NAMES)
    monkeypatch.setattr(choice, "PAIRS", PAIRS)
    monkeypatch.setattr(choice, "MEMBERS", {})
    changes = {AS_IT_IS: {}, "unmasked": {"mixture.time_masks": "0"}}
    monkeypatch.setattr(candidates, "CHANGES", changes)
    monkeypatch.setattr(choice, "CHANGES", changes)
    with untraced():
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    for name, speakers in zip(NAMES, (("f1", "f2"), ("f3", "m1"), ("m2", "m3")), strict=True):
        emovo(folder / name / "emovo", speakers=speakers)
    return folder


@pytest.fixture
def corpora(root: Path) -> dict[str, Corpus]:
    found = {}
    for name in NAMES:
        (corpus,) = find_corpora([f"emovo={root / name / 'emovo'}"])
        clips = tuple(dataclasses.replace(clip, corpus=name) for clip in corpus.clips)
        found[name] = dataclasses.replace(corpus, name=name, clips=clips)
    return found


def test_who_is_scored_is_not_learnt_from_and_nothing_is_measured_twice(small, corpora, root, tmp_path, monkeypatch):
    seen: list[tuple[set[str], set[str], int]] = []
    learnt: list[tuple[set[str], int]] = []
    true_fit, true_predict = choice.fit_phone, choice.predict

    def fitted(dataset: Any, sums: Any, members: Any, *, settings: Settings) -> Any:
        learnt.append(({dataset.clips[index].person for index in members}, settings.mixture.time_masks))
        return true_fit(dataset, sums, members, settings=settings)

    def predicted(model: Any, dataset: Any, sums: Any, members: Any, **options: Any) -> Any:
        people, masks = learnt[-1]
        seen.append((people, {dataset.clips[index].person for index in members}, masks))
        return true_predict(model, dataset, sums, members, **options)

    monkeypatch.setattr(choice, "fit_phone", fitted)
    monkeypatch.setattr(choice, "predict", predicted)
    options = {"place": tmp_path, "cache": root / "cache", "jobs": 1}
    monkeypatch.setattr(choice, "do_all", lambda work, **_: [task(*given, **named) for task, given, named in work])
    measure(corpora, **options)
    people = {name: {clip.person for clip in corpora[name].clips} for name in NAMES}
    for masks in (Settings().mixture.time_masks, 0):
        own = [(who, scored) for who, scored, drawn in seen if drawn == masks]
        halves = [(who, scored) for who, scored in own if len(scored) == 1]
        assert [who | scored for who, scored in halves] == [people[name] for name in NAMES]
        assert all(who.isdisjoint(scored) for who, scored in own)
        assert [(who, scored) for who, scored in own if len(scored) > 1] == [
            (set.union(*(people[name] for name in NAMES if name not in pair)), people[pair[0]] | people[pair[1]])
            for pair in PAIRS
        ]
    pieces = read_all(tmp_path)
    assert len(pieces) == len(seen) == 2 * (3 + 3)
    assert all(
        set(found) == set(CONDITIONS_TRIED)
        for piece in pieces
        for scored in piece["uar"].values()
        for found in scored.values()
    )
    measure(corpora, **options)
    assert len(seen) == len(pieces)


def invented(seed: int = 1, *, without: str | None = None) -> list[Piece]:
    """All pieces with random figures, or 0 in those that have heard or scored clips of a corpus."""
    rng = np.random.default_rng(seed)
    pieces = []
    for candidate in CHANGES:
        told = (candidate, *MEMBERS) if candidate == AS_IT_IS else (candidate,)
        for trainings in choice._trainings(candidate):
            for training in trainings:
                heard = {*training.corpora} - {*training.scored}
                uar = {}
                for name in told:
                    drawn = {corpus: dict.fromkeys(CONDITIONS_TRIED, float(rng.random())) for corpus in training.scored}
                    uar[name] = {
                        corpus: dict.fromkeys(CONDITIONS_TRIED, 0.0) if without in {corpus, *heard} else own
                        for corpus, own in drawn.items()
                    }
                origin = {"code": "x", "date": "2026-11-29", "commit": "abc"}
                pieces.append({"training": training.file, "uar": uar, **origin})
    return pieces


@pytest.mark.parametrize("left", FIVE)
def test_what_is_chosen_without_a_corpus_does_not_depend_on_it(left):
    as_measured, otherwise = choose(invented()), choose(invented(without=left))
    for name, merits in as_measured["merits"].items():
        assert merits[left] == otherwise["merits"][name][left]
        assert all(merits[other] != otherwise["merits"][name][other] for other in FIVE if other != left)
    assert as_measured["chosen"][left] == otherwise["chosen"][left]


def test_the_merit_is_the_mean_of_unseen_speakers_and_unseen_corpora():
    pieces = invented()
    mean = {
        (piece["training"], corpus): float(np.mean(list(own.values())))
        for piece in pieces
        for corpus, own in piece["uar"].get("half as long", {}).items()
    }
    speakers = [mean[f"half-as-long-half-of-{name}.json", name] for name in FIVE[1:]]
    strangers = [
        mean["half-as-long-without-tess-ravdess.json", "ravdess"],
        mean["half-as-long-without-nemo-tess.json", "nemo"],
    ]
    expected = (np.mean(speakers) + np.mean(strangers)) / 2
    assert choose(pieces)["merits"]["half as long"]["tess"] == pytest.approx(expected, abs=1e-4)


def test_the_best_is_chosen_and_only_what_is_measured_stands():
    pieces = invented()
    found = choose(pieces)
    assert set(found["merits"]) == {*CHANGES, *MEMBERS}
    for left, chosen in found["chosen"].items():
        assert found["merits"][chosen][left] == max(own[left] for own in found["merits"].values())
    fewer = choose([piece for piece in pieces if piece["training"] != "half-as-long-half-of-tess.json"])
    assert set(fewer["merits"]) == {*CHANGES, *MEMBERS} - {"half as long"}
    assert choose([]) == choose(pieces[:3]) == {}


@pytest.mark.parametrize("candidate", [*CHANGES, *MEMBERS])
def test_every_candidate_differs_in_one_thing_and_can_be_built(candidate):
    settings = settings_of(candidate)
    with network_of(candidate):
        build = vars(fit_phone)["RECIPE"].build
    assert (settings != Settings()) + (build is not BUILD) == (candidate != AS_IT_IS)
    columns = settings.features.n_coefficients
    model = build(Task(400, columns, 7, np.zeros(columns, "f"), np.ones(columns, "f")))
    assert model.output_shape == (None, 7)
    assert vars(fit_phone)["RECIPE"].build is BUILD


def a_window(task: Task) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {
        "features": rng.standard_normal((2, task.frames, task.columns)).astype("f"),
        "channel_mean": np.zeros((2, task.columns), "f"),
        "channel_std": np.ones((2, task.columns), "f"),
        "speech_frames": np.full((2, 1), 300, "f"),
    }


@pytest.fixture(scope="module")
def task() -> Task:
    columns = Settings().features.n_coefficients
    return Task(400, columns, 7, np.zeros(columns, "f"), np.ones(columns, "f"))


def _number(layer: Any) -> tuple[int, str]:
    """In the order in which layers of a kind were made."""
    number = layer.name.rpartition("_")[2]
    return (int(number), "") if number.isdigit() else (1_000_000 if layer.name.startswith("member_") else 0, layer.name)


def test_dropout_is_all_that_is_new_in_a_network_with_dropout(task):
    plain, dropping = BUILD(task), candidates._with_dropout(task)
    kinds = {type(layer) for layer in plain.layers if layer.get_weights()}
    for kind in kinds:
        pairs = [[layer for layer in model.layers if type(layer) is kind] for model in (plain, dropping)]
        for layer, own in zip(*(sorted(layers, key=_number) for layers in pairs), strict=True):
            own.set_weights(layer.get_weights())
    window = a_window(task)
    assert np.array_equal(plain(window), dropping(window))
    fresh = {type(layer).__name__ for layer in dropping.layers} - {type(layer).__name__ for layer in plain.layers}
    assert fresh == {"SpatialDropout1D"}
    before, after = (sum("Dropout" in type(layer).__name__ for layer in own.layers) for own in (plain, dropping))
    assert after == before + 3 + 3
    names = [layer.name for layer in dropping.layers if layer.name.startswith("member_")]
    assert sorted(names) == sorted(MEMBERS.values())


def test_members_answer_apart_and_together(task):
    model = BUILD(task)
    window = a_window(task)
    own = [np.log(alone(model, member)(window)) for member in MEMBERS]
    mean = np.exp(np.mean(own, axis=0))
    assert np.allclose(mean / mean.sum(axis=1, keepdims=True), model(window), atol=1e-5)
    assert not np.allclose(own[0], own[1], atol=1e-3)


def test_a_corpus_that_is_missing_is_named(tmp_path):
    with pytest.raises(ExportError, match=r"the choice is made on tess, ravdess, .*, and there is no tess, ravdess"):
        measure({}, place=tmp_path, cache=tmp_path, jobs=1)


def test_the_command_refuses_what_is_not_enough(root, tmp_path):
    places = ["--data", f"emovo={root / 'a' / 'emovo'}", "--cache", str(tmp_path / "cache"), "-o", str(tmp_path)]
    done = run_export("choose", "phone", *places)
    assert done.exit_code == 1
    assert "there is no tess, ravdess, emodb, nemo; add --data NAME=DIR" in done.stderr


def test_the_command_tests_what_is_chosen_and_writes_the_page(root, tmp_path, monkeypatch):
    asked: list[dict[str, Any]] = []

    def chosen(corpora: Any, *, place: Path, **_: Any) -> None:
        place.mkdir()
        for number, piece in enumerate(invented()):
            (place / f"{number}.json").write_text(json.dumps(piece), encoding="utf-8")

    monkeypatch.setattr(choice, "measure", chosen)
    monkeypatch.setattr(phone_protocol, "measure", lambda tests, corpora, **options: asked.append(options))
    places = ["--data", f"emovo={root / 'a' / 'emovo'}", "--cache", str(tmp_path / "cache"), "-o", str(tmp_path)]
    done = run_export("choose", "phone", *places, "-j", "1")
    assert done.exit_code == 0, done.output
    (options,) = asked
    assert options["chosen"] == choose(invented())["chosen"]
    assert options["place"] == tmp_path / "chosen"
    assert done.stdout.strip().endswith("phone.md")
    assert "The recipe without the corpus that is tested" in (tmp_path / "phone.md").read_text(encoding="utf-8")
