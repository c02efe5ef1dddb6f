"""The recordings that a model file says it was made from."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.conversion.provenance import TRAINED_ON_KEY, TrainedOn, pack, read_trained_on
from export.errors import ExportError
from sertag.errors import ModelError
from sertag.spec import SPEC_KEY, to_json
from tests.onnx_models import tiny_spec, write_model

DIGESTS = st.binary(min_size=20, max_size=20).map(bytes.hex)


@given(st.lists(DIGESTS), st.lists(DIGESTS))
def test_every_recording_is_known_again_and_others_are_not(learnt, others):
    found = TrainedOn(base64.b64decode(pack(learnt)))
    assert all(digest in found for digest in learnt)
    prefixes = {digest[:8] for digest in learnt}
    assert len(found) == len(prefixes)
    assert [digest for digest in others if digest in found] == [digest for digest in others if digest[:8] in prefixes]


@given(st.lists(DIGESTS))
def test_order_and_repetition_do_not_change_the_file(learnt):
    assert pack(learnt) == pack([*learnt[::-1], *learnt])


def test_ten_thousand_recordings_take_little_room():
    assert len(pack(f"{number:08x}{'0' * 32}" for number in range(10_000))) < 55_000


@pytest.mark.parametrize(
    ("text", "found"),
    [("AAA!AAA==", ""), (base64.b64encode(b"12345").decode(), "5 bytes, no multiple of 4")],
)
def test_a_damaged_value_is_refused_with_the_name_of_the_file(tmp_path, text, found):
    spec = tiny_spec()
    place = write_model(tmp_path / "m.onnx", spec, metadata={SPEC_KEY: to_json(spec), TRAINED_ON_KEY: text})
    with pytest.raises(ExportError, match=rf"m.onnx: sertag.trained_on is not valid: {found}.*convert"):
        read_trained_on(str(place))


def test_a_model_file_is_asked_by_path_or_name(tmp_path):
    spec = tiny_spec()
    value = pack(["ab" * 20])
    place = write_model(tmp_path / "m.onnx", spec, metadata={SPEC_KEY: to_json(spec), TRAINED_ON_KEY: value})
    found = read_trained_on(str(place))
    assert found is not None
    assert "ab" * 20 in found
    assert "ac" * 20 not in found
    assert read_trained_on(str(write_model(tmp_path / "silent.onnx", spec))) is None
    bundled = read_trained_on("phone")
    assert bundled is not None
    assert "ab" * 20 not in bundled
    with pytest.raises(ModelError, match=r"none\.onnx"):
        read_trained_on(str(tmp_path / "none.onnx"))
