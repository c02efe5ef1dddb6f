"""A trained network as a `.keras` file that brings along whatever its conversion needs.

Such a file is a zip archive; Keras leaves members that are not its own alone. So a network can be converted on another
machine, without the recordings.
"""

from __future__ import annotations

import dataclasses
import io
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.errors import ExportError
from sertag.records import FloatArray
from sertag.spec import ModelSpec, from_json, to_json
from sertag.storage.atomic_output import Output

if TYPE_CHECKING:
    import keras

SPEC_MEMBER, EXAMPLES_MEMBER, DIGESTS_MEMBER = "sertag/spec.json", "sertag/examples.npz", "sertag/digests.txt"

SUFFIXES = (".keras", ".h5", ".hdf5")

_ADVICE = (
    "expected a .keras file as `model.save('name.keras')` writes it in Keras 3, or a whole network as .h5. Copy a "
    "damaged file again; replace Lambda layers, layers and functions of your own by those of Keras and keras.ops, and "
    "save again; of weights or an old file, build the same layers, `model.load_weights({name!r})`, "
    "`model.save('new.keras')`"
)


@dataclass(frozen=True, slots=True)
class Network:
    """What such a file holds."""

    model: keras.Model  # trained, not compiled
    spec: ModelSpec  # what the model file will say of itself; no probe yet
    examples: FloatArray  # real windows, float32 (w, t, c)
    digests: tuple[str, ...]  # SHA-1, hexadecimal, of every recording that anything was fitted on; sorted


def save(model: keras.Model, place: Path, *, spec: ModelSpec, examples: FloatArray, digests: Sequence[str]) -> None:
    """Write what `Network` has in one step, so that an interrupted run never leaves half of one; no probe is kept."""
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
    """Read what `save` wrote; an ExportError as of `load_model`, or where it was not saved here."""
    model = load_model(place)
    try:
        with zipfile.ZipFile(place) as archive:
            spec = archive.read(SPEC_MEMBER).decode()
            digests = tuple(archive.read(DIGESTS_MEMBER).decode().split())
            with np.load(io.BytesIO(archive.read(EXAMPLES_MEMBER)), allow_pickle=False) as stored:
                examples = stored["features"]
    except (zipfile.BadZipFile, ValueError, OSError, KeyError) as error:
        found = f"{place}: the network does not say what its inputs and outputs mean: {error}"
        message = f"{found}; take `wrap`, which asks for labels and features, or train again"
        raise ExportError(message, code="no_spec") from error
    return Network(model, from_json(spec, source=str(place)), examples, digests)


def load_model(place: Path) -> keras.Model:
    """Read any network that Keras 3 has saved, or that Keras 2 has and Keras 3 still can build, not compiled.

    Code inside of the file is not run. An ExportError where Keras cannot build the network, with what Keras says.
    """
    import keras

    try:
        model: keras.Model = keras.saving.load_model(place, compile=False, safe_mode=True)
    except Exception as error:  # a configuration can ask for anything, and fail with anything
        said = " ".join(str(error).split()).rpartition("Exception encountered: ")[2][:300]  # the innermost says most
        message = f"{place}: Keras cannot read or build the network: {said}; {_ADVICE.format(name=place.name)}"
        raise ExportError(message, code="bad_network") from error
    return model
