"""What a recipe is: everything that its authors decided, as data, and one function that builds the network."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from export.labels import LABELS, SENTIMENT
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Task:
    """What a network is built for.

    Attributes:
        frames: of one window, t; the coefficients of a mean over time count as frames.
        columns: numbers a frame, c.
        labels: k.
        mean, std: float32 (c,), of the frames that the network is trained on, for a normalisation inside the graph.
    """

    frames: int
    columns: int
    labels: int
    mean: FloatArray
    std: FloatArray


@dataclass(frozen=True, slots=True)
class Recipe:
    """A network with the settings of its authors.

    The framing of its features decides how it is trained: `clip` recipes look at one cut clip each, as papers do;
    `channel` recipes are shown windows of calls, as the tagger cuts them (`export.train_phone`, which has settings of
    its own for most of what follows).

    Attributes:
        name: on the command line.
        model, input: in words, for people.
        claim: what the authors report.
        build: Task -> untrained network; input `features` (w, t, c), output probabilities (w, k), no temperature.
        features: of a window.
        window_s, offset_s: length of a window and where the first one begins, seconds.
        labels: in the order of the output.
        sentiment: of each label.
        epochs: most of them.
        patience: epochs without a better inner validation after which training ends.
        batch: clips.
        learning_rate: of Adam.
        augmentations: what is done to training clips, by the names of `export.augment`; an epoch draws for each clip
            one of these or the clip as it is.
        ship: makes of the trained network the one that is converted.
    """

    name: str
    model: str
    input: str
    claim: str
    build: Callable[[Task], keras.Model]
    features: FeatureSpec
    window_s: float = 3.0
    offset_s: float = 0.5
    labels: tuple[str, ...] = LABELS
    sentiment: MappingProxyType[str, str] = field(default_factory=lambda: SENTIMENT)
    epochs: int = 50
    patience: int = 20
    batch: int = 64
    learning_rate: float = 1e-3
    augmentations: tuple[str, ...] = ()
    ship: Callable[[keras.Model], keras.Model] = lambda model: model


# `librosa.load` resamples to 22,050 Hz; the rest are the defaults of `librosa.feature.mfcc`, 40 coefficients apart.
MEAN_MFCC = FeatureSpec(
    rate_hz=22050,
    framing="clip",
    n_fft=2048,
    win_length=2048,
    hop_length=512,
    n_mels=128,
    fmax_hz=11025.0,
    dynamic_range_db=80.0,
    n_mfcc=40,
    pooling="mean",
)

# The same frames in a row, every second one: an LSTM's cost is its number of steps.
MFCC_SEQUENCE = replace(MEAN_MFCC, hop_length=1024, pooling="none")


def teachable(recipe: Recipe, found: Collection[str]) -> Recipe:
    """The recipe without labels that no clip has: nobody could teach them.

    Args:
        recipe: any.
        found: labels of the clips.
    """
    return replace(recipe, labels=tuple(label for label in recipe.labels if label in found))


_WORDS = ("name", "model", "input", "claim", "build", "sentiment", "ship")  # which change no figure


def code_of(recipe: Recipe) -> str:
    """Everything in a recipe that decides its figures, as text: settings and code, comments apart."""
    tree = ast.parse(Path(sys.modules[recipe.build.__module__].__file__ or "").read_text(encoding="utf-8"))
    shipped = (recipe.ship.__name__,)  # gives the same answers
    code = [node for node in tree.body if _is_function(node, but=shipped) or _is_constant(node)]
    for node in code:
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    settings = {item.name: str(getattr(recipe, item.name)) for item in fields(recipe) if item.name not in _WORDS}
    settings["features"] = str(_chosen(recipe.features))
    return json.dumps([[ast.unparse(node) for node in code], settings])


def _chosen(features: FeatureSpec) -> dict[str, object]:
    """What differs from the defaults, so that a new kind of feature, which is off, makes no recipe another one."""
    default = {item.name: item.default for item in fields(features)}
    return {name: value for name, value in asdict(features).items() if value != default[name]}


def _is_function(node: ast.stmt, *, but: tuple[str, ...]) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name not in but


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Tuple)
