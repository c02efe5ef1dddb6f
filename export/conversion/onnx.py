"""A trained network to the one file that sertag runs: graph, specification and probe.

Refuses to write where ONNX Runtime does not reproduce Keras on real windows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.conversion.provenance import TRAINED_ON_KEY, pack
from export.errors import ExportError
from export.features.encoder import FRAMES
from sertag.model.session import Model
from sertag.records import FloatArray
from sertag.spec import SPEC_KEY, ModelSpec, to_json
from sertag.storage.atomic_output import Output
from sertag.tagging.probe import measure

if TYPE_CHECKING:
    import keras

OPSET = 17
LARGEST_DIFFERENCE = 1e-4  # of any probability
_PROBABILITIES, _SPEECH = "probabilities", "speech"
_LOOPS = frozenset({"Loop", "Scan", "If"})


def convert(
    model: keras.Model,
    *,
    spec: ModelSpec,
    examples: FloatArray,
    digests: Sequence[str] = (),
    out: Path,
    encoder: Path | None = None,
) -> Path:
    """Write a network as a model file, `out`.

    Args:
        model: trained; softmax inside, temperature not. Takes one input (w, t, c), returns probabilities (w, k) or a
            dict of them and `speech` (w, 1).
        spec: what the file says of itself; its probe is measured here.
        examples: real windows, float32 (w, t, c).
        digests: SHA-1, hexadecimal, of every recording that anything was fitted on; none if nobody knows.
        out: the file.
        encoder: file of a frozen encoder whose frames the network takes; both become one graph.

    Raises:
        ExportError, ModelError: network and specification do not fit; a loop or an operator that is not ONNX; Keras and
            ONNX Runtime differ by more than 1e-4.
    """
    _check_network(model, spec, examples)
    proto = to_onnx(model)
    _check_operators(proto, out)
    _check_parity(model, proto.SerializeToString(), examples, out)
    if encoder is not None:
        proto = behind(encoder, proto)
    properties = {TRAINED_ON_KEY: pack(digests)} if digests else {}
    describe(proto, {SPEC_KEY: to_json(spec), **properties})
    probe = measure(Model(path=str(out), content=proto.SerializeToString()))
    describe(proto, {SPEC_KEY: to_json(dataclasses.replace(spec, probe=probe)), **properties})
    with Output(str(out)) as output:
        output.write(proto.SerializeToString())
    return out


def to_onnx(model: keras.Model) -> Any:
    """The graph of a network with a dynamic number of windows, as an ONNX ModelProto.

    `tf2onnx.convert.from_keras` does not know Keras 3. Arrays that are no weights, such as the mean of a
    `Normalization`, would become inputs of the graph: they are put back as constants.
    """
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32, name="features")]
    function = tf.function(lambda features: _answers(model, features), input_signature=signature)
    traced = function.get_concrete_function()
    captured = zip(traced.inputs[1:], traced.captured_inputs, strict=True)
    constants = {inner.name: outer.numpy() for inner, outer in captured if inner.dtype != tf.resource}
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    _put_back(proto, constants)
    return proto


def behind(encoder: Path, network: Any) -> Any:
    """One graph of an encoder and of the network that takes its frames, as an ONNX ModelProto."""
    import onnx
    from onnx import compose

    front = onnx.load(encoder)
    network = compose.add_prefix(network, "network_", rename_inputs=True, rename_outputs=False)
    del network.opset_import[:], network.metadata_props[:]
    network.opset_import.extend(front.opset_import)
    network.ir_version = front.ir_version
    whole = compose.merge_models(front, network, io_map=[(FRAMES, network.graph.input[0].name)])
    # One window at a time: the encoder's 8 bits are scaled to what it is given, and a window must not depend on others.
    whole.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    return whole


def _check_network(model: keras.Model, spec: ModelSpec, examples: FloatArray) -> None:
    """Refuse another backend, and a network and a specification that do not belong together."""
    import keras

    backend = keras.backend.backend()
    if backend != "tensorflow":
        found = f"Keras runs on {backend}, and only from TensorFlow is there a way to ONNX"
        message = f"{found}; run `KERAS_BACKEND=tensorflow python -m export convert` on the .keras file"
        raise ExportError(message, code="wrong_backend")
    try:
        shape = tuple(_answers(model, examples[:1])[_PROBABILITIES].shape[1:])
    except (ValueError, TypeError) as error:
        found = f"the network does not take windows {examples.shape[1:]} as {spec.name} has them: {error}"
        raise ExportError(f"{found}; give the specification that it was trained with", code="bad_network") from error
    if shape != (len(spec.labels),):
        expected = f"expected one probability for each label of {spec.name}, {', '.join(spec.labels)}"
        raise ExportError(f"the network returns {shape} for a window, {expected}", code="bad_network")


def _answers(model: keras.Model, features: Any) -> dict[str, Any]:
    """The outputs by name, however the network wraps them."""
    import keras

    found = model(features, training=False)
    if isinstance(found, dict):
        return {name: found[name] for name in (_PROBABILITIES, _SPEECH) if name in found}
    return {_PROBABILITIES: keras.tree.flatten(found)[0]}


def _put_back(proto: Any, constants: Mapping[str, Any]) -> None:
    """Turn inputs of a graph into constants; tf2onnx leaves some of them there without a use."""
    from onnx import numpy_helper

    used = {name for node in proto.graph.node for name in node.input}
    for item in [item for item in proto.graph.input if item.name in constants]:
        proto.graph.input.remove(item)
        if item.name in used:
            proto.graph.initializer.append(numpy_helper.from_array(constants[item.name], item.name))


def _check_operators(proto: Any, out: Path) -> None:
    from onnx import defs

    loops = sorted({node.op_type for node in proto.graph.node} & _LOOPS)
    if loops:
        found = f"{out}: not written: the graph holds {', '.join(loops)}, several times slower than ONNX' own LSTM"
        advice = "take layers.LSTM, of Keras 3.12 or later, without Masking and recurrent dropout, or unroll=True"
        raise ExportError(f"{found}; {advice}", code="slow_graph")
    foreign = sorted({node.op_type for node in proto.graph.node if not defs.has(node.op_type, OPSET, node.domain)})
    if foreign:
        message = f"{out}: not written: ONNX has no {', '.join(foreign)}; use layers that are made of other operators"
        raise ExportError(message, code="no_operator")


def _check_parity(model: keras.Model, content: bytes, examples: FloatArray, out: Path) -> None:
    import keras
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    expected = _answers(model, examples)
    found = session.run(list(expected), {"features": examples})
    pairs = zip(expected.values(), found, strict=True)
    worst = max(float(np.abs(keras.ops.convert_to_numpy(own) - other).max()) for own, other in pairs)
    if not worst <= LARGEST_DIFFERENCE:
        message = f"{out}: not written: Keras and ONNX Runtime differ by {worst:.2g}, expected {LARGEST_DIFFERENCE:g}"
        raise ExportError(message, code="not_reproduced")


def describe(proto: Any, properties: Mapping[str, str]) -> None:
    """Make these all that a graph says of itself."""
    del proto.metadata_props[:]
    for key, value in properties.items():
        proto.metadata_props.add(key=key, value=value)


def described_again(content: bytes, spec: ModelSpec) -> bytes:
    """A model file with another specification; what else it says of itself stays."""
    import onnx

    proto = onnx.load_from_string(content)
    kept = {item.key: item.value for item in proto.metadata_props}
    describe(proto, kept | {SPEC_KEY: to_json(spec)})
    whole: bytes = proto.SerializeToString()
    return whole
