"""What a recipe is: everything that its authors decided, as data, and one function that builds the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from export.corpora.labels import LABELS, SENTIMENT
from export.features.call_windows import Mixture
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
    `channel` recipes are shown windows of calls, as the tagger cuts them, and their length is fixed beforehand.

    Attributes:
        name: on the command line.
        model, input: in words, for people.
        claim: what the authors report.
        build: Task -> untrained network; input `features` (w, t, c), output probabilities (w, k), no temperature.
        features: of a window.
        window_s, offset_s: length of a window and where the first one begins, seconds.
        hop_s: from one window to the next when it tags; 0 for the window's length.
        labels: in the order of the output.
        sentiment: of each label.
        epochs: most of them.
        patience: epochs without a better validation after which training ends; not for `channel` recipes.
        batch: clips, or windows of calls.
        learning_rate: of Adam; of AdamW at its peak for `channel` recipes, where it falls to 0 as a cosine.
        windows: of calls that are drawn in a whole training, however many clips there are.
        weight_decay, label_smoothing: of `channel` recipes.
        mixture: what their training windows are made of.
        augmentations: what is done to training clips, by the names of `export.audio.effects`; an epoch draws for each
            clip one of these or the clip as it is.
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
    hop_s: float = 0.0
    labels: tuple[str, ...] = LABELS
    sentiment: MappingProxyType[str, str] = field(default_factory=lambda: SENTIMENT)
    epochs: int = 50
    patience: int = 20
    batch: int = 64
    learning_rate: float = 1e-3
    windows: int = 0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    mixture: Mixture = field(default_factory=Mixture)
    augmentations: tuple[str, ...] = ()
    ship: Callable[[keras.Model], keras.Model] = lambda model: model

    @property
    def steps(self) -> int:
        """Batches of an epoch of a `channel` recipe; fewer epochs than the recipe's are a shorter training."""
        return math.ceil(self.windows / (self.epochs * self.batch))

    @property
    def window_frames(self) -> int:
        """Frames of a window of a call."""
        return round(self.window_s * self.features.frame_rate_hz)

    @property
    def hop_frames(self) -> int:
        """Frames from one window of a call to the next."""
        return round((self.hop_s or self.window_s) * self.features.frame_rate_hz)


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


def restrict_labels(recipe: Recipe, found: Collection[str]) -> Recipe:
    """The recipe without labels that no clip has: a network could not learn them.

    Args:
        recipe: any.
        found: labels of the clips.
    """
    return replace(recipe, labels=tuple(label for label in recipe.labels if label in found))
