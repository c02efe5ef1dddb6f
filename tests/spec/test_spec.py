from __future__ import annotations

import dataclasses
import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertag.errors import ModelError, SpecError
from sertag.spec import FeatureSpec, ModelSpec, Probe, from_json, to_json
from sertag.spec.affect import AFFECT
from tests.onnx_models import CALL_FEATURES, PAPER_FEATURES, tiny_spec


def document(**changes: Any) -> dict[str, Any]:
    """The JSON document of a valid specification with some top-level keys changed; None removes one."""
    plain = json.loads(to_json(tiny_spec())) | changes
    return {key: value for key, value in plain.items() if value is not ...}


def features(**changes: Any) -> dict[str, Any]:
    plain = document()["features"] | changes
    return {key: value for key, value in plain.items() if value is not ...}


def refusal(content: Any) -> str:
    with pytest.raises(SpecError) as caught:
        from_json(content if isinstance(content, str) else json.dumps(content), source="some.onnx")
    assert caught.value.code == "bad_spec"
    assert isinstance(caught.value, ModelError)
    assert str(caught.value).startswith("some.onnx: sertag.spec is not ")
    return str(caught.value)


@pytest.mark.parametrize("shape", [CALL_FEATURES, PAPER_FEATURES, FeatureSpec(kind="waveform", framing="clip")])
def test_a_specification_survives_the_round_trip(shape: FeatureSpec) -> None:
    spec = tiny_spec(
        shape,
        probe=Probe((1.0, -2.5), (0.125, 3.0), (0.2, 0.3, 0.5), 0.875),
        licence="CC BY-NC 4.0",
        training=MappingProxyType({"corpora": [{"name": "Grüße", "clips": 3}], "seed": 7}),
        metrics=MappingProxyType({"uar": 0.5}),
        libraries=MappingProxyType({"keras": "3"}),
        temperature=0.7,
        min_confidence=0.25,
        row_min_confidence=0.5,
        row_gain=0.25,
        clear_ratio=2.5,
        arousal=MappingProxyType({"angry": 1.0}),
        valence=MappingProxyType({"happy": 0.5, "angry": -1.0}),
        attention=(1.5, -2.0),
        min_speech_probability=0.25,
    )
    text = to_json(spec)
    assert from_json(text, source="x") == spec
    assert "\n" not in text
    assert json.loads(text)["spec"] == 1
    assert "Grüße" in text


@given(
    st.floats(0.1, 600),
    st.floats(0.011, 3600),
    st.floats(0.01, 100),
    st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), min_size=2, max_size=9, unique=True),
)
def test_any_valid_numbers_survive_the_round_trip(
    window_s: float, hop_s: float, temperature: float, labels: list[str]
) -> None:
    sentiment = MappingProxyType(dict.fromkeys(labels, "neutral"))
    spec = tiny_spec(
        window_s=window_s,
        hop_s=hop_s,
        temperature=temperature,
        labels=tuple(labels),
        sentiment=sentiment,
        min_speech_s=0.1,
    )
    assert from_json(to_json(spec), source="x") == spec


def test_defaults_may_be_left_out() -> None:
    short = {key: document()[key] for key in ("spec", "name", "version", "window_s", "hop_s", "labels", "sentiment")}
    spec = from_json(json.dumps({**short, "features": {}}), source="x")
    assert spec.features == FeatureSpec()
    assert (spec.temperature, spec.probe, dict(spec.training)) == (1.0, None, {})


@pytest.mark.parametrize("key", ["name", "version", "window_s", "hop_s", "labels", "sentiment"])
def test_a_missing_key_is_named(key: str) -> None:
    message = refusal(document(**{key: ...}))
    assert f"missing ['{key}']" in message
    assert "export the model again" in message


def test_missing_features_are_named() -> None:
    assert "features: expected an object, found NoneType" in refusal(document(features=...))


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        (document(colour=1), "the document: missing nothing, unknown ['colour']"),
        (document(features=features(colour=1)), "features: missing nothing, unknown ['colour']"),
        (document(probe={"mean": [], "middle": [], "probs": [], "colour": 1}), "unknown ['colour']"),
        (document(probe={"mean": []}), "probe: missing ['middle', 'probs']"),
    ],
)
def test_an_unknown_key_is_named(changed: dict[str, Any], where: str) -> None:
    assert where in refusal(changed)


@pytest.mark.parametrize("version", [..., None, 0, 3, "1"])
def test_another_version_is_refused(version: object) -> None:
    found = None if version is ... else version
    assert f"spec is {str(found)!r}, expected 1 to 2" in refusal(document(spec=version))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("name", 3, "a string"),
        ("window_s", "4", "a finite number"),
        ("window_s", True, "a finite number"),
        ("window_s", None, "a finite number"),
        ("window_s", 10**400, "a finite number"),
        ("window_s", 0, "0.1 to 600 seconds"),
        ("window_s", 601, "0.1 to 600 seconds"),
        ("hop_s", 0.001, "one frame to 3600 seconds"),
        ("offset_s", -0.5, "0 to 600 seconds"),
        ("min_speech_s", 5, "0 to window_s"),
        ("labels", ["angry"], "two or more labels"),
        ("labels", ["angry", "angry", "neutral"], "no label twice"),
        ("labels", "angry", "list of strings"),
        ("labels", ["angry", 1], "list of strings"),
        ("labels", ["angry", "happy", "sad"], "exactly the labels"),
        ("sentiment", [], "an object"),
        ("sentiment", {"angry": "negative"}, "exactly the labels"),
        (
            "sentiment",
            {"angry": "bad", "happy": "positive", "neutral": "neutral"},
            "('positive', 'neutral', 'negative')",
        ),
        ("temperature", 0, "0.01 to 100"),
        ("min_confidence", 1.5, "0 to 1"),
        ("row_min_confidence", -0.1, "0 to 1"),
        ("row_min_confidence", "half", "a finite number"),
        ("row_gain", -1, "0 to 10"),
        ("priors", {"angry": 0.5}, "a number between 0 and 1 for each label"),
        ("clear_ratio", -1, "0 to 1000"),
        ("clear_ratio", True, "a finite number"),
        ("min_speech_probability", 2, "0 to 1"),
        ("arousal", {"angry": -0.1}, "0 to 1"),
        ("arousal", {"angry": "high"}, "an object of numbers"),
        ("arousal", [0.5, 0.5, 0.5], "an object"),
        ("arousal", {"bored": 0.1}, "labels of the model, angry, happy, neutral"),
        ("valence", {"happy": 1.5}, "-1 to 1"),
        ("attention", [1.0], "two numbers, slope and offset"),
        ("attention", [0, 0], "a slope over 0, up to 100"),
        ("attention", [1, 1000], "an offset of -100 to 100"),
        ("attention", 1.0, "list of numbers"),
        ("training", 3, "an object"),
        ("probe", {"mean": [1], "middle": [1], "probs": [0.5, 0.5]}, "one for each label"),
        ("probe", {"mean": ["a"], "middle": [1], "probs": [1, 0, 0]}, "list of numbers"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(key: str, value: object, expected: str) -> None:
    message = refusal(document(**{key: value}))
    assert key in message or f"{key}." in message or (key == "labels" and "sentiment" in message)
    assert f"expected {expected}" in message


def test_a_label_that_cannot_name_a_column_is_refused() -> None:
    labels = ["angry", "very happy", "neutral"]
    changed = document(labels=labels, sentiment=dict.fromkeys(labels, "neutral"))
    assert "labels is 'very happy', expected letters, digits and underscores" in refusal(changed)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("kind", "plp", "('mfcc', 'log_mel', 'waveform')"),
        ("kind", ["mfcc"], "a string"),
        ("framing", "both", "('channel', 'clip')"),
        ("pooling", "max", "('none', 'mean')"),
        ("normalisation", "minmax", "('none', 'channel_speech', 'channel_voice')"),
        ("rate_hz", 8000.5, "an integer"),
        ("rate_hz", 100, "1000 to 192000"),
        ("n_fft", 8, "16 to 65536"),
        ("win_length", 257, "2 to n_fft"),
        ("hop_length", 0, "1 to n_fft"),
        ("hop_length", 300, "1 to n_fft"),
        ("n_mels", 0, "1 to 1024"),
        ("n_mfcc", 41, "1 to n_mels"),
        ("fmin_hz", -1, "0 <= fmin < fmax <= rate / 2"),
        ("fmax_hz", 4001, "0 <= fmin < fmax <= rate / 2"),
        ("floor_power", 0, "between 0 and 1"),
        ("lifter", -1, "0 or more"),
        ("delta_order", 3, "(0, 1, 2)"),
        ("delta_width", 4, "an odd number from 3"),
        ("dynamic_range_db", 80, "null with framing channel"),
        ("dynamic_range_db", "80", "a finite number"),
        ("dynamic_range_db", -80, "0 to 1000 dB"),
        ("pooling", "mean", "none with framing channel"),
        ("n_pitches", -1, "0 to 1024"),
        ("kind", "waveform", "framing clip with waveform"),
    ],
)
def test_a_wrong_feature_is_named_with_what_was_expected(key: str, value: object, expected: str) -> None:
    message = refusal(document(features=features(**{key: value})))
    assert f"features.{key}" in message or f"_hz, {key} is" in message
    assert f"expected {expected}" in message


def test_a_clip_cannot_be_normalised_by_its_channel() -> None:
    message = refusal(document(features=features(framing="clip")))
    assert "features.normalisation is 'channel_speech', expected none with framing clip" in message


def test_pitches_of_a_clip_are_refused() -> None:
    message = refusal(document(features=features(framing="clip", normalisation="none", n_pitches=24)))
    assert "features.n_pitches is '24', expected 0 with framing clip" in message
    message = refusal(document(features=features(n_pitches=24, pitch_max_hz=5000.0)))
    assert "'(70.0, 5000.0)', expected 0 < pitch_min < pitch_max <= rate / 2" in message
    message = refusal(document(features=features(normalisation="channel_voice", n_pitches=0)))
    assert "features.n_pitches is '0', expected 1 or more with channel_voice" in message


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"spec": 1', "[" * 100_000])
def test_what_is_not_json_is_refused(text: str) -> None:
    assert "is not JSON" in refusal(text)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"'])
def test_what_is_no_object_is_refused(text: str) -> None:
    assert "expected a JSON object, found" in refusal(text)


def test_no_number_may_be_infinite() -> None:
    text = to_json(tiny_spec()).replace('"temperature": 1.0', '"temperature": NaN')
    assert "temperature is 'nan', expected a finite number" in refusal(text)


def test_windows_are_counted_in_the_frames_of_their_framing() -> None:
    assert tiny_spec().window_frames == 400
    assert tiny_spec(PAPER_FEATURES).window_frames == 1 + 66_150 // 512  # centred frames have one more
    assert tiny_spec(FeatureSpec(kind="waveform", framing="clip")).window_frames == 24_000
    with pytest.raises(SpecError, match="a frame or more"):
        tiny_spec(FeatureSpec(n_fft=8000, hop_length=8000), window_s=0.5, hop_s=2.0, min_speech_s=0.1)


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        (FeatureSpec(n_mfcc=13), 13),
        (FeatureSpec(kind="log_mel", n_mels=64), 64),
        (FeatureSpec(n_mfcc=13, delta_order=2), 39),
        (FeatureSpec(n_mfcc=13, delta_order=1, n_pitches=24), 29),
        (FeatureSpec(kind="waveform", framing="clip"), 1),
    ],
)
def test_coefficients_are_counted(shape: FeatureSpec, count: int) -> None:
    assert shape.n_coefficients == count


def test_specifications_are_frozen() -> None:
    spec: ModelSpec = tiny_spec()
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.name = "other"  # type: ignore[misc]


def test_files_of_before_have_the_rules_of_before() -> None:
    new = ("row_min_confidence", "row_gain", "clear_ratio", "arousal", "valence", "attention", "min_speech_probability")
    old = {key: value for key, value in document(min_confidence=0.3).items() if key not in new}
    spec = from_json(json.dumps(old), source="x")
    assert (spec.row_gain, spec.clear_ratio, spec.attention, spec.min_speech_probability) == (0.3, 0, (1, 0), 0.5)
    assert spec.label_priors == pytest.approx([1 / len(spec.labels)] * len(spec.labels))
    assert spec.thresholds(None) == (0.3, 0.3)
    assert spec.affect == ((0.9, -0.7), (0.75, 0.8), (0.3, 0.0))


def test_what_the_user_wants_goes_for_windows_and_rows() -> None:
    spec = tiny_spec(min_confidence=0.4, row_min_confidence=0.0)
    assert spec.thresholds(None) == (0.4, 0.0)
    assert spec.thresholds(0.0) == (0.0, 0.0)
    assert spec.thresholds(0.7) == (0.7, 0.7)


def test_a_model_may_place_some_of_its_labels() -> None:
    spec = tiny_spec(arousal=MappingProxyType({"happy": 0.5}), valence=MappingProxyType({"angry": -1.0}))
    assert spec.affect == ((0.9, -1.0), (0.5, 0.8), (0.3, 0.0))


def test_unknown_labels_are_placed_by_their_sentiment() -> None:
    labels = ("delighted", "anger", "on_hold")
    sentiment = MappingProxyType(dict(zip(labels, ("positive", "negative", "neutral"), strict=True)))
    assert tiny_spec(labels=labels, sentiment=sentiment).affect == ((0.5, 0.6), (0.9, -0.7), (0.5, 0.0))


def test_every_known_label_has_a_place_in_range() -> None:
    assert all(0 <= arousal <= 1 and -1 <= valence <= 1 for arousal, valence in AFFECT.values())
    assert AFFECT["angry"][0] > AFFECT["neutral"][0] > AFFECT["sad"][0]
