"""Figures of a model on corpora: what each label counts as, what is left out, what was seen before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import soundfile

from export.conversion.provenance import TRAINED_ON_KEY, pack
from export.corpora.clips import Clip, Corpus
from export.corpora.loading import find_corpora
from export.errors import ExportError
from export.evaluation.evaluate import Answer, Evaluation, evaluate
from sertag.model.session import Model, load
from sertag.spec import SPEC_KEY, ModelSpec, to_json
from tests.conftest import RATE_HZ, speech_like
from tests.onnx_models import tiny_spec, write_model

LABELS = ("angry", "happy", "neutral", "sad")
SENTIMENT = {"angry": "negative", "happy": "positive", "neutral": "neutral", "sad": "negative"}


def corpus(labels: Sequence[str], *, name: str = "own") -> Corpus:
    """Clips of these labels, whose files are never opened; the digest is the number of the clip."""
    clips = [
        Clip(Path(f"{name}/{number}.wav"), name, "a", label, "", "", "", f"{number:08x}{'0' * 32}")
        for number, label in enumerate(labels)
    ]
    return Corpus(name, "", tuple(clips), MappingProxyType({}))


def model(folder: Path, labels: Sequence[str] = LABELS, *, metadata: Mapping[str, str] = MappingProxyType({})) -> Model:
    spec = spec_of(labels)
    return load(str(write_model(folder / "m.onnx", spec, metadata={SPEC_KEY: to_json(spec), **metadata})))


def spec_of(labels: Sequence[str]) -> ModelSpec:
    own = MappingProxyType({label: SENTIMENT.get(label, label) for label in labels})
    return tiny_spec(labels=tuple(labels), sentiment=own)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch):
    """Lets a model answer as a test wishes: a label, nothing, or a problem, in the order of the clips."""

    def program(*answers: str, labels: Sequence[str] = LABELS) -> None:
        def answer(text: str) -> Answer:
            if not text or text.startswith("broken"):
                return Answer(problem=text)
            return Answer(tuple(0.7 if label == text else 0.3 / (len(labels) - 1) for label in labels))

        told = iter(answers)
        monkeypatch.setattr(
            "export.evaluation.evaluate.tag_clips", lambda clips, **_: (answer(next(told)) for _ in clips)
        )

    return program


def measure(model: Model, *corpora: Corpus, **options: object) -> dict[str, Evaluation]:
    return evaluate(model, corpora, phone=False, seed=1, report=lambda what, share: None, **options)


def test_every_label_has_a_stated_counterpart(tmp_path, says):
    says("angry", "neutral", "neutral", "happy")
    found = measure(model(tmp_path), corpus(["angry", "calm", "neutral", "boredom", "sad", "boredom"]))["own"]
    assert found.counts_as == {"angry": "angry", "calm": "neutral", "neutral": "neutral", "sad": "sad"}
    assert found.left_out == {"boredom": 2}
    assert found.missing == ("happy",)
    assert found.figures.clips == 4
    assert found.figures.recall == {"angry": 1, "neutral": 1, "sad": 0}


def test_a_model_of_sentiments_is_measured_on_emotions(tmp_path, says):
    labels = ("negative", "neutral", "positive")
    says("negative", "neutral", "positive", labels=labels)
    found = measure(model(tmp_path, labels), corpus(["angry", "surprise", "sad"]))["own"]
    assert found.counts_as == {"angry": "negative", "sad": "negative", "surprise": "neutral"}
    assert found.figures.uar == pytest.approx(0.75)
    assert found.sentiment_uar is None  # it is the UAR


def test_wishes_come_first(tmp_path, says):
    says("sad", "neutral")
    renamed = {"boredom": "sad", "angry": "", "furious": "neutral"}
    found = measure(model(tmp_path), corpus(["angry", "boredom", "furious"]), label_map=renamed)["own"]
    assert found.counts_as == {"boredom": "sad", "furious": "neutral"}
    assert found.left_out == {"angry": 1}
    assert found.figures.uar == 1


def test_a_wish_for_one_corpus_is_no_wish_for_another(tmp_path, says):
    says("sad", "angry")
    found = measure(
        model(tmp_path), corpus(["furious"], name="a"), corpus(["angry"], name="b"), label_map={"furious": "sad"}
    )
    assert [item.counts_as for item in found.values()] == [{"furious": "sad"}, {"angry": "angry"}]


@pytest.mark.parametrize(
    ("labels", "renamed", "message"),
    [
        (["furious"], {}, r"label 'furious' is none of this model's labels.*--map FOUND=LABEL"),
        (["angry"], {"angry": "rage"}, r"--map angry=rage"),
        (["angry"], {"furious": "angry"}, r"--map furious: no clip has this label; the labels are angry"),
        (["boredom"], {}, r"own has boredom, the model only angry, happy, neutral, sad; .*--map"),
    ],
)
def test_labels_that_fit_nowhere_are_refused(tmp_path, labels, renamed, message):
    with pytest.raises(ExportError, match=message) as caught:
        measure(model(tmp_path), corpus(labels), label_map=renamed)
    assert caught.value.code == "unknown_label"


def test_sentiment_is_that_of_the_likeliest_label(tmp_path, says):
    says("sad", "angry", "neutral", "happy")
    found = measure(model(tmp_path), corpus(["angry", "sad", "happy", "neutral"]))["own"]
    assert found.figures.uar == 0
    assert found.sentiment_uar == pytest.approx(1 / 3)  # negative right both times, positive and neutral never


def silent(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    told = iter([Answer()] * count + [Answer((0.7, 0.1, 0.1, 0.1))] * 99)
    monkeypatch.setattr("export.evaluation.evaluate.tag_clips", lambda clips, **_: (next(told) for _ in clips))


def test_no_answer_is_an_error_but_no_claim(tmp_path, monkeypatch):
    silent(monkeypatch, 2)
    found = measure(model(tmp_path), corpus(["angry", "sad", "angry"]))["own"]
    assert found.figures.unanswered == 2
    assert found.figures.recall == {"angry": 0.5, "sad": 0}
    assert found.figures.ece == pytest.approx(0.3)  # of the one answer: claimed 0.7, right
    assert found.sentiment_uar == pytest.approx(1 / 3)  # a wrong sentiment too
    silent(monkeypatch, 1)
    assert measure(model(tmp_path), corpus(["angry"]))["own"].figures.ece == 0


def test_what_cannot_be_decoded_is_left_out_and_named(tmp_path, says):
    says("broken own/0.wav", "sad", "broken own/2.wav")
    found = measure(model(tmp_path), corpus(["angry", "sad", "sad"]))["own"]
    assert found.undecodable == ("broken own/0.wav", "broken own/2.wav")
    assert found.figures.clips == 1
    assert found.figures.uar == 1
    says("broken own/0.wav", "broken own/1.wav")
    with pytest.raises(ExportError, match=r"own: none of 2 clips can be decoded; the first one: broken own/0.wav"):
        measure(model(tmp_path), corpus(["angry", "sad"]))


def test_clips_that_the_model_was_trained_on_are_refused(tmp_path, says):
    learnt = corpus(["angry", "sad", "sad", "sad", "sad", "boredom"])
    own = model(tmp_path, metadata={TRAINED_ON_KEY: pack(clip.digest for clip in learnt.clips)})
    message = r"was trained on 5 of these 6 clips \(own/0.wav, own/1.wav, own/2.wav, …\).*--allow-seen"
    with pytest.raises(ExportError, match=message) as caught:
        measure(own, corpus(["angry", "sad", "sad", "sad", "sad", "boredom", "sad"]))
    assert caught.value.code == "seen"
    strange = corpus(["angry"] * 9, name="strange")
    strange = Corpus("strange", "", strange.clips[6:], MappingProxyType({}))
    says(*["angry"] * 5)
    found = measure(own, strange, corpus(["angry", "angry"]), allow_seen=True)
    assert {name: item.overlap for name, item in found.items()} == {"strange": "none", "own": "seen in training"}


def test_clips_that_are_left_out_may_have_been_seen(tmp_path, says):
    learnt = corpus(["boredom", "angry"])
    own = model(tmp_path, metadata={TRAINED_ON_KEY: pack([learnt.clips[0].digest])})
    says("angry")
    assert measure(own, learnt)["own"].overlap == "none"


def test_an_older_model_file_leaves_it_unknown(tmp_path, says):
    says("angry")
    assert measure(model(tmp_path), corpus(["angry"]))["own"].overlap == "unknown"


def test_everything_that_was_decided_is_told(tmp_path, says):
    says("angry", *(f"broken {number}" for number in range(7)))
    found = measure(model(tmp_path), corpus(["angry", *["calm"] * 7, "boredom"]))["own"]
    assert found.notes() == [
        "calm counts as neutral",
        "left out, as none of the labels of the model: 1 boredom",
        "labels of the model that no clip has: happy, sad",
        "left out, as nothing can be heard of them: 7 (broken 0; broken 1; broken 2; broken 3; broken 4; and 2 more)",
        "the model file does not say what it was trained on, so it may have been these very clips",
    ]
    own = model(tmp_path, metadata={TRAINED_ON_KEY: pack(["00000000" * 5])})
    says(*LABELS)
    (note,) = measure(own, corpus(LABELS), allow_seen=True)["own"].notes()
    assert note.startswith("the model was trained on some of these clips")
    says("angry", "happy", "neutral", "sad")
    strange = Corpus("own", "", corpus(["angry", *LABELS]).clips[1:], MappingProxyType({}))
    assert measure(own, strange)["own"].notes() == []


def test_the_outcome_is_plain_json(tmp_path, says):
    says("angry", "broken own/1.wav")
    found = json.loads(json.dumps(measure(model(tmp_path), corpus(["angry", "calm", "boredom"]))["own"].as_dict()))
    assert found["uar"] == 1
    assert found["recall"] == {"angry": 1}
    assert found["counts_as"] == {"angry": "angry", "calm": "neutral"}
    assert found["left_out"] == {"boredom": 1}
    assert found["missing"] == ["happy", "sad"]
    assert found["undecodable"] == ["broken own/1.wav"]
    assert (found["unanswered"], found["overlap"]) == (0, "unknown")


def test_figures_are_those_of_the_tagger_whatever_the_jobs(tmp_path, tiny_model):
    for number, code in enumerate(("rab", "gio", "neu", "tri")):
        place = tmp_path / f"{code}-f1-b1.wav"
        soundfile.write(place, speech_like(2, seed=number), RATE_HZ, subtype="PCM_16")
    corpora = find_corpora([f"emovo={tmp_path}"])
    told: list[float] = []

    def report(what: str, share: float) -> None:
        told.append(share)

    options = {"phone": True, "seed": 1, "report": report}
    found = [evaluate(load(str(tiny_model)), corpora, jobs=jobs, **options)["emovo"] for jobs in (1, 2)]
    assert found[0] == found[1]
    assert found[0].left_out == {"sad": 1}
    assert np.sum(found[0].figures.confusion) == 3
    assert told == pytest.approx([1 / 3, 2 / 3, 1] * 2)


def test_real_recordings_whose_answers_cannot_be_luck(data_dir):
    (emovo,) = find_corpora([f"emovo={data_dir / 'emovo'}"])
    few = Corpus("emovo", "", emovo.clips[::7], MappingProxyType({}))
    model = load("phone-deep")
    with pytest.raises(ExportError, match="was trained on 84 of these 84 clips"):
        measure(model, few)
    found = measure(model, few, allow_seen=True)["emovo"]
    assert (found.figures.clips, found.undecodable, found.overlap) == (84, (), "seen in training")
    assert found.figures.uar > 0.25  # it learnt from them and takes weak ones for ordinary; one in 200 guesses so well
