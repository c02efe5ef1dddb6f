"""The default model's protocol on tiny corpora: what a piece holds, that none is measured twice, and the command."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import Result

from tests.corpora import emovo, tess

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")
pytest.importorskip("tf2onnx", reason="the extra `export` is not installed")
pytest.importorskip("matplotlib", reason="the extra `export` is not installed")


from export import benches, candidates, fit_phone, phone_protocol, phone_survival
from export.behaviour import behaviour
from export.benches import PhoneBench, Trial
from export.calibration import scale
from export.clips import Corpus
from export.corpora import find_corpora
from export.dataset import read_clip
from export.distortions import NAMES
from export.errors import ExportError
from export.fit import Scores
from export.fit_phone import Settings
from export.labels import LABELS as ALL_LABELS
from export.metrics import figures, merit
from export.phone_protocol import (
    _anger,
    measure,
    measure_round,
    recipe_of,
    rules_of,
)
from export.phone_questions import CONDITIONS, QUESTIONS, Question, splits_of
from export.phone_survival import _babble, measure_calls
from export.predictions import Predictions
from export.protocols import Split, splits
from export.recipes.phone import RECIPE
from export.surety import from_plain, surety
from sertag.errors import OutputError
from tests.conftest import RATE_HZ, speech_like
from tests.export_command import run_export
from tests.limits import largest_file
from tests.onnx_models import tiny_spec, write_model
from tests.training import one_process, small_phone, untraced

LABELS = ("angry", "happy", "neutral", "sad")
SPEAKERS = Question("tess", "TESS, the other speaker", ("tess",), LABELS, "speakers")
AMONG = Question("tess-among-others", "TESS beside EMOVO", ("tess", "emovo"), LABELS, "among others")
ACROSS = Question("corpora", "an unseen corpus out of two", ("tess", "emovo"), LABELS, "corpora", distorted=True)
TINY = (SPEAKERS, AMONG, ACROSS)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    small_phone(monkeypatch)
    monkeypatch.setattr(phone_survival, "_SURVIVORS", 2)
    one_process(monkeypatch)
    with untraced():
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    tess(folder / "tess", words=1)
    emovo(folder / "emovo")
    return folder


@pytest.fixture(scope="module")
def corpora(root: Path) -> dict[str, Corpus]:
    return {corpus.name: corpus for corpus in find_corpora([str(root)])}


def pieces(place: Path) -> dict[str, dict[str, Any]]:
    return {file.stem: json.loads(file.read_text()) for file in sorted(place.glob("*.json"))}


@pytest.fixture(scope="module")
def tested(corpora, cache, tmp_path_factory) -> SimpleNamespace:
    """Everything once, for real: the pieces, the model files of the distorted part and what went through them."""
    place = tmp_path_factory.mktemp("pieces")
    found = SimpleNamespace(place=place, told=[], survivors=[], splits=[])
    with pytest.MonkeyPatch.context() as patched, untraced():
        small_phone(patched)
        patched.setattr(phone_survival, "_SURVIVORS", 2)
        true_survivals, true_run = phone_survival.survivals, PhoneBench.run

        def survivals(recordings: Sequence[Path], *, model: Any, **options: Any) -> Any:
            answers = true_survivals(recordings, model=model, **options)
            found.survivors.append((list(recordings), model.spec, answers))
            return answers

        def run(self: PhoneBench, split: Split, *, seed: int) -> Trial:
            found.splits.append((self.clips, split))
            return true_run(self, split, seed=seed)

        patched.setattr(phone_survival, "survivals", survivals)
        patched.setattr(PhoneBench, "run", run)
        report = lambda what, share: found.told.append((what, share))  # noqa: E731
        measure(TINY, corpora, place=place, cache=cache, jobs=1, seeds=(1,), report=report)
    found.pieces = pieces(place)
    return found


def test_a_piece_for_each_test_fold_and_seed(tested):
    assert [(piece["test"], piece["fold"], piece["seed"], piece["folds"]) for piece in tested.pieces.values()] == [
        ("corpora", "emovo", 1, 2),
        ("corpora", "tess", 1, 2),
        ("tess-among-others", "tess/OAF", 1, 2),
        ("tess-among-others", "tess/YAF", 1, 2),
        ("tess", "OAF", 1, 2),
        ("tess", "YAF", 1, 2),
    ]
    assert list(tested.pieces)[3] == "tess-among-others-tess-yaf-1"
    assert [share for _, share in tested.told] == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3, 1, 1, 1])
    assert tested.told[0][0].startswith("protocol: tess-oaf-1: clean ")
    assert tested.told[-1] == ("protocol", 1.0)


def test_a_piece_says_what_was_measured_and_how(tested):
    for piece in tested.pieces.values():
        assert piece["labels"] == list(LABELS)
        assert {"date", "commit", "python", "keras", "backend", "numpy", "took_s", "rules"} <= set(piece)
        assert piece["temperature"] > 0
        assert 0 < piece["min_confidence"] <= 1
        assert tuple(piece["conditions"]) == tuple(CONDITIONS)
        for own in piece["conditions"].values():
            confusion = np.array(own["confusion"])
            assert (
                confusion.sum() == own["clips"] == {"emovo": 12}.get(piece["fold"], 8 if piece["fold"] == "tess" else 4)
            )
            assert (own["uar"], own["accuracy"]) == pytest.approx(merit(confusion, np.zeros(4, int)), abs=1e-4)
            counted = from_plain(own["surety"], labels=4)
            np.testing.assert_array_equal(counted.counts[:, :, 1].sum(axis=0), np.diag(confusion))
            np.testing.assert_array_equal(counted.counts.sum(axis=(0, 2)), confusion.sum(axis=1))
            assert counted.calibration_error == pytest.approx(own["ece"], abs=1e-3)
            assert 0 <= own["anger"]["auc"] <= 1
            assert list(own["anger"]["false_alarms_an_hour"]) == ["50%", "80%"]
            assert 0 <= own["sentiment_uar"] <= 1


def test_who_was_learnt_from_is_counted(tested):
    assert tested.pieces["tess-oaf-1"]["learnt"] == {"clips": 3, "speakers": 1, "inner_clips": 1}
    assert tested.pieces["tess-among-others-tess-oaf-1"]["learnt"] == {"clips": 12, "speakers": 3, "inner_clips": 4}
    assert tested.pieces["corpora-tess-1"]["learnt"] == {"clips": 8, "speakers": 2, "inner_clips": 4}


def test_nobody_who_is_tested_is_learnt_from_or_calibrates(tested):
    assert len(tested.splits) == 6
    for clips, split in tested.splits:
        side = {name: {clips[index].person for index in getattr(split, name)} for name in ("learn", "inner", "test")}
        assert side["test"]
        assert not side["test"] & (side["learn"] | side["inner"])
        if split.name.startswith("tess/"):
            assert not any(person.startswith("tess/") for person in side["inner"])
            assert {"tess/OAF", "tess/YAF"} - side["test"] < side["learn"]


def test_the_distorted_part_converts_the_network_and_tags_with_it(tested, corpora):
    with_survival = {name for name, piece in tested.pieces.items() if "survival" in piece}
    assert with_survival == {"corpora-emovo-1", "corpora-tess-1"}
    assert len(tested.survivors) == 2
    for fold, (recordings, spec, answers) in zip(("emovo", "tess"), tested.survivors, strict=True):
        piece = tested.pieces[f"corpora-{fold}-1"]
        assert len(recordings) == 2
        assert set(recordings) < {clip.path for clip in corpora[fold].clips}
        assert (spec.labels, spec.temperature, spec.window_s) == (LABELS, piece["temperature"], 1.0)
        assert tuple(piece["survival"]) == NAMES
        assert piece["survival"] == {name: {"windows": own.windows, "same": own.same} for name, own in answers.items()}
        windows = {own["windows"] for own in piece["survival"].values()}
        assert len(windows) == 1
        assert windows.pop() > 0
        assert piece["survival"]["12 dB fainter"]["same"] > 0


def test_nothing_is_measured_twice(tested, corpora, cache, monkeypatch):
    monkeypatch.setattr(phone_protocol, "PhoneBench", lambda *_, **__: pytest.fail("features were loaded for nothing"))
    told: list[tuple[str, float]] = []
    before = {file: file.stat().st_mtime_ns for file in tested.place.iterdir()}
    report = lambda what, share: told.append((what, share))  # noqa: E731
    measure(TINY, corpora, place=tested.place, cache=cache, jobs=1, seeds=(1,), report=report)
    assert told == [("protocol", 1.0)]
    assert before == {file: file.stat().st_mtime_ns for file in tested.place.iterdir()}


class StopError(Exception):
    """Somebody pulled the plug."""


def random_scores(count: int, *, seed: int) -> dict[str, Scores]:
    """Another answer in every condition."""
    rng = np.random.default_rng(seed)
    heard = np.ones(count, dtype=bool)
    return {name: Scores(np.log(rng.dirichlet(np.ones(4), count)), heard) for name in CONDITIONS}


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folds that are trained from now on, not for real; a `stop` in front ends the run before the second one."""
    seen: list[str] = []

    def noted(self: PhoneBench, split: Split, *, seed: int) -> Trial:
        if seen[:1] == ["stop"] and len(seen) == 2:
            raise StopError
        seen.append(split.name)
        return Trial(None, 1, 1, (), 2.0, 0.5, random_scores(len(split.test), seed=seed))

    monkeypatch.setattr(PhoneBench, "run", noted)
    return seen


def test_the_figures_of_a_piece_are_those_of_calibrated_answers(tmp_path, corpora, cache, trainings):
    measure_round(SPEAKERS, 5, [corpora["tess"]], place=tmp_path, cache=cache)
    bench = PhoneBench(corpora["tess"].clips, recipe=recipe_of(SPEAKERS), cache=cache, jobs=1, conditions=CONDITIONS)
    for split in splits(bench.clips, protocol="speakers", seed=5):
        piece, truth = pieces(tmp_path)[f"tess-{split.name.lower()}-5"], bench.truth[split.test]
        for name, scores in random_scores(4, seed=5).items():
            probs = scale(scores.log_probs, temperature=2.0)
            own, expected = piece["conditions"][name], figures(probs, truth, labels=LABELS)
            assert (own["uar"], own["accuracy"], own["ece"]) == pytest.approx(
                (expected.uar, expected.accuracy, expected.ece), abs=1e-4
            )
            assert own["confusion"] == expected.confusion
            np.testing.assert_array_equal(from_plain(own["surety"], labels=4).counts, surety(probs, truth).counts)
            assert own["anger"] == _anger(probs, truth, LABELS, bench.seconds[split.test])
        assert (piece["temperature"], piece["min_confidence"], piece["seed"]) == (2.0, 0.5, 5)


def test_a_round_that_was_interrupted_goes_on(tmp_path, corpora, cache, trainings):
    trainings.append("stop")
    with pytest.raises(StopError):
        measure_round(SPEAKERS, 1, [corpora["tess"]], place=tmp_path, cache=cache)
    assert list(pieces(tmp_path)) == ["tess-oaf-1"]
    trainings.clear()
    told = measure_round(SPEAKERS, 1, [corpora["tess"]], place=tmp_path, cache=cache)
    assert trainings == ["YAF"]
    assert [line.partition(":")[0] for line in told] == ["tess-yaf-1"]


def test_what_would_come_out_otherwise_is_measured_again(tmp_path, corpora, cache, trainings, monkeypatch):
    spoken = corpora["tess"]

    def again(corpus: Corpus, question: Question = SPEAKERS) -> int:
        trainings.clear()
        measure_round(question, 1, [corpus], place=tmp_path, cache=cache)
        return len(trainings)

    assert again(spoken) == 2
    assert again(spoken) == 0
    assert again(dataclasses.replace(spoken, clips=spoken.clips[::-1])) == 0  # the order decides nothing
    assert again(dataclasses.replace(spoken, clips=spoken.clips[1:])) == 2
    other = dataclasses.replace(spoken.clips[0], label="sad")
    assert again(dataclasses.replace(spoken, clips=(other, *spoken.clips[1:]))) == 2
    assert again(spoken, dataclasses.replace(SPEAKERS, labels=LABELS[::-1])) == 2
    assert again(spoken) == 2
    with monkeypatch.context() as patched:
        patched.setattr(phone_protocol, "RECIPE", dataclasses.replace(phone_protocol.RECIPE, claim="99 %"))
        assert again(spoken) == 0
        patched.setattr(phone_protocol, "RECIPE", dataclasses.replace(phone_protocol.RECIPE, epochs=2))
        assert again(spoken) == 2
    for name, value in (("_RULES", 99), ("_DECIDING", phone_protocol._DECIDING[1:])):
        monkeypatch.setattr(phone_protocol, name, value)
        assert again(spoken) == 2


@pytest.mark.parametrize(
    ("changes", "same"),
    [({"title": "other words"}, True), ({"split": "corpora"}, False), ({"distorted": True}, False)],
)
def test_a_question_that_asks_otherwise_is_another(corpora, changes, same):
    clips, recipe = corpora["tess"].clips, recipe_of(SPEAKERS)
    found = rules_of(dataclasses.replace(SPEAKERS, **changes), recipe, clips)
    assert (found == rules_of(SPEAKERS, recipe, clips)) == same


def test_what_figures_come_from_is_watched():
    names = {module.__name__.removeprefix("export.") for module in phone_protocol._DECIDING}
    assert {"benches", "calibration", "dataset", "distortions", "fit_phone", "metrics", "protocols", "surety"} < names
    assert {"convert", "corpora", "folds", "sertag.channel", "sertag.features", "sertag.pitch"} < names


def test_seeds_are_pieces_of_their_own(tmp_path, corpora, cache, trainings):
    measure([SPEAKERS], corpora, place=tmp_path, cache=cache, jobs=1, seeds=(1, 2))
    assert list(pieces(tmp_path)) == ["tess-oaf-1", "tess-oaf-2", "tess-yaf-1", "tess-yaf-2"]
    assert trainings == ["OAF", "YAF"] * 2


def test_what_was_chosen_without_a_corpus_is_measured_where_that_is_tested(tmp_path, corpora, cache, monkeypatch):
    """Another candidate without EMOVO: its fold among corpora. Without TESS: all tests of TESS, another network."""
    seen: list[tuple[str, float, bool]] = []

    def noted(self: PhoneBench, split: Split, *, seed: int) -> Trial:
        noisy, network = self._settings.mixture.noisy, vars(fit_phone)["RECIPE"].build
        seen.append((split.name, noisy, network is candidates._with_dropout))
        return Trial(None, 1, 1, (), 2.0, 0.5, random_scores(len(split.test), seed=seed))

    monkeypatch.setattr(PhoneBench, "run", noted)
    options = {"place": tmp_path, "cache": cache, "jobs": 1, "seeds": (1,)}
    measure(TINY, corpora, chosen={"tess": "as it is", "emovo": "as it is"}, **options)
    assert not seen
    for _ in range(2):  # measured once
        measure(TINY, corpora, chosen={"tess": "as it is", "emovo": "no noise in training"}, **options)
        assert seen == [("emovo", 0, False)]
    (found,) = pieces(tmp_path).values()
    assert (found["test"], found["fold"], found["candidate"]) == ("corpora", "emovo", "no noise in training")
    assert "survival" not in found
    seen.clear()
    measure(TINY, corpora, chosen={"tess": candidates.DROPOUT, "emovo": "as it is"}, **options)
    assert seen == [(name, Settings().mixture.noisy, True) for name in ("OAF", "YAF", "tess/OAF", "tess/YAF", "tess")]
    assert {own["candidate"] for own in pieces(tmp_path).values() if own["fold"] != "emovo"} == {candidates.DROPOUT}
    measure(TINY, corpora, chosen={"tess": "as it is", "emovo": "half as long"}, **options)
    assert pieces(tmp_path)["corpora-emovo-1"]["candidate"] == "half as long"  # instead of the older choice


def test_a_disk_that_fills_up_is_one_line_and_leaves_no_half_piece(tmp_path, corpora, cache, trainings):
    measure_round(SPEAKERS, 1, [corpora["tess"]], place=tmp_path / "full", cache=cache)
    with largest_file(50), pytest.raises(OutputError, match=r"cannot write .*tess-oaf-1"):
        measure_round(SPEAKERS, 1, [corpora["tess"]], place=tmp_path / "a", cache=cache)
    assert list((tmp_path / "a").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot keep what was measured: Not a directory; name another --out"):
        measure_round(SPEAKERS, 1, [corpora["tess"]], place=tmp_path / "file" / "p", cache=cache)


@pytest.mark.parametrize(("there", "found"), [(["tess"], "tess"), ([], "nothing")])
def test_missing_corpora_are_named(tmp_path, corpora, cache, there, found):
    known = {name: corpora[name] for name in there}
    needs = "emovo" if there else "emovo, tess"
    message = f"^the protocol needs {needs}, found {found}; add --data NAME=DIR, or choose tests with --test$"
    with pytest.raises(ExportError, match=message) as caught:
        measure(TINY, known, place=tmp_path / "p", cache=cache, jobs=1)
    assert caught.value.code == "no_data"
    assert not (tmp_path / "p").exists()


def test_the_questions_are_those_that_were_fixed_beforehand():
    found = {question.name: question for question in QUESTIONS}
    assert list(found) == ["ravdess", "emodb", "tess", "tess-among-others", "corpora"]
    assert {name for name, question in found.items() if question.distorted} == {"corpora"}
    assert found["tess-among-others"].corpora[0] == "tess"
    assert found["ravdess"].labels == tuple(sorted((*ALL_LABELS, "calm")))
    for question in QUESTIONS:
        assert {"angry", "neutral"} < set(question.labels)
        assert list(question.labels) == sorted(question.labels)
        assert set(question.labels) <= set(RECIPE.sentiment)


def test_folds_are_those_of_the_split(corpora):
    clips = [clip for corpus in corpora.values() for clip in corpus.clips]
    assert [split.name for split in splits_of(ACROSS, clips, seed=1)] == ["emovo", "tess"]
    assert [split.name for split in splits_of(AMONG, clips, seed=1)] == ["tess/OAF", "tess/YAF"]
    assert len(splits_of(dataclasses.replace(AMONG, split="speakers"), clips, seed=1)) == 5


def test_each_condition_has_its_own_scores_and_each_clip_its_seconds(corpora, cache, monkeypatch):
    def predict(model: Any, dataset: Any, sums: Any, members: np.ndarray, **_: Any) -> Predictions:
        return Predictions(members, {name: np.full((len(members), 4), len(name) * 1.0) for name in CONDITIONS.values()})

    monkeypatch.setattr(benches, "predict", predict)
    monkeypatch.setattr(benches, "fit_phone", lambda *_, **__: SimpleNamespace(model=None, history=(), kept=1))
    names = {f"my {name}": name for name in reversed(CONDITIONS.values())}
    bench = PhoneBench(corpora["tess"].clips, recipe=recipe_of(SPEAKERS), cache=cache, jobs=1, conditions=names)
    trial = bench.run(splits(bench.clips, protocol="speakers", seed=1)[0], seed=1)
    assert list(trial.scores) == list(names)
    assert {name: scores.log_probs[0, 0] for name, scores in trial.scores.items()} == {
        own: len(name) for own, name in names.items()
    }
    expected = [len(read_clip(clip.path, rate_hz=RATE_HZ)) / RATE_HZ for clip in bench.clips]
    np.testing.assert_allclose(bench.seconds, expected, atol=0.04)


def test_anger_is_told_from_all_others_and_alarms_are_counted_by_the_hour_of_calm_speech():
    labels = ("angry", "calm", "happy", "neutral")
    truth = np.array([0, 0, 1, 2, 3, 3])
    angry = np.array([0.9, 0.5, 0.6, 0.7, 0.1, 0.95])
    probs = np.stack([angry, *[(1 - angry) / 3] * 3], axis=1)
    found = _anger(probs, truth, labels, np.array([9.0, 9.0, 2.0, 9.0, 3.0, 5.0]))
    # 8 pairs: 0.9 beats 0.6, 0.7 and 0.1; 0.5 beats 0.1. Calm are 3 clips of 10 s, 1080 an hour; 0.95 and 0.6 alarm.
    assert found == {"auc": 0.5, "false_alarms_an_hour": {"50%": 360.0, "80%": 720.0}}


@pytest.mark.parametrize("truth", [[0, 0, 2], [1, 3, 2], [2, 2, 2]])
def test_where_nobody_is_angry_or_calm_there_is_no_figure_of_anger(truth):
    assert _anger(np.eye(4)[[0, 1, 2]], np.array(truth), ("angry", "calm", "happy", "neutral"), np.ones(3)) is None


def test_babble_is_of_several_people_and_the_seed_chooses(corpora):
    clips = corpora["emovo"].clips
    one, again, other = (_babble(clips, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert len(one) != len(other) or (one != other).any()
    alone = _babble(clips[:1], seed=1)
    assert len(alone) == len(read_clip(clips[0].path, rate_hz=RATE_HZ))


@pytest.fixture
def calls(tmp_path) -> Path:
    folder = tmp_path / "calls"
    (folder / "more").mkdir(parents=True)
    for seed in (1, 2):
        soundfile.write(folder / f"{seed}.wav", speech_like(6.0, seed=seed, level=0.04), RATE_HZ, subtype="ULAW")
    return folder


@pytest.fixture
def followed(monkeypatch) -> list[list[str]]:
    """The recordings that are followed from now on."""
    seen: list[list[str]] = []
    true = phone_survival.survivals

    def noted(recordings: Sequence[Path], **options: Any) -> Any:
        seen.append([path.name for path in recordings])
        return true(recordings, **options)

    monkeypatch.setattr(phone_survival, "survivals", noted)
    monkeypatch.setattr("export.survival.NAMES", ("12 dB fainter", "babble, 15 dB"))
    return seen


def test_calls_are_followed_once_for_a_model_and_its_calls(calls, corpora, tiny_model, tmp_path, followed):
    place, other = tmp_path / "p", write_model(tmp_path / "other.onnx", tiny_spec(), seed=1)
    told: list[tuple[str, float]] = []

    def follow(model: Path = tiny_model, voices: Sequence[str] = ("tess",)) -> int:
        followed.clear()
        report = lambda what, share: told.append((what, share))  # noqa: E731
        chosen = [corpora[name] for name in voices]
        measure_calls(calls, chosen, model=str(model), place=place, report=report)
        return len(followed)

    assert follow() == 1
    assert followed == [["1.wav", "2.wav"]]
    assert told == [("calls", 0.5), ("calls", 1.0)]
    (piece,) = pieces(place).values()
    assert (piece["test"], piece["calls"]) == ("calls", 2)
    assert {"rules", "date"} < set(piece)
    assert piece["behaviour"] == behaviour(str(tiny_model))
    assert piece["survival"]["12 dB fainter"]["windows"] == piece["survival"]["babble, 15 dB"]["windows"] > 2
    assert follow() == 0
    (calls / "1.wav").rename(calls / "0.wav")  # a name is nothing that is heard
    assert follow() == 0
    assert follow(other) == 1
    assert follow() == 1
    assert follow(voices=("tess", "emovo")) == 1
    soundfile.write(calls / "3.wav", speech_like(6.0, seed=3), RATE_HZ)
    assert follow(voices=("tess", "emovo")) == 1
    assert followed == [["0.wav", "2.wav", "3.wav"]]


def test_a_call_that_cannot_be_decoded_is_one_error(calls, corpora, tiny_model, tmp_path):
    (calls / "0.wav").write_text("no audio at all")
    with pytest.raises(ExportError, match=rf"0\.wav.*; take it out of {calls}$") as caught:
        measure_calls(calls, [corpora["tess"]], model=str(tiny_model), place=tmp_path / "p")
    assert caught.value.code == "not_audio"
    assert not (tmp_path / "p").exists()


def test_a_folder_without_calls_is_one_error(corpora, tiny_model, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(ExportError, match=r"none: no recording; expected real calls"):
        measure_calls(tmp_path / "none", [corpora["tess"]], model=str(tiny_model), place=tmp_path / "p")


@pytest.fixture
def asked(monkeypatch) -> None:
    """The command asks the tiny questions."""
    for module in ("phone_questions", "phone_pieces", "phone_summary"):
        monkeypatch.setattr(f"export.{module}.QUESTIONS", TINY[:2])


def run(*arguments: object) -> Result:
    return run_export("protocol", "phone", *arguments)


@pytest.mark.usefixtures("asked", "trainings", "followed")
def test_the_command_measures_and_writes_page_figures_and_pictures(tmp_path, root, cache, calls):
    out = tmp_path / "out"
    options = ("--data", root, "-o", out, "--cache", cache, "-j", 1, "--seed", 1, "--seed", 2)
    done = run(*options, "--test", "tess")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{out / 'phone.md'}\n"
    assert {file.name for file in out.iterdir()} == {
        "protocol",
        "phone.json",
        "phone.md",
        "phone-reliability.png",
        "phone-coverage.png",
    }
    assert list(pieces(out / "protocol")) == ["tess-oaf-1", "tess-oaf-2", "tess-yaf-1", "tess-yaf-2"]
    assert "## What a label survives" not in (out / "phone.md").read_text()
    done = run(*options, "--calls", calls)
    assert done.exit_code == 0, done.output
    assert len(pieces(out / "protocol")) == 9
    assert "## What a label survives" in (out / "phone.md").read_text()
    found = json.loads((out / "phone.json").read_text())
    assert set(found["tests"]) == {"tess", "tess-among-others"}
    assert found["tests"]["tess"]["seeds"] == 2


@pytest.mark.usefixtures("asked", "trainings")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--data", "{root}", "--test", "emodb"], 2, "--test: 'emodb' is none of tess, tess-among-others"),
        (["--data", "{root}", "--calls", "{root}/none"], 2, "does not exist"),
        (["--data", "tess={root}/tess"], 1, "Error: the protocol needs emovo, found tess; add --data NAME=DIR"),
        (["--data", "{root}/none"], 1, "no such folder"),
        ([], 2, "--data"),
        (["--data", "{root}", "-o", "{root}/tess/OAF_angry/OAF_wa_angry.wav"], 1, "cannot keep what was measured"),
    ],
)
def test_what_cannot_be_measured_is_one_line(tmp_path, root, cache, arguments, code, message):
    given = [argument.format(root=root) for argument in arguments]
    done = run(*([] if "-o" in given else ["-o", tmp_path / "out"]), "--cache", cache, "-j", 1, "--seed", 1, *given)
    assert done.exit_code == code, done.output
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()
