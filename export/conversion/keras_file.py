"""A trained network as a `.keras` file that brings along whatever its conversion needs.

A `.keras` file is a zip archive; Keras reads its own members
and leaves others alone. `save` adds the specification without probe, real windows to compare Keras and ONNX Runtime on,
and the SHA-1 of every recording that weights or calibration were fitted on. So a network can be trained on one machine,
under any backend of Keras, and be converted on another one without the recordings.
"""

from __future__ import annotations

import dataclasses
import io
import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from sertag.records import FloatArray
from sertag.spec import ModelSpec, from_json, to_json
from sertag.storage.atomic_output import Output

if TYPE_CHECKING:
    import keras

SPEC_MEMBER, EXAMPLES_MEMBER, DIGESTS_MEMBER = "sertag/spec.json", "sertag/examples.npz", "sertag/digests.txt"

SUFFIXES = (".keras", ".h5", ".hdf5")

_MEMBERS = (SPEC_MEMBER, EXAMPLES_MEMBER, DIGESTS_MEMBER)
_EXPECTED = "a .keras file as `model.save('name.keras')` writes it in Keras 3, or a whole network as .h5"
_REBUILD = "build the same layers in Keras 3, `model.load_weights({name!r})`, `model.save('new.keras')`, convert that"


@dataclass(frozen=True, slots=True)
class Network:
    """What such a file holds."""

    model: keras.Model  # trained, not compiled
    spec: ModelSpec  # what the model file will say of itself; no probe yet
    examples: FloatArray  # real windows, float32 (w, t, c)
    digests: tuple[str, ...]  # SHA-1, hexadecimal, of every recording that anything was fitted on; sorted


def save(model: keras.Model, place: Path, *, spec: ModelSpec, examples: FloatArray, digests: Sequence[str]) -> None:
    """Write what `Network` has in one step, so that an interrupted run never leaves half of one; no probe is kept.

    Raises:
        OutputError: the file cannot be written.
        ExportError: there is no room for temporary files.
    """
    arrays = io.BytesIO()
    np.savez_compressed(arrays, features=examples)
    members: dict[str, str | bytes] = {
        SPEC_MEMBER: to_json(dataclasses.replace(spec, probe=None)),
        EXAMPLES_MEMBER: arrays.getvalue(),
        DIGESTS_MEMBER: "".join(f"{digest}\n" for digest in sorted(set(digests))),
    }
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "network.keras"  # Keras wants a place of its own
        try:
            model.save(whole)
            with zipfile.ZipFile(whole, "a", compression=zipfile.ZIP_DEFLATED) as archive:
                for name, content in members.items():
                    archive.writestr(name, content)
            saved = whole.read_bytes()
        except OSError as error:
            message = f"cannot put the network together in {folder}: {error}; make room there, or set TMPDIR"
            raise ExportError(message, code="cannot_write") from error
    with Output(str(place)) as output:
        output.write(saved)


def load(place: Path) -> Network:
    """Read what `save` wrote.

    Raises:
        ExportError: see `load_model`; or a network that was not saved here and so does not say what its inputs are.
        SpecError: its specification is not valid.
    """
    model = load_model(place)
    if not zipfile.is_zipfile(place):
        raise _nameless(place, _MEMBERS)
    with zipfile.ZipFile(place) as archive:
        missing = [name for name in _MEMBERS if name not in archive.namelist()]
        if missing:
            raise _nameless(place, missing)
        spec = from_json(archive.read(SPEC_MEMBER).decode(), source=str(place))
        digests = tuple(archive.read(DIGESTS_MEMBER).decode().split())
        try:
            with np.load(io.BytesIO(archive.read(EXAMPLES_MEMBER)), allow_pickle=False) as stored:
                examples = stored["features"]
        except (ValueError, OSError, KeyError) as error:
            raise _damaged(place, f"{EXAMPLES_MEMBER}: {error}") from error
    return Network(model, spec, examples, digests)


def load_model(place: Path) -> keras.Model:
    """Read any network that Keras 3 has saved, or that Keras 2 has and Keras 3 still can build, not compiled.

    Raises:
        ExportError: a network that Keras 3 cannot build, something else, a damaged file, or one with parts that are not
            Keras' own.
    """
    import keras

    own = _parts_of_others(place)
    if "Lambda" in own:
        raise _cannot_build(place, own, ValueError("Lambda"))
    try:
        model: keras.Model = keras.saving.load_model(place, compile=False, safe_mode=True)
    except Exception as error:  # a configuration can ask for anything, and fail with anything
        if place.suffix != ".keras" and not own:
            said = " ".join(str(error).split())[:300]
            raise _too_old(place, f"an HDF5 file that Keras 3 cannot build ({said})") from error
        raise _cannot_build(place, own, error) from error
    return model


def spec_like(other: ModelSpec, *, name: str) -> ModelSpec:
    """A specification for a network that takes and returns what another model does.

    It has the other's features, windows and labels; not its calibration, figures, data and licence.
    """
    fields = ("features", "window_s", "hop_s", "labels", "sentiment", "offset_s", "min_speech_s", "libraries")
    return ModelSpec(name=name, version="0", **{field: getattr(other, field) for field in fields})


def _nameless(place: Path, missing: Sequence[str]) -> ExportError:
    found = f"{place}: the network does not say what its inputs and outputs mean: no {', '.join(missing)} in it"
    advice = "tell with --like MODEL.onnx, a model file of the same recipe, and --data, recordings to check on"
    return ExportError(f"{found}; {advice}; or take `wrap`, which asks for labels and features", code="no_spec")


def _parts_of_others(place: Path) -> list[str]:
    """Parts of the network in a file that are not Keras' own, once it is sure to be a whole network."""
    if place.is_dir():
        advice = "load it where it was made and `model.save('old.h5')`; then " + _REBUILD.format(name="old.h5")
        raise ExportError(f"{place}: a folder, perhaps a SavedModel, expected {_EXPECTED}; {advice}", code="not_keras")
    with place.open("rb") as file:
        head = file.read(4)
    if head == b"\x89HDF":
        return _parts_in_hdf5(place)
    if head != b"PK\x03\x04" or place.suffix != ".keras":
        raise _not_keras(place, f"it begins with {head!r}")
    try:
        with zipfile.ZipFile(place) as archive:
            torn = archive.testzip()
            written_by = str(json.loads(archive.read("metadata.json"))["keras_version"])
            parts: list[str] = []
            json.loads(archive.read("config.json"), object_hook=lambda node: parts.append(_own_part(node)))
    except zipfile.BadZipFile as error:
        raise _damaged(place, str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _not_keras(place, f"no valid metadata.json and config.json in it ({error})") from error
    if torn is not None:
        raise _damaged(place, f"the checksum of {torn} is wrong")
    if not written_by.startswith("3."):
        raise _too_old(place, f"written by Keras {written_by}")
    return sorted({*parts} - {""})


def _parts_in_hdf5(place: Path) -> list[str]:
    """The same of an HDF5 file; one of weights alone holds no network."""
    import h5py

    if place.suffix == ".keras":
        raise _not_keras(place, "it is an HDF5 file; name it .h5")
    try:
        with h5py.File(place) as file:
            stored = file.attrs.get("model_config")
    except OSError as error:
        raise _damaged(place, str(error)) from error
    if stored is None:
        raise _too_old(place, "an HDF5 file of weights alone")
    parts: list[str] = []
    json.loads(stored, object_hook=lambda node: parts.append(_own_part(node)))
    return sorted({*parts} - {""})


def _cannot_build(place: Path, own: Sequence[str], error: Exception) -> ExportError:
    """Why Keras cannot make a network with these parts that are not Keras' own, in one line."""
    if "Lambda" in own:
        found = f"{place}: the network has a Lambda layer, which is code of its author's inside a file"
        advice = "replace it by a built-in layer or by functions of keras.ops and save again"
    elif own:
        found = f"{place}: the network has parts that are not Keras' own: {', '.join(own)}"
        advice = (
            "use built-in layers and functions of keras.ops instead and save again, or register them with "
            "`keras.saving.register_keras_serializable` and call export.conversion.onnx from Python"
        )
    else:
        found = f"{place}: Keras cannot build the network: {' '.join(str(error).split())[:300]}"
        advice = "was it saved by a newer Keras? `python -m pip install --upgrade keras`"
    return ExportError(f"{found}; {advice}", code="custom_objects" if own else "bad_network")


def _own_part(node: dict[str, Any]) -> str:
    """The name of a Lambda layer, or of a class or function from outside of Keras, that a configuration names."""
    name = str(node.get("class_name"))
    if name == "function":
        return str(node.get("config"))
    foreign = "module" in node and str(node["module"]).partition(".")[0] not in ("keras", "builtins")
    return name if foreign or name == "Lambda" else ""


def _not_keras(place: Path, found: str) -> ExportError:
    return ExportError(f"{place}: not a .keras file: {found}; expected {_EXPECTED}", code="not_keras")


def _too_old(place: Path, found: str) -> ExportError:
    message = f"{place}: {found}, expected {_EXPECTED}; {_REBUILD.format(name=place.name)}"
    return ExportError(message, code="old_keras")


def _damaged(place: Path, found: str) -> ExportError:
    message = f"{place}: the file is damaged or cut off: {found}; copy it again, or train again"
    return ExportError(message, code="damaged")
