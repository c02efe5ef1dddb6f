"""A recipe from corpora to a model file: what is written, what is refused, and what the command line says of it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import Result

from tests.corpora import emovo, own, tess, write_clip

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")
pytest.importorskip("tf2onnx", reason="the extra `export` is not installed")
pytest.importorskip("matplotlib", reason="the extra `export` is not installed")

import keras
import tensorflow as tf
from keras import Input, Sequential, layers

from export.card.card import card, read_figures
from export.conversion import keras_file
from export.conversion.provenance import read_trained_on
from export.corpora.clips import Corpus
from export.corpora.labels import SENTIMENT
from export.corpora.loading import find_corpora
from export.errors import ExportError
from export.progress import Report
from export.recipes import RECIPES
from export.recipes.base import Recipe, Task
from export.training.facts import corpora_facts
from export.training.splits import Settings
from export.training.train import train
from sertag.model.model_file import describe
from sertag.model.session import load
from sertag.records import AudioFile, Options
from sertag.spec import FeatureSpec
from sertag.tagging.pipeline import tag_file
from sertag.tagging.probe import check
from tests.export_command import run_export
from tests.processes import ROOT
from tests.training import one_process, untraced

LABELS = ("angry", "happy", "neutral", "sad")
SEQUENCE = FeatureSpec(framing="clip", n_fft=256, hop_length=256, n_mels=20, n_mfcc=8, dynamic_range_db=80.0)
SETTINGS: dict[str, Any] = {"epochs": 2, "fold": 1, "counts_as": (("calm", "neutral"),)}
ARTEFACTS = {
    "confusion-clean.png",
    "confusion-phone.png",
    "history.csv",
    "metrics.json",
    "model.keras",
    "model.onnx",
    "report.csv",
    "training.png",
}


def build(task: Task) -> keras.Model:
    return Sequential(
        [
            Input((task.frames, task.columns), name="features"),
            layers.Normalization(mean=task.mean, variance=np.square(task.std)),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.2),
            layers.Dense(task.labels, activation="softmax"),
        ]
    )


TINY = Recipe(
    "bilstm",
    "mean over time, dense",
    "",
    "",
    build,
    SEQUENCE,
    window_s=1.0,
    offset_s=0.2,
    labels=(*LABELS, "surprise"),
    epochs=3,
    batch=16,
)  # in the place of a real one


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("export.cli.train.RECIPES", MappingProxyType({**RECIPES, "bilstm": TINY}))
    one_process(monkeypatch)
    with untraced():
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    emovo(folder / "emovo")
    tess(folder / "tess")
    return folder


@pytest.fixture(scope="module")
def corpora(root: Path) -> tuple[Corpus, ...]:
    return find_corpora([f"emovo={root / 'emovo'}"])


def run(
    corpora: tuple[Corpus, ...],
    out: Path,
    *,
    cache: Path | None = None,
    report: Report = lambda what, share: None,
    **settings: Any,
) -> Path:
    cache = cache or corpora[0].clips[0].path.parents[2] / "cache"
    return train(TINY, corpora, settings=Settings(**settings), out=out, cache=cache, jobs=1, report=report)


@pytest.fixture(scope="module")
def trained(corpora: tuple[Corpus, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    with untraced():
        return run(corpora, tmp_path_factory.mktemp("run"), **SETTINGS)


def metrics(model: Path) -> dict[str, Any]:
    return json.loads((model.parent / "metrics.json").read_text())


def figures(model: Path) -> dict[str, Any]:
    """All but the digest of the file: tensors get other names with each conversion."""
    return {name: value for name, value in metrics(model).items() if name != "model_sha256"}


def test_everything_of_a_training_is_written(trained):
    assert {place.name for place in trained.parent.iterdir()} == ARTEFACTS
    with (trained.parent / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(float(row[name]) >= 0 for row in rows for name in ("loss", "accuracy", "val_loss", "val_accuracy"))


def test_metrics_say_how_they_came_about(trained, corpora):
    found = metrics(trained)
    facts = found["facts"]
    assert (found["leaking"], found["split"]) == (False, "speakers apart")
    assert (facts["recipe"], facts["protocol"], facts["tested"], facts["seed"]) == ("bilstm", "speakers", "f2", 1)
    assert (facts["epochs"], facts["kept_epoch"]) == (2, found["kept_epoch"])
    (own,) = facts["corpora"]
    assert (own["name"], own["clips"], own["skipped"]) == ("emovo", 12, {})
    assert facts["clips"] == {"trained": 7, "validation": 1, "tested": 4}
    assert {"python", "numpy", "keras", "onnxruntime"} <= set(facts["libraries"])
    assert len({*facts["data_sha256"].values()}) == 3
    assert all(len(value) == 64 for value in facts["data_sha256"].values())
    assert set(found["conditions"]) == {"clean", "phone"}
    for measured in found["conditions"].values():
        assert {"accuracy", "uar", "ece", "precision", "recall", "f1", "confusion", "unanswered"} <= set(measured)
        assert measured["clips"] == np.sum(measured["confusion"]) == 4


def test_known_mistakes_of_a_corpus_are_named_and_files_of_the_users_counted():
    skipped = {"silent": ("AudioWAV/1076_MTI_SAD_XX.wav",), "empty": ("private/a.wav", "private/b.wav")}
    (found,) = corpora_facts([Corpus("crema_d", "ODbL 1.0", (), skipped=skipped)])
    assert found["skipped"] == {"silent": ["1076_MTI_SAD_XX"], "empty": 2}


def test_labels_that_no_clip_has_are_left_out_of_the_network(trained):
    assert metrics(trained)["labels"] == list(LABELS)
    model = load(str(trained))
    assert model.spec.labels == LABELS
    assert model.spec.sentiment["sad"] == "negative"


def test_the_model_file_says_what_was_done(trained):
    model = load(str(trained))
    training = model.spec.training
    assert check(model) == []
    assert (training["recipe"], training["protocol"], training["leaking"]) == ("bilstm", "speakers", False)
    assert training["counts_as"] == {"calm": "neutral"}
    assert training["corpora"][0]["name"] == "emovo"
    protocol = model.spec.metrics["protocol"]
    assert "nobody who is tested was learnt from; tested on f2, 4 clips; learnt from 7" in protocol
    assert model.spec.temperature == pytest.approx(metrics(trained)["facts"]["temperature"], abs=1e-4)


def test_the_card_has_the_figures_that_stand_beside_the_file(trained):
    file, found = describe(str(trained)), metrics(trained)
    assert found["model_sha256"] == file.sha256
    text = " ".join(card(file.spec, figures=read_figures(file)).split())
    assert f"| clean | {100 * found['conditions']['clean']['uar']:.1f} |" in text
    assert "mean over time, dense" in text
    assert "`calm` counts as neutral" in text


def test_figures_are_those_of_the_model_file(trained, corpora):
    model = load(str(trained))
    clips = [clip for clip in corpora[0].clips if clip.speaker == "f2"]
    rows = [
        tag_file(AudioFile(str(clip.path)), model=model, options=Options("mix", min_confidence=0.0)) for clip in clips
    ]
    right = sum(row.channels[0].emotion == clip.label for row, clip in zip(rows, clips, strict=True))
    assert metrics(trained)["conditions"]["clean"]["accuracy"] == right / len(clips)


def test_what_was_learnt_from_is_known_again(trained, corpora):
    known = read_trained_on(str(trained))
    assert known is not None
    assert all((clip.digest in known) == (clip.speaker != "f2") for clip in corpora[0].clips)  # the inner ones, too
    stored = keras_file.load(trained.parent / "model.keras")
    assert set(stored.digests) == {clip.digest for clip in corpora[0].clips if clip.digest in known}
    assert stored.spec.labels == LABELS


def test_the_same_command_does_not_train_twice(trained, corpora, monkeypatch, tmp_path):
    monkeypatch.setattr("export.training.fit_clip._run_epoch", lambda *_, **__: pytest.fail("an epoch was run"))
    again = run(corpora, tmp_path, **SETTINGS)
    assert figures(again) == figures(trained)


def test_random_halves_are_marked_as_leaking_everywhere(corpora, tmp_path):
    model = run(corpora, tmp_path, epochs=1, protocol="random")
    found = metrics(model)
    assert (found["leaking"], found["split"], found["facts"]["leaking"]) == (True, "speakers in both halves", True)
    assert "speakers in both halves" in (tmp_path / "report.csv").read_text()
    spec = load(str(model)).spec
    assert spec.training["leaking"] is True
    assert "the same speakers on both sides" in spec.metrics["protocol"]
    assert "**Leaking split: speakers of the tested clips are among those that the network was trained on." in " ".join(
        card(spec).split()
    )


def test_a_fold_that_is_not_there_is_refused(corpora, tmp_path):
    with pytest.raises(ExportError, match=r"there is no fold 3; expected one of 0 \(f1\), 1 \(f2\), 2 \(m1\)"):
        run(corpora, tmp_path, fold=3)


# From here on as a user calls it.


def command(*arguments: str) -> Result:
    return run_export("train", *arguments)


def go(tmp_path: Path, *arguments: str, recipe: str = "bilstm") -> Result:
    return command(recipe, *arguments, "-o", str(tmp_path / "out"), "--epochs", "1")


def test_the_command_trains_and_says_what_it_did(root, tmp_path):
    done = go(tmp_path, "--data", f"emovo={root / 'emovo'}")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path / 'out' / 'model.onnx'}\n"
    assert "emovo" in done.stderr
    assert "training: epoch 1: loss " in done.stderr
    assert {place.name for place in (tmp_path / "out").iterdir()} == ARTEFACTS
    assert list((Path(os.environ["XDG_CACHE_HOME"]) / "sertag").glob("trained-*.npz"))
    spec = load(str(tmp_path / "out" / "model.onnx")).spec
    assert spec.training["tested"] == "f1"


def test_labels_and_sentiments_of_ones_own(tmp_path):
    folder = own(tmp_path / "mine", labels=("Bored", "angry", "keen"))
    wish = "Keen:positive, boredom:neutral,angry"
    done = go(tmp_path, "--data", f"mine={folder}", "--labels", wish)
    assert done.exit_code == 0, done.output
    spec = load(str(tmp_path / "out" / "model.onnx")).spec
    assert dict(spec.sentiment) == {"angry": "negative", "boredom": "neutral", "keen": "positive"}
    assert spec.labels == ("angry", "boredom", "keen")
    assert spec.licence == "mine: not stated"


def test_clips_count_as_what_the_user_says_and_corrupt_ones_are_left_out_and_named(tmp_path):
    folder = own(tmp_path / "mine", labels=("keen", "angry", "odd", "calm"))
    bad = folder / "calm" / "ann" / "text [final].wav"
    bad.write_text("no audio at all")
    (folder / "calm" / "ann" / "nothing.wav").write_bytes(b"")
    soundfile.write(folder / "angry" / "ann" / "click.wav", np.ones(20), 8000)
    done = go(tmp_path, "--data", f"mine={folder}", "--map", "keen=happy", "--map", "odd=")
    assert done.exit_code == 0, done.output
    assert "labels: calm -> neutral, keen -> happy, odd -> left out" in done.stderr
    for reason in ("1 empty", "1 shorter than 0.032 s", "1 cannot be decoded", "3 label odd has no counterpart"):
        assert reason in done.stderr
    for name in ("text [final].wav", "nothing.wav"):
        assert name in done.stderr
    training = load(str(tmp_path / "out" / "model.onnx")).spec.training
    assert training["counts_as"] == {"calm": "neutral", "keen": "happy"}
    skipped = training["corpora"][0]["skipped"]
    assert skipped["label odd has no counterpart"] == 3
    assert sum(skipped.values()) == 3 + 3


@pytest.mark.parametrize(
    ("labels", "speakers", "arguments", "message"),
    [
        ((), (), [], "no clip, left out: nothing; expected a folder a label"),
        (("sad",), ("ann", "bob"), [], "one class only"),
        (("sad", "furious"), ("ann", "bob"), [], "label 'furious' is none of this model's labels"),
        (("sad", "angry"), ("ann", "bob"), ["--map", "sad=blue"], "'blue' is none of this model's labels"),
        (("sad", "angry"), ("ann", "bob"), ["--map", "keen=sad"], "--map keen: no clip has this label"),
        (("sad", "angry"), ("ann", "bob"), ["--labels", "sad,blue"], "the sentiment of 'blue' is not known"),
        (("sad", "angry"), ("ann", "bob"), ["--labels", "sad,keen:good"], "the sentiment of 'keen' is not known"),
        (("sad", "angry"), ("",), [], "clips have no speaker, "),
        (("sad", "angry"), ("ann",), [], "only one speaker, ann: nobody is left to test"),
        (("sad", "angry"), ("ann", "bob"), ["--protocol", "corpora"], "only one corpus, mine: nobody is left to test"),
        (("sad", "angry"), ("ann", "bob"), ["--fold", "7"], "there is no fold 7; expected one of 0 (ann), 1 (bob)"),
    ],
)
def test_what_cannot_be_trained_is_one_line(tmp_path, labels, speakers, arguments, message):
    folder = own(tmp_path / "mine", labels=labels, speakers=speakers)
    folder.mkdir(exist_ok=True)
    done = go(tmp_path, "--data", f"mine={folder}", *arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert message in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert isinstance(done.exception, SystemExit)  # no traceback
    assert not (tmp_path / "out" / "model.onnx").exists()


def test_the_same_recording_in_two_places_is_refused(root, tmp_path):
    copy = tmp_path / "mine" / "sad" / "x.wav"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((root / "emovo" / "f1" / "tri-f1-b0.wav").read_bytes())
    write_clip(tmp_path / "mine" / "angry" / "y.wav", seed=7)
    done = go(tmp_path, "--data", f"emovo={root / 'emovo'}", "--data", f"mine={tmp_path / 'mine'}")
    assert done.exit_code == 1
    assert "recordings are in emovo and again in mine" in done.stderr


@pytest.mark.parametrize(
    ("recipe", "arguments", "message"),
    [
        (
            "bilstm",
            ["--protocol", "cross-validated"],
            "trained on one split at a time; expected speakers, random, corpora",
        ),
        ("bilstm", ["--folds", "3"], "belong to --protocol cross-validated, --fold to the others"),
        ("phone", ["--fold", "1"], "belong to --protocol cross-validated, --fold to the others"),
        ("bilstm", ["--map", "sad"], "'sad' is not FOUND=LABEL"),
        ("bilstm", ["--epochs", "0"], "0 is not in the range"),
        ("svm", [], "'svm' is not one of"),
    ],
)
def test_what_was_asked_for_wrongly_is_a_usage_error(root, tmp_path, recipe, arguments, message):
    done = command(recipe, "--data", str(root), "-o", str(tmp_path / "out"), *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_nobody_can_write_is_one_line(root, tmp_path):
    (tmp_path / "out").write_text("")
    done = go(tmp_path, "--data", f"emovo={root / 'emovo'}")
    assert done.exit_code == 1
    assert "out: File exists" in done.stderr


def test_train_and_tag_as_the_readme_says(tmp_path, monkeypatch):
    """The real thing: a real recipe whose graph is traced, a folder of clips a label, the card in another process."""
    own(tmp_path / "mine", labels=LABELS)
    monkeypatch.chdir(tmp_path)
    tf.config.run_functions_eagerly(False)
    options = ("--data", "mine=mine", "--out", "run", "--epochs", "1", "--name", "ours", "--model-version", "2.1")
    done = run_export("train", "lstm-mean-mfcc", *options, "--cache", "cache")
    assert done.stdout == f"{Path('run/model.onnx')}\n", done.stderr

    def python(*arguments: str) -> str:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    rows = list(csv.DictReader(python("sertag", "mine", "--model", "run/model.onnx", "-j", "1").splitlines()))
    assert len(rows) == 12
    assert {f"p_{label}" for label in LABELS} <= set(rows[0])
    assert {row["model"] for row in rows} == {"ours"}
    assert all(SENTIMENT[row["emotion"]] == row["sentiment"] for row in rows if row["emotion"])
    assert "# Model `ours` 2.1" in python("export", "card", "run/model.onnx")
