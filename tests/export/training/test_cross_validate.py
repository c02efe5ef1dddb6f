"""The default model's training, tiny but real: corpora to a model file that sertag runs, and the commands around it."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.corpora import emovo, own

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")
pytest.importorskip("tf2onnx", reason="the extra `export` is not installed")
pytest.importorskip("matplotlib", reason="the extra `export` is not installed")

import keras

from export.card.card import card, read_figures
from export.conversion.metadata import Title
from export.conversion.onnx import convert, example_inputs, to_onnx
from export.conversion.provenance import read_trained_on
from export.corpora.clips import Corpus
from export.corpora.labels import LABELS
from export.corpora.loading import find_corpora
from export.errors import ExportError
from export.evaluation.predictions import Predictions, load_predictions, save_predictions
from export.features.call_frames import Dataset
from export.recipes import phone
from export.recipes.base import Task
from export.training.cross_validate import load_dataset, run_name, train_phone
from export.training.fit_channel import fit_phone
from export.training.loop import Epoch, Fitted
from export.training.settings import Settings
from sertag.model import load
from sertag.model_file import describe
from sertag.pipeline import tag_file
from sertag.probe import check
from sertag.records import AudioFile, Options, Statistics
from tests.export_command import run_export
from tests.limits import largest_file
from tests.training import one_process, untraced

SMALL = dataclasses.replace(phone.RECIPE, windows=1, batch=4, window_s=1.0, hop_s=0.5)
TINY = Settings(protocol="cross-validated", folds=2, epochs=2)
CODES = ("rab", "dis", "pau", "gio", "neu", "tri", "sor")


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("export.training.cross_validate.usable_cpus", lambda: 1)
    one_process(monkeypatch)
    with untraced():
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EMOVO's layout with two invented speakers and one clip an emotion."""
    root = tmp_path_factory.mktemp("corpora")
    emovo(root / "emovo", speakers=("f1", "m1"), codes=CODES)
    return root


@pytest.fixture(scope="module")
def corpora(corpus: Path) -> tuple[Corpus, ...]:
    return find_corpora([str(corpus)])


def train(corpora: tuple[Corpus, ...], out: Path, *, report: Any = lambda what, share: None) -> Path:
    cache = corpora[0].clips[0].path.parents[2] / "cache"
    return train_phone(SMALL, corpora, settings=TINY, title=Title("phone"), out=out, cache=cache, report=report)


@pytest.fixture(scope="module")
def trained(corpora: tuple[Corpus, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patched, untraced():
        patched.setattr("export.training.cross_validate.usable_cpus", lambda: 1)
        return train(corpora, tmp_path_factory.mktemp("run"))


def test_the_file_describes_itself_and_answers_its_probe(trained):
    model = load(str(trained))
    assert model.spec.labels == LABELS
    assert check(model) == []
    training = model.spec.training
    assert training["corpora"][0]["clips"] == 14
    assert (training["recipe"], training["leaking"], training["counts_as"]) == ("phone", False, {})
    assert set(model.spec.metrics) == {"protocol", "min_confidence"}  # figures stand beside the file
    assert {"keras", "tf2onnx", "onnxruntime"} <= set(model.spec.libraries)
    assert "settings were compared on speakers out of these" in model.spec.metrics["protocol"]


def test_everything_of_a_training_is_written(trained):
    files = {place.name for place in trained.parent.iterdir()}
    assert {"model.onnx", "model.keras", "metrics.json", "report.csv", "history.csv"} < files
    assert {"training.png", "confusion-clean.png", "confusion-phone.png"} < files
    found = json.loads((trained.parent / "metrics.json").read_text())
    assert (found["leaking"], found["epochs"], found["kept_epoch"]) == (False, 2, 2)
    assert found["labels"] == list(LABELS)
    assert found["model_sha256"] == describe(str(trained)).sha256
    assert sorted(found["facts"]["folds"]) == [["emovo/f1"], ["emovo/m1"]]
    assert set(found["conditions"]) >= {"clean, one clip", "phone, mixed call"}
    assert 0 <= found["conditions"]["clean, one clip"]["corpora"]["emovo"]["uar"] <= 1


def test_sertag_tags_a_call_with_it(trained, call):
    result = tag_file(AudioFile(str(call)), model=load(str(trained)), options=Options(min_confidence=0.0))
    assert [len(channel.probs) for channel in result.channels] == [len(LABELS)] * 2


def test_all_speakers_are_known_to_have_been_learnt_from(trained, corpora):
    known = read_trained_on(str(trained))
    assert known is not None
    assert all(clip.digest in known for clip in corpora[0].clips)


def test_the_same_command_goes_on_where_it_stopped(trained, corpora, tmp_path, monkeypatch):
    for place in trained.parent.glob("*.npz"):
        (tmp_path / place.name).write_bytes(place.read_bytes())
    stored = sorted(tmp_path.glob("fold-*.npz"))
    assert len(stored) == 2
    assert len(list(tmp_path.glob("training-*.npz"))) == 3  # each fold, and all speakers
    stored[0].unlink()  # as if the run had been stopped there
    before = stored[1].stat().st_mtime_ns
    monkeypatch.setattr("export.training.fit_channel.Sampler", lambda *_, **__: pytest.fail("an epoch was run"))
    again = train(corpora, tmp_path)
    assert stored[0].exists()
    assert stored[1].stat().st_mtime_ns == before
    found, expected = (json.loads((out / "metrics.json").read_text()) for out in (tmp_path, trained.parent))
    assert found["conditions"] == expected["conditions"]
    size = SMALL.features.n_coefficients
    windows = np.zeros((1, 100, size), np.float32)
    heard = Statistics(np.zeros(size, np.float32), np.ones(size, np.float32), 100)
    np.testing.assert_array_equal(
        load(str(again)).run(windows, statistics=heard), load(str(trained)).run(windows, statistics=heard)
    )


class StopError(Exception):
    """Somebody pulled the plug."""


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(corpora, trained, tmp_path):
    cache = corpora[0].clips[0].path.parents[2] / "cache"
    dataset, sums = load_dataset(corpora, recipe=SMALL, seed=1, cache=cache, report=lambda what, share: None)
    members = np.arange(len(dataset.clips))
    told: list[Epoch] = []

    def report(epoch: Epoch) -> None:
        told.append(epoch)
        if len(told) == 1:
            raise StopError

    fit = functools.partial(fit_phone, dataset, sums, members, recipe=SMALL, seed=1, epochs=2)
    with pytest.raises(StopError):
        fit(checkpoint=tmp_path / "t.npz", report=report)
    resumed = fit(checkpoint=tmp_path / "t.npz", report=report)
    undisturbed = fit()
    assert resumed.history == undisturbed.history
    assert resumed.kept == 2
    for one, other in zip(resumed.model.get_weights(), undisturbed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ExportError, match="cannot keep this for the next run: No such file or directory"):
        fit(checkpoint=tmp_path / "none" / "t.npz")


def test_nobody_is_scored_by_a_network_that_heard_them(trained, corpora, tmp_path, monkeypatch):
    """Folds by speaker, as they are used."""
    heard: list[set[str]] = []
    scored: list[set[str]] = []

    def people(dataset: Dataset, members: np.ndarray) -> set[str]:
        return {dataset.clips[index].person for index in members}

    def fit(dataset: Dataset, sums: Any, members: np.ndarray, **_: Any) -> Any:
        heard.append(people(dataset, members))
        if len(heard) == 3:
            raise StopError  # the last network is what ships
        return SimpleNamespace(model=None)  # that is all a fold is asked for

    def predict(model: Any, dataset: Dataset, sums: Any, members: np.ndarray, **_: Any) -> Predictions:
        scored.append(people(dataset, members))
        return load_predictions(sorted(trained.parent.glob("fold-*.npz"))[len(scored) - 1])

    monkeypatch.setattr("export.training.cross_validate.fit_phone", fit)
    monkeypatch.setattr("export.training.cross_validate.predict", predict)
    with pytest.raises(StopError):
        train(corpora, tmp_path)
    everyone = {"emovo/f1", "emovo/m1"}
    assert [one | other for one, other in zip(heard, scored, strict=False)] == [everyone] * 2
    assert not any(one & other for one, other in zip(heard, scored, strict=False))
    assert heard[2] == everyone


def test_every_epoch_draws_windows_of_its_own(corpora, monkeypatch):
    cache = corpora[0].clips[0].path.parents[2] / "cache"
    dataset, sums = load_dataset(corpora, recipe=SMALL, seed=1, cache=cache, report=lambda what, share: None)
    seeds: list[Any] = []

    def sampler(*_: Any, seed: Any, **__: Any) -> None:
        seeds.append(seed)
        raise StopError

    monkeypatch.setattr("export.training.fit_channel.Sampler", sampler)
    monkeypatch.setattr("export.training.fit_channel.run_epochs", call_off_two)
    for seed in (1, 2):
        fit_phone(dataset, sums, np.arange(14), recipe=SMALL, seed=seed, epochs=2)
    assert seeds == [[1, 1], [1, 2], [2, 1], [2, 2]]


def call_off_two(model: keras.Model, run_epoch: Callable[[int], Epoch], **_: Any) -> Fitted:
    for number in (1, 2):
        with pytest.raises(StopError):
            run_epoch(number)
    return Fitted(model, (), 0)


def test_other_settings_or_data_do_not_reuse_it(corpora):
    clips = corpora[0].clips
    names = {
        run_name(clips, SMALL, dataclasses.replace(TINY, folds_by="corpus")),
        run_name(clips, SMALL, TINY),
        run_name(clips, SMALL, dataclasses.replace(TINY, seed=2)),
        run_name(clips[1:], SMALL, TINY),
        run_name([dataclasses.replace(clips[0], label="sad"), *clips[1:]], SMALL, TINY),
    }
    assert len(names) == 5
    assert run_name(clips[::-1], SMALL, TINY) in names
    other_answers = dataclasses.replace(TINY, answers_right=0.5)  # is no part of a training
    assert run_name(clips, SMALL, other_answers) in names


def network() -> keras.Model:
    columns = SMALL.features.n_coefficients
    mean, std = np.zeros(columns, np.float32), np.full(columns, 10, np.float32)
    return phone.build(Task(SMALL.window_frames, columns, len(LABELS), mean, std))


def test_the_graph_has_the_fused_lstm_and_any_number_of_windows(trained):
    kinds = {node.op_type for node in to_onnx(network()).graph.node}
    assert "LSTM" in kinds
    assert not kinds & {"Loop", "Scan", "If"}
    model = load(str(trained))
    sizes = [model.spec.window_frames, model.spec.features.n_coefficients]
    heard = Statistics(np.zeros(sizes[1], np.float32), np.ones(sizes[1], np.float32), 100)
    for count in (1, 3):
        assert model.run(np.zeros((count, *sizes), np.float32), statistics=heard).shape == (count, len(LABELS))


def test_little_speech_is_drawn_to_the_training_set():
    columns = SMALL.features.n_coefficients
    rng = np.random.default_rng(1)
    inputs = {
        "features": rng.standard_normal((1, SMALL.window_frames, columns)).astype(np.float32) * 10,
        "channel_mean": np.full((1, columns), 5, np.float32),
        "channel_std": np.full((1, columns), 20, np.float32),
    }
    model = network()

    def answer(frames: float, **changes: np.ndarray) -> np.ndarray:
        return np.asarray(model({**inputs, **changes, "speech_frames": np.array([[frames]], np.float32)}))

    typical = {"channel_mean": np.zeros((1, columns), np.float32), "channel_std": np.full((1, columns), 10, np.float32)}
    np.testing.assert_allclose(answer(0), answer(1e9, **typical), atol=1e-5)
    assert np.abs(answer(0) - answer(1e6)).max() > 1e-4


def test_a_conversion_that_answers_otherwise_is_not_written(trained, corpora, tmp_path, monkeypatch):
    spec = load(str(trained)).spec
    examples = example_inputs(corpora[0].clips, spec=spec)
    other = to_onnx(network())
    monkeypatch.setattr("export.conversion.onnx.to_onnx", lambda model: other)  # another network's graph
    out = tmp_path / "wrong.onnx"
    with pytest.raises(ExportError, match="Keras and ONNX Runtime differ by"):
        convert(network(), spec=spec, examples=examples, out=out)
    assert not out.exists()


def test_card_names_data_and_figures(trained):
    found = describe(str(trained))
    text = card(found.spec, figures=read_figures(found))
    assert "| emovo | 2 | 14 |" in text
    assert "Article 5(1)(f)" in text
    assert "phone, mixed call" in text


def test_convert_command_makes_the_same_model(trained, corpus, tmp_path):
    out = tmp_path / "again.onnx"
    done = run_export("convert", str(trained.parent / "model.keras"), "-o", str(out))
    assert done.exit_code == 0, done.output
    assert check(load(str(out))) == []
    assert load(str(out)).spec.metrics == load(str(trained)).spec.metrics
    assert len(read_trained_on(str(out)) or ()) == 14


def test_evaluate_command_refuses_clips_that_it_learnt_from(trained, corpus):
    options = ["evaluate", str(trained), "--data", f"emovo={corpus / 'emovo'}", "--phone", "--format", "json"]
    done = run_export(*options)
    assert done.exit_code == 1
    assert "was trained on 14 of these 14 clips" in done.stderr
    done = run_export(*options, "--allow-seen")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["emovo"]
    assert (found["clips"], found["overlap"]) == (14, "seen in training")
    assert np.sum(found["confusion"]) == 14


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands train as little as the tests above."""
    monkeypatch.setattr("export.cli.train.RECIPES", MappingProxyType({"phone": SMALL}))


@pytest.mark.usefixtures("small")
def test_train_phone_on_ones_own_labels(tmp_path):
    folder = own(tmp_path / "mine", labels=("angry", "calm", "keen"), speakers=("ann", "bob"))
    options = ["--labels", "angry,neutral,sad,keen:positive", "--folds", "2", "--epochs", "1", "--name", "ours"]
    done = run_export("train", "phone", "--data", f"mine={folder}", "-o", str(tmp_path / "out"), *options)
    assert done.exit_code == 0, done.output
    assert "labels: calm -> neutral" in done.stderr
    assert "fold 1: epoch 1: loss" in done.stderr
    assert "all speakers: epoch 1: loss" in done.stderr
    spec = load(done.stdout.strip()).spec
    assert dict(spec.sentiment) == {"angry": "negative", "keen": "positive", "neutral": "neutral"}
    assert spec.training["counts_as"] == {"calm": "neutral"}
    assert spec.licence == "mine: not stated"
    assert (spec.name, spec.version) == ("ours", "1")
    assert "settings were compared" not in spec.metrics["protocol"]


@pytest.mark.usefixtures("small")
def test_no_corpus_is_scored_by_a_network_that_heard_of_it(tmp_path, monkeypatch):
    heard: list[set[str]] = []

    def fit(dataset: Dataset, sums: Any, members: np.ndarray, **named: Any) -> Fitted:
        heard.append({dataset.clips[index].corpus for index in members})
        return fit_phone(dataset, sums, members, **named)

    monkeypatch.setattr("export.training.cross_validate.fit_phone", fit)
    places = [
        emovo(tmp_path / "emovo", speakers=("f1", "m1"), codes=("rab", "tri")),
        own(tmp_path / "mine", labels=("angry", "sad"), speakers=("ann", "bob")),
    ]
    data = [word for place in places for word in ("--data", f"{place.name}={place}")]
    options = ["--labels", "angry,sad", "--folds-by", "corpus", "--answers-right", "0.5", "--epochs", "1"]
    done = run_export("train", "phone", *data, "-o", str(tmp_path / "out"), *options)
    assert done.exit_code == 0, done.output
    assert heard == [{"mine"}, {"emovo"}, {"emovo", "mine"}]
    spec = load(done.stdout.strip()).spec
    assert "every corpus scored by a network that learnt from the 1 others" in spec.metrics["protocol"]
    assert "over which 50% of the answers to clips of unseen corpora are right" in spec.metrics["min_confidence"]
    text = " ".join(card(spec).split())
    assert "fitted on corpora the network did not train on" in text
    assert "Every corpus was scored by a network that had heard nothing of it" in text
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())["facts"]
    assert found["folds_by"] == "corpus"
    assert found["folds"] == [["emovo/f1", "emovo/m1"], ["mine/ann", "mine/bob"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--folds-by", "corpus", "--folds", "3"], "--folds is a number of parts by speaker"),
        (["--folds-by", "corpus", "--protocol", "speakers"], "belong to --protocol cross-validated"),
        (["--answers-right", "0.5", "--protocol", "speakers"], "belong to --protocol cross-validated"),
    ],
)
def test_folds_that_make_no_sense_are_refused(tmp_path, options, message):
    done = run_export("train", "phone", "--data", f"mine={tmp_path}", "-o", str(tmp_path / "out"), *options)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


@pytest.mark.usefixtures("small")
def test_train_phone_on_one_side_of_a_split(corpus, tmp_path):
    options = ["--protocol", "random", "--epochs", "1"]
    done = run_export("train", "phone", "--data", f"emovo={corpus / 'emovo'}", "-o", str(tmp_path / "out"), *options)
    assert done.exit_code == 0, done.output
    spec = load(done.stdout.strip()).spec
    training = spec.training
    assert (training["protocol"], training["leaking"], training["epochs"]) == ("random", True, 1)
    assert spec.labels == LABELS


@pytest.mark.parametrize("size", [0, 3000])
def test_a_disk_that_fills_up_is_one_line_and_leaves_no_half_file(corpora, trained, tmp_path, size):
    (fold, *_) = trained.parent.glob("fold-*.npz")
    predictions = load_predictions(fold)
    with largest_file(size):
        with pytest.raises(ExportError, match=r"cannot keep this for the next run: .*another folder with --cache"):
            load_dataset(corpora, recipe=SMALL, seed=1, cache=tmp_path / "cache", report=lambda what, share: None)
        with pytest.raises(ExportError, match=r"cannot keep this for the next run: .*make room"):
            save_predictions(tmp_path / "fold.npz", dataclasses.replace(predictions, members=np.arange(size)))
    assert [place for place in tmp_path.rglob("*") if place.is_file()] == []


@pytest.mark.parametrize(
    ("speakers", "options", "message"),
    [
        (("",), [], "clips have no speaker, "),
        (
            ("ann", "bob"),
            ["--folds", "4"],
            "4 folds with 2 speakers: expected one speaker or more in each of two or more folds; take fewer",
        ),
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
