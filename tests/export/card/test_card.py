"""The model card: true for whatever recipe and protocol a file names, and silent on what it does not say."""

from __future__ import annotations

import dataclasses
import re
from types import MappingProxyType
from typing import Any

import pytest

pytest.importorskip("jinja2", reason="the extra `export` is not installed")

from export.card.card import card
from sertag.spec import FeatureSpec, ModelSpec
from tests.onnx_models import PAPER_FEATURES, tiny_spec

TESS = {"name": "tess", "licence": "CC BY-NC-ND 4.0", "clips": 2800, "speakers": 2, "skipped": {}}
CREMA_D = {
    "name": "crema_d",
    "licence": "ODbL 1.0",
    "clips": 18,
    "speakers": 10,
    "skipped": {"empty": 2, "silent": ["1076_MTI_SAD_XX"]},
}
OWN = {"name": "my|calls", "licence": "not stated", "clips": 30, "speakers": 4, "skipped": {"too short": 2}}
TRAINING = {
    "recipe": "lstm-mean-mfcc",
    "network": "LSTM 256, dense 128 and 64",
    "corpora": [TESS, CREMA_D],
    "protocol": "speakers",
    "seed": 7,
    "leaking": False,
}
METRICS = {
    "protocol": "one speaker tested, the others learnt from",
    "conditions": {
        "clean": {
            "chance": 0.5,
            "accuracy": 0.5,
            "uar": 0.48,
            "ece": 0.123,
            "recall": {"angry": 0.25, "neutral": 0.71},
        },
        "phone": {"accuracy": 0.25, "uar": 0.24, "ece": 0.3, "recall": {"angry": 0.2, "neutral": 0.28}},
    },
}


def tutorial(*, metrics: dict[str, Any] = METRICS, **training: Any) -> ModelSpec:
    return tiny_spec(
        PAPER_FEATURES,
        name="mine",
        offset_s=0.5,
        temperature=1.5,
        training=MappingProxyType(TRAINING | training),
        metrics=MappingProxyType(metrics),
    )


def written(spec: ModelSpec) -> str:
    """The card as one line, so that where lines end does not matter."""
    return " ".join(card(spec).split())


def test_a_tutorial_recipe_is_described_by_what_its_file_says():
    text = written(tutorial())
    assert "# Model `mine` 1" in text
    assert "windows of 3 s of a recording, every 2 s, the first one from 0.5 s, with one of 3 emotions" in text
    assert "40 cepstral coefficients of 128 mel bands from 0 to 11025 Hz at 22050 Hz, 43.07 frames" in text
    assert "averaged over the window. Network: LSTM 256, dense 128 and 64;" in text
    assert "| tess | 2 | 2800 | none | CC BY-NC-ND 4.0 |" in text
    assert "| crema_d | 10 | 18 | 2 (empty); 1 (silent: 1076_MTI_SAD_XX) | ODbL 1.0 |" in text
    assert "recipe `lstm-mean-mfcc`, protocol `speakers`, seed 7" in text
    assert "Protocol: one speaker tested, the others learnt from." in text
    assert "| clean | 48.0 | | phone | 24.0 | | chance | 50.0 |" in text  # two classes occur
    assert "| clean | 25.0 | | 71.0 |" in text  # nobody was happy
    assert "| clean | 50.0 | 0.123 |" in text
    assert "Temperature 1.5, fitted on clips that no weight was fitted on" in text
    assert "`min_confidence` is 0, so no window is `uncertain`" in text


@pytest.mark.parametrize(
    "only_phone", ["telephone line:", "In a call", "single mood", "attention", "RAVDESS", "German"]
)
def test_nothing_is_said_that_is_true_of_the_phone_model_alone(only_phone):
    assert only_phone not in written(tutorial())


def test_a_leaking_split_is_marked_in_bold_above_its_figures():
    text = written(tutorial(leaking=True, protocol="random"))
    assert re.search(r"## Figures \*\*Leaking split: speakers of the tested clips .*\*\* UAR in percent", text)
    assert "Leaking" not in written(tutorial())


@pytest.mark.parametrize(("protocol", "same_sentences"), [("speakers", True), ("random", True), ("corpora", False)])
def test_test_speakers_read_the_training_sentences_unless_a_whole_corpus_is_tested(protocol, same_sentences):
    assert ("every test speaker speaks the sentences" in written(tutorial(protocol=protocol))) is same_sentences


def test_own_data_are_not_called_acted():
    text = written(tutorial(corpora=[TESS, OWN]))
    assert "The speech of the published corpora is acted or elicited, read from a script, in English." in text
    assert "does not say what kind of speech is in my|calls, nor in which language" in text
    assert "| my\\|calls | 4 | 30 | 2 (too short) | not stated |" in text
    assert "every test speaker speaks the sentences" not in text
    assert "All training speech" not in written(tutorial(corpora=[OWN]))


@pytest.mark.parametrize(
    ("corpora", "expected", "absent"),
    [
        ([TESS], "inherit non-commercial licences", "does not state the licence"),
        ([CREMA_D], "under the licences above", "non-commercial"),
        ([TESS, OWN], "does not state the licence of all", "under the licences above"),
        ([OWN], "does not state the licence of all", "non-commercial"),
    ],
)
def test_the_lawful_use_follows_from_the_licences(corpora, expected, absent):
    text = written(tutorial(corpora=corpora))
    assert expected in text
    assert absent not in text
    assert "Article 5(1)(f)" in text


def test_merged_labels_are_named():
    assert "`calm` counts as neutral." in written(tutorial(counts_as={"calm": "neutral"}))
    assert "counts as" not in written(tutorial())


def test_a_model_of_sentiments_is_not_said_to_tell_emotions():
    labels = ("negative", "neutral", "positive")
    own = MappingProxyType({label: label for label in labels})
    text = written(dataclasses.replace(tutorial(metrics={}), labels=labels, sentiment=own))
    assert "one of 3 sentiments: negative, neutral, positive" in text
    assert "Sentiment:" not in text


def test_a_file_that_says_nothing_gets_a_card_that_claims_nothing():
    spec = dataclasses.replace(tutorial(), training=MappingProxyType({}), metrics=MappingProxyType({}), temperature=1.0)
    text = written(spec)
    assert "does not say what the model was trained on" in text
    assert "Protocol: unknown. Nothing was measured." in text
    assert "No temperature was fitted" in text
    assert "does not say what kind of speech the model was trained on" in text
    assert "does not state the licence of all training recordings" in text
    assert "It learnt" not in text
    assert "Network" not in text
    assert "Recall" not in text


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (
            FeatureSpec(kind="log_mel"),
            "Input is 40 mel bands from 0 to 4000 Hz at 8000 Hz, in dB, 100 frames a second.",
        ),
        (FeatureSpec(kind="waveform", framing="clip"), "Input is the samples themselves, at 8000 Hz."),
        (FeatureSpec(delta_order=2), "100 frames a second, with their derivatives over time."),
    ],
)
def test_every_kind_of_input_has_words(features, words):
    assert words in written(tiny_spec(features))
