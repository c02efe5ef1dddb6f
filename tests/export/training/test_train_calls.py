"""Training of models for calls, tiny but real: corpora to a model file that sertag runs, and the commands around it."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tests.corpora import emovo, no_speech, ordinary, own

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")
pytest.importorskip("tf2onnx", reason="the extra `export` is not installed")
pytest.importorskip("matplotlib", reason="the extra `export` is not installed")

from export.card.card import card, read_figures
from export.conversion.provenance import read_trained_on
from export.corpora.clips import Clip, Corpus
from export.corpora.loading import find_corpora
from export.corpora.own_data import NO_SPEECH
from export.errors import ExportError
from export.features.encoder import Encoder, cut_out
from export.features.material import UNKNOWN
from export.recipes import phone_deep
from export.training import fit_windows
from export.training.experiment import Experiment, out_of_fold, pool_of
from export.training.splits import Settings, folds_of
from export.training.train import train as train_recipe
from sertag.model.model_file import describe
from sertag.model.session import load
from sertag.records import AudioFile, Options
from sertag.tagging.pipeline import tag_file
from sertag.tagging.probe import check
from tests.encoders import write_encoder
from tests.export_command import run_export
from tests.limits import largest_file
from tests.training import one_process, small_network, small_phone, untraced

LABELS = ("angry", "happy", "neutral", "sad")
SMALL = dataclasses.replace(small_phone(), labels=LABELS)
DEEP = dataclasses.replace(
    phone_deep.RECIPE, labels=LABELS, build=small_network, batch=16, window_s=1.0, hop_s=0.5, epochs=1, augmentations=()
)
BY_CORPUS = Settings(protocol="cross-validated", folds_by="corpus", name="ours")
BY_SPEAKER = Settings(protocol="cross-validated", folds=2, name="ours")


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("export.evaluation.call_calibration._CALLS", 3)
    one_process(monkeypatch)
    with untraced():
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labelled corpora, ordinary speech of two sources, and noise of two."""
    folder = tmp_path_factory.mktemp("corpora")
    emovo(folder / "emovo", speakers=("f1", "m1"))
    own(folder / "mine", labels=LABELS, speakers=("ann", "bob"))
    ordinary(folder / "ordinary", count=4, seconds=4.0)
    no_speech(folder / "no_speech", count=4, seconds=2.0)
    return folder


@pytest.fixture(scope="module")
def corpora(root: Path) -> tuple[Corpus, ...]:
    return find_corpora([f"{name}={root / name}" for name in ("emovo", "mine", "ordinary", "no_speech")])


@pytest.fixture(scope="module")
def clips(corpora: tuple[Corpus, ...]) -> list[Clip]:
    return [clip for corpus in corpora for clip in corpus.clips]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "e.onnx", frames=100, columns=6)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def experiment_with(clips: list[Clip], cache: Path, **options: Any) -> Experiment:
    return Experiment(clips, recipe=SMALL, cache=cache, jobs=1, **options)


def folds_with(clips: list[Clip], folds: np.ndarray, corpus: str) -> set[int]:
    return {int(fold) for clip, fold in zip(clips, folds, strict=True) if clip.corpus == corpus}


@pytest.mark.parametrize("settings", [BY_CORPUS, BY_SPEAKER], ids=["corpus", "speaker"])
def test_nobody_and_no_source_is_scored_where_it_is_learnt_from(clips, settings):
    folds = folds_of(clips, settings=settings)
    assert set(folds) == {0, 1}
    for who in (lambda clip: clip.person, lambda clip: (clip.corpus, clip.source) if clip.source else clip.person):
        by_group: dict[Any, set[int]] = {}
        for clip, fold in zip(clips, folds, strict=True):
            by_group.setdefault(who(clip), set()).add(int(fold))
        assert all(len(own) == 1 for own in by_group.values())
    corpora_of = {
        name: {int(f) for c, f in zip(clips, folds, strict=True) if c.corpus == name} for name in ("emovo", "mine")
    }
    assert corpora_of == ({"emovo": {0}, "mine": {1}} if settings is BY_CORPUS else {"emovo": {0, 1}, "mine": {0, 1}})
    for name in ("ordinary", NO_SPEECH):  # every fold has some of either to be measured on
        assert folds_with(clips, folds, name) == {0, 1}


def test_there_are_no_more_parts_than_speakers_who_act(clips):
    few = [clip for clip in clips if clip.person not in ("mine/bob", "emovo/m1")]
    for some, parts in ((clips, 4), (few, 2)):
        assert set(folds_of(some, settings=Settings(protocol="cross-validated"))) == set(range(parts))


def test_a_single_corpus_cannot_be_left_out(clips):
    alone = [clip for clip in clips if clip.corpus != "mine"]
    with pytest.raises(ExportError, match="emovo is the only corpus: nothing is left to learn from"):
        folds_of(alone, settings=BY_CORPUS)


def noted_trainings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, set[int], Any]]:
    """Recipe, clips and soft targets of each training, as they are made."""
    learnt: list[tuple[str, set[int], Any]] = []
    true = fit_windows.begin

    def noted(clips: Any, versions: Any, members: np.ndarray, *, recipe: Any, soft: Any, **options: Any) -> Any:
        learnt.append((recipe.name, set(members.tolist()), soft))
        return true(clips, versions, members, recipe=recipe, soft=soft, **options)

    monkeypatch.setattr(fit_windows, "begin", noted)
    return learnt


def test_every_window_is_scored_once_by_a_network_of_the_other_folds(clips, tmp_path, monkeypatch):
    own, folds = experiment_with(clips, tmp_path), folds_of(clips, settings=BY_CORPUS)
    learnt = noted_trainings(monkeypatch)
    found = out_of_fold(own, folds, settings=BY_CORPUS)
    assert [members for _, members, _ in learnt] == [set(np.flatnonzero(folds != fold)) for fold in (0, 1)]
    for name, answers in found.items():
        assert len(answers.probs) == len(own.versions[name].features)
        np.testing.assert_allclose(answers.probs.sum(axis=1), 1, atol=1e-5)  # none is left at 0
        assert (answers.speech > 0).all()
    monkeypatch.setattr(fit_windows, "_run_epoch", lambda *_, **__: pytest.fail("trained again"))
    again = out_of_fold(own, folds, settings=BY_CORPUS)
    np.testing.assert_array_equal(again["phone"].probs, found["phone"].probs)


def test_the_pool_is_of_speech_that_the_network_hears(clips, cache):
    experiment = experiment_with(clips, cache)
    found = out_of_fold(experiment, folds_of(clips, settings=BY_CORPUS), settings=BY_CORPUS)
    deaf = {name: dataclasses.replace(answers, speech=answers.speech.copy()) for name, answers in found.items()}
    for answers in deaf.values():
        answers.speech[::2] = 0.0
    for scored, share in ((found, 1.0), (deaf, 0.5)):
        pool = pool_of(experiment, scored, conditions=["clean"])
        spoken = experiment.truth[experiment.versions["clean"].clip_of] != UNKNOWN
        assert len(pool.truth) == pytest.approx(share * spoken.sum(), rel=0.1)
    both = pool_of(experiment, found)
    assert len(both.truth) > len(pool_of(experiment, found, conditions=["phone"]).truth)
    assert both.ordinary.any()
    assert [LABELS[label] for label in both.truth] == [clips[index].label for index in both.clip]
    assert (both.truth >= 0).all()
    assert len(np.unique(both.place[both.ordinary])) == 2  # sources
    assert len(np.unique(both.place[~both.ordinary])) == 2  # corpora


def test_a_network_and_its_teacher_learn_from_the_same_clips(clips, tmp_path, encoder, monkeypatch):
    own = experiment_with(clips, tmp_path, teacher=DEEP, encoder=encoder)
    learnt = noted_trainings(monkeypatch)
    members = np.arange(0, len(clips), 2)
    own.fit(members, seed=1)
    assert [found[:2] for found in learnt] == [("phone-deep", set(members)), ("phone", set(members))]
    says = learnt[1][2]["clean"]
    assert not np.delete(says, members, axis=0).any()
    heard = says[members][says[members].any(axis=1)]
    assert len(heard) > len(members) / 2
    np.testing.assert_allclose(heard.sum(axis=1), 1, atol=1e-3)
    plain = experiment_with(clips, tmp_path)
    assert plain.key(members, seed=1, epochs=None) != own.key(members, seed=1, epochs=None)


def train(recipe: Any, corpora: tuple[Corpus, ...], out: Path, cache: Path, **options: Any) -> Path:
    settings = options.pop("settings", BY_CORPUS)
    return train_recipe(recipe, corpora, settings=settings, out=out, cache=cache, jobs=1, **options)


@pytest.fixture(scope="module", params=["plain", "with an encoder"])
def trained(
    request: pytest.FixtureRequest,
    corpora: tuple[Corpus, ...],
    cache: Path,
    encoder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    out = tmp_path_factory.mktemp("run")
    with untraced(), pytest.MonkeyPatch.context() as patched:
        patched.setattr("export.evaluation.call_calibration._CALLS", 3)
        if request.param == "plain":
            return train(SMALL, corpora, out, cache)
        return train(DEEP, corpora, out, cache, encoder=encoder)


def test_sertag_checks_the_file_and_tags_a_call_with_it(trained, call, encoder):
    model = load(str(trained))
    assert check(model) == []
    result = tag_file(AudioFile(str(call)), model=model, options=Options(min_confidence=0.0))
    assert [len(channel.probs) for channel in result.channels] == [len(LABELS)] * 2
    assert all(channel.attention is not None for channel in result.channels)
    if model.spec.name == "ours" and model.spec.features.kind == "log_mel":
        assert Encoder(cut_out(trained)).columns == Encoder.load(encoder).columns


def test_the_file_says_what_it_is(trained, clips):
    spec = load(str(trained)).spec
    assert (spec.name, spec.labels) == ("ours", LABELS)
    assert spec.training["folds_by"] == "corpus"
    assert "every corpus scored by a network that was trained on the 1 others" in spec.metrics["protocol"]
    assert set(spec.metrics) == {"protocol", "min_confidence"}  # figures stand beside the file
    assert sum(spec.priors.values()) == pytest.approx(1.0, abs=1e-3)
    assert {corpus["name"] for corpus in spec.training["corpora"]} == {"emovo", "mine", "ordinary", "no_speech"}
    known = read_trained_on(str(trained))
    assert known is not None
    assert all(clip.digest in known for clip in clips)


def test_everything_of_a_training_is_written(trained):
    files = {place.name for place in trained.parent.iterdir()}
    assert {"model.onnx", "model.keras", "metrics.json", "report.csv", "history.csv"} < files
    found = json.loads((trained.parent / "metrics.json").read_text())
    assert set(found["conditions"]) == {"clean", "phone"}
    assert found["model_sha256"] == describe(str(trained)).sha256
    text = card(describe(str(trained)).spec, figures=read_figures(describe(str(trained))))
    assert "| emovo | 2 | 8 |" in text


def test_a_training_that_was_finished_is_not_made_again(trained, corpora, cache, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("export.training.fit_windows._run_epoch", lambda *_, **__: pytest.fail("an epoch was run"))
    deep = load(str(trained)).spec.features.kind == "log_mel"
    again = train(DEEP if deep else SMALL, corpora, tmp_path, cache, encoder=encoder if deep else None)
    assert load(str(again)).spec == load(str(trained)).spec


def test_the_network_is_stored_and_converts_again(trained, encoder, tmp_path):
    network, out = trained.parent / "model.keras", tmp_path / "again.onnx"
    done = run_export("convert", network, "-o", out, "--encoder", encoder)
    assert done.exit_code == 0, done.output
    assert check(load(str(out))) == []
    assert load(str(out)).spec.labels == load(str(trained)).spec.labels


def test_clips_without_a_speaker_are_refused_unless_nobody_acted_them(corpora, tmp_path, cache):
    nameless = [dataclasses.replace(clip, speaker="") for clip in corpora[0].clips]
    with pytest.raises(ExportError, match="clips have no speaker"):
        train(SMALL, (dataclasses.replace(corpora[0], clips=tuple(nameless)), *corpora[1:]), tmp_path, cache)


def test_a_disk_that_fills_up_is_one_line(clips, tmp_path, cache):
    own = experiment_with(clips, cache)
    own._cache = tmp_path
    with largest_file(0), pytest.raises(ExportError, match="cannot keep this for the next run"):
        out_of_fold(own, folds_of(clips, settings=BY_CORPUS), settings=BY_CORPUS)


# From here on as a user calls it.


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.cli.train.RECIPES", MappingProxyType({"phone": small_phone()}))


@pytest.mark.usefixtures("small")
def test_train_phone_on_ones_own_labels(tmp_path):
    folder = own(tmp_path / "mine", labels=("angry", "calm", "keen"), speakers=("ann", "bob"))
    options = ["--labels", "angry,neutral,sad,keen:positive", "--folds", "2", "--epochs", "1", "--name", "ours"]
    done = run_export("train", "phone", "--data", f"mine={folder}", "-o", str(tmp_path / "out"), *options)
    assert done.exit_code == 0, done.output
    assert "labels: calm -> neutral" in done.stderr
    spec = load(done.stdout.strip()).spec
    assert dict(spec.sentiment) == {"angry": "negative", "keen": "positive", "neutral": "neutral"}
    assert spec.training["counts_as"] == {"calm": "neutral"}
    assert spec.licence == "mine: not stated"
    assert (spec.name, spec.version) == ("ours", "1")
    assert "2 folds by speaker" in spec.metrics["protocol"]


@pytest.mark.usefixtures("small")
def test_train_phone_on_one_side_of_a_split(root, tmp_path):
    options = ["--protocol", "random", "--epochs", "1"]
    done = run_export("train", "phone", "--data", f"emovo={root / 'emovo'}", "-o", str(tmp_path / "out"), *options)
    assert done.exit_code == 0, done.output
    training = load(done.stdout.strip()).spec.training
    assert (training["protocol"], training["leaking"], training["epochs"]) == ("random", True, 1)


def test_a_deep_recipe_keeps_its_encoder_on_one_side_of_a_split(root, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("export.cli.train.RECIPES", MappingProxyType({"phone-deep": DEEP}))
    options = ["--protocol", "random", "--encoder", str(encoder), "-o", str(tmp_path / "out")]
    done = run_export("train", "phone-deep", "--data", f"emovo={root / 'emovo'}", *options)
    assert done.exit_code == 0, done.output
    assert Encoder(cut_out(Path(done.stdout.strip()))).columns == 6
    assert check(load(done.stdout.strip())) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--folds-by", "corpus", "--folds", "3"], "--folds is a number of parts by speaker"),
        (["--folds-by", "corpus", "--protocol", "speakers"], "belong to --protocol cross-validated"),
    ],
)
def test_folds_that_make_no_sense_are_refused(tmp_path, options, message):
    done = run_export("train", "phone", "--data", f"mine={tmp_path}", "-o", str(tmp_path / "out"), *options)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("speakers", "options", "message"),
    [
        (("",), [], "clips have no speaker, "),
        (("ann", "bob"), ["--folds", "4"], "4 folds with 2 speakers: expected one speaker or more in each"),
        (("ann",), [], "2 folds with 1 speakers"),
        (("ann",), ["--protocol", "speakers"], "only one speaker, ann"),
        (("ann", "bob"), ["--folds-by", "corpus"], "mine is the only corpus: nothing is left to learn from; give"),
    ],
)
def test_too_few_speakers_or_corpora_are_one_line(tmp_path, speakers, options, message):
    folder = own(tmp_path / "mine", labels=("angry", "sad"), speakers=speakers)
    done = run_export("train", "phone", "--data", f"mine={folder}", "-o", str(tmp_path / "out"), *options)
    assert done.exit_code == 1
    assert message in done.stderr.splitlines()[-1]
    assert isinstance(done.exception, SystemExit)
    assert not (tmp_path / "out" / "model.onnx").exists()
