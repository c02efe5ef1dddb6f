"""The self-describing `.keras` file: what comes back, and which files are refused with which advice."""

from __future__ import annotations

import dataclasses
import errno
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.onnx_models import PAPER_FEATURES, tiny_spec

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")

import h5py
import keras

from export.conversion.keras_file import SPEC_MEMBER, load, load_model, save
from export.errors import ExportError
from sertag.errors import OutputError, SpecError
from sertag.spec import Probe

SPEC = tiny_spec(PAPER_FEATURES, offset_s=0.5, name="paper", temperature=1.5, licence="mine")
EXAMPLES = np.random.default_rng(1).standard_normal((5, 40, 1)).astype(np.float32)
DIGESTS = ("b" * 40, "a" * 40, "b" * 40)


def network(*extra: object) -> object:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((40, 1)), layers.LSTM(4), layers.Dropout(0.3), *extra, layers.Dense(3, activation="softmax")]
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    place = tmp_path / "paper.keras"
    save(network(), place, spec=SPEC, examples=EXAMPLES, digests=DIGESTS)
    return place


def answers(model: object) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(EXAMPLES, training=False))


def test_everything_comes_back(tmp_path):
    place, model = tmp_path / "paper.keras", network()
    spec = dataclasses.replace(SPEC, probe=Probe((1.0,), (1.0,), (0.2, 0.3, 0.5)))
    save(model, place, spec=spec, examples=EXAMPLES, digests=DIGESTS)
    found = load(place)
    np.testing.assert_array_equal(answers(found.model), answers(model))
    assert found.spec == SPEC  # without the probe, which belongs to the converted file
    np.testing.assert_array_equal(found.examples, EXAMPLES)
    assert found.examples.dtype == np.float32
    assert found.digests == ("a" * 40, "b" * 40)


def test_it_is_still_a_file_of_keras(saved):
    assert answers(keras.saving.load_model(saved)).shape == (5, 3)


def test_an_interrupted_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "writestr", stop)
    with pytest.raises(KeyboardInterrupt):
        save(network(), saved, spec=SPEC, examples=EXAMPLES, digests=DIGESTS)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*none/a.keras"):
        save(network(), tmp_path / "none" / "a.keras", spec=SPEC, examples=EXAMPLES, digests=())


def test_a_full_temporary_folder_is_one_line(saved, monkeypatch):
    before = saved.read_bytes()

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", refuse)
    with pytest.raises(ExportError, match=r"No space left on device; make room there, or set TMPDIR"):
        save(network(), saved, spec=SPEC, examples=EXAMPLES, digests=())
    assert saved.read_bytes() == before


def rewritten(place: Path, changes: dict[str, bytes | None]) -> Path:
    """The same archive with members replaced, or left out where the new content is None."""
    with zipfile.ZipFile(place) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)
    return place


def old_hdf5(saved: Path) -> Path:
    place = saved.with_name("old.h5")
    network().save(place)
    return place


def weights_alone(saved: Path) -> Path:
    place = saved.with_name("a.weights.h5")
    network().save_weights(place)
    return place


def hdf5_with_lambda(saved: Path) -> Path:
    place = saved.with_name("old.h5")
    network(keras.layers.Lambda(lambda x: 2 * x)).save(place)
    return place


def unbuildable_hdf5(saved: Path) -> Path:
    place = old_hdf5(saved)
    with h5py.File(place, "r+") as file:
        config = file.attrs["model_config"].replace('"Dense"', '"Tense"')
        file.attrs["model_config"] = config
    return place


def torn_hdf5(saved: Path) -> Path:
    place = old_hdf5(saved)
    place.write_bytes(place.read_bytes()[:2000])
    return place


def text(saved: Path) -> Path:
    saved.write_text("weights")
    return saved


def empty(saved: Path) -> Path:
    saved.write_bytes(b"")
    return saved


def other_suffix(saved: Path) -> Path:
    return saved.rename(saved.with_suffix(".zip"))


def any_zip(saved: Path) -> Path:
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("a.txt", "a")
    return saved


def cut_off(saved: Path) -> Path:
    content = saved.read_bytes()
    saved.write_bytes(content[: len(content) * 2 // 3])
    return saved


def flipped(saved: Path) -> Path:
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 1
    saved.write_bytes(content)
    return saved


def foreign(saved: Path) -> Path:
    network().save(saved)
    return saved


def odd_examples(saved: Path) -> Path:
    return rewritten(saved, {"sertag/examples.npz": b"no arrays"})


def with_lambda(saved: Path) -> Path:
    save(network(keras.layers.Lambda(lambda x: 2 * x)), saved, spec=SPEC, examples=EXAMPLES, digests=())
    return saved


class Doubling(keras.layers.Layer):
    """Somebody's own layer."""

    def call(self, inputs):
        return 2 * inputs


def shrunk(inputs):
    """Somebody's own activation."""
    return 0.5 * inputs


def with_own_layer(saved: Path) -> Path:
    save(network(Doubling()), saved, spec=SPEC, examples=EXAMPLES, digests=())
    return saved


def with_own_function(saved: Path) -> Path:
    save(network(keras.layers.Dense(4, activation=shrunk)), saved, spec=SPEC, examples=EXAMPLES, digests=())
    return saved


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (old_hdf5, "no_spec", r"File is not a zip file; take `wrap`"),
        (weights_alone, "bad_network", r"No model config found.*load_weights\('a.weights.h5'\)"),
        (hdf5_with_lambda, "bad_network", r"`Lambda` layer.*replace Lambda layers"),
        (unbuildable_hdf5, "bad_network", r"Unknown layer: 'Tense'"),
        (torn_hdf5, "bad_network", r"truncated file.*Copy a damaged file again"),
        (text, "bad_network", r"model.save\('name.keras'\)"),
        (empty, "bad_network", r"model.save\('name.keras'\)"),
        (other_suffix, "bad_network", r"format not supported.*model.save\('name.keras'\)"),
        (any_zip, "bad_network", r"no item named 'config.json'"),
        (cut_off, "bad_network", r"Copy a damaged file again"),
        (flipped, "bad_network", r"Bad CRC-32"),
        (foreign, "no_spec", r"no item named 'sertag/spec.json'.*`wrap`"),
        (odd_examples, "no_spec", r"`wrap`"),
        (with_lambda, "bad_network", r"`Lambda` layer.*replace Lambda layers"),
        (with_own_layer, "bad_network", r"'Doubling'.*functions of your own"),
        (with_own_function, "bad_network", r"'shrunk'.*functions of your own"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_advice(
    saved: Path, make: Callable[[Path], Path], code: str, message: str
):
    place = make(saved)
    with pytest.raises(ExportError, match=message) as caught:
        load(place)
    assert caught.value.code == code
    assert str(place) in str(caught.value)


def test_an_invalid_specification_names_the_file(saved):
    rewritten(saved, {SPEC_MEMBER: b'{"spec": 1}'})
    with pytest.raises(SpecError, match=r"paper.keras: sertag.spec is not valid"):
        load(saved)


def test_a_network_without_our_members_can_be_had_alone(saved):
    assert answers(load_model(foreign(saved))).shape == (5, 3)


def test_a_whole_network_as_hdf5_can_be_had_alone(tmp_path):
    old = network()
    old.save(tmp_path / "old.h5")
    np.testing.assert_array_equal(answers(load_model(tmp_path / "old.h5")), answers(old))


def test_the_advice_for_old_files_works(tmp_path):
    old, rebuilt = network(), network()
    old.save(tmp_path / "old.h5")
    rebuilt.load_weights(tmp_path / "old.h5")
    rebuilt.save(tmp_path / "new.keras")
    np.testing.assert_array_equal(answers(load_model(tmp_path / "new.keras")), answers(old))
