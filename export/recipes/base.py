"""What a recipe is: everything that its authors decided, as data, and one function that builds the network."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from export.corpora.labels import LABELS, SENTIMENT
from sertag.records import FloatArray
from sertag.spec import FeatureSpec, ModelSpec

if TYPE_CHECKING:
    import keras

MIN_SPEECH_S = 0.1  # authors score every clip; a tenth of a second of speech is the least to have an opinion on


@dataclass(frozen=True, slots=True)
class Task:
    """What a network is built for."""

    frames: int  # of one window, t; the coefficients of a mean over time count as frames
    columns: int  # numbers a frame, c
    labels: int  # k
    mean: FloatArray  # float32 (c,), of the frames that the network is trained on
    std: FloatArray  # likewise, for a normalisation inside the graph

    @classmethod
    def of(cls, windows: FloatArray, *, labels: int) -> Task:
        """What a network is built for that is to learn from windows like these, (w, t, c)."""
        frames = windows.reshape(-1, windows.shape[2])
        frames = frames[frames.any(axis=1)]  # not the zeros behind the end of a clip
        return cls(
            frames=windows.shape[1],
            columns=windows.shape[2],
            labels=labels,
            mean=frames.mean(axis=0, dtype=np.float64).astype(np.float32),
            std=np.maximum(frames.std(axis=0, dtype=np.float64), 1e-3).astype(np.float32),
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """A network with the settings of its authors. The framing of its features decides how it is trained.

    `clip` recipes look at one cut clip each, as papers do, until the validation says that it is enough; `channel`
    recipes are shown every window that the tagger would cut, in every version of a clip, for a fixed number of epochs.
    """

    name: str  # on the command line
    model: str  # in words, for people
    input: str  # likewise
    claim: str  # what the authors report
    build: Callable[[Task], keras.Model]  # input `features` (w, t, c), output probabilities (w, k), no temperature
    features: FeatureSpec
    window_s: float = 3.0
    offset_s: float = 0.5  # where the first window begins
    hop_s: float = 0.0  # from one window to the next when it tags; 0 for the window's length
    labels: tuple[str, ...] = LABELS  # in the order of the output
    sentiment: MappingProxyType[str, str] = field(default_factory=lambda: SENTIMENT)
    epochs: int = 50  # most of them
    epochs_of_few: int = 0  # instead, where windows are too few for batches of the full size; 0 for the same
    patience: int = 20  # epochs without a better validation after which training ends; not for `channel` recipes
    batch: int = 64  # clips, or windows
    learning_rate: float = 1e-3  # of Adam; for `channel` recipes of AdamW at its peak, it falls to 0 as a cosine
    weight_decay: float = 0.0  # of `channel` recipes, as are the next three
    label_smoothing: float = 0.0
    mixup: float = 0.0  # alpha of Zhang et al. 2018
    exchanged_columns: int = 0  # the first ones, see `export.features.material`
    min_speech_s: float = MIN_SPEECH_S  # a window is scored if it holds at least this much
    encoder: bool = False  # whether windows go through a frozen encoder before the network sees them
    teacher: str = ""  # name of the recipe from whose answers this one learns too
    augmentations: tuple[str, ...] = ()  # versions of training clips, of which an epoch draws one or the clip itself
    ship: Callable[[keras.Model], keras.Model] = lambda model: model  # what is converted, made of what was trained

    @property
    def window_frames(self) -> int:
        """Frames of a window of a call."""
        return round(self.window_s * self.features.frame_rate_hz)

    def bare_spec(self) -> ModelSpec:
        """What is known of a model of this recipe before training."""
        return ModelSpec(
            name=self.name,
            version="0",
            features=self.features,
            window_s=self.window_s,
            hop_s=self.hop_s or self.window_s,
            offset_s=self.offset_s,
            min_speech_s=self.min_speech_s,
            labels=self.labels,
            sentiment=MappingProxyType({label: self.sentiment[label] for label in self.labels}),
        )


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


def stacked(task: Task, *middle: keras.layers.Layer, scaled: bool = False) -> keras.Model:
    """Layers between windows (w, t, c) and probabilities (w, k); `scaled` columns have mean 0 and deviation 1 first."""
    from keras import Input, Sequential, layers

    scaling = [layers.Normalization(mean=task.mean, variance=np.square(task.std))] if scaled else []
    features = Input((task.frames, task.columns), name="features")
    return Sequential([features, *scaling, *middle, layers.Dense(task.labels, activation="softmax")])


def restrict_labels(recipe: Recipe, found: Collection[str]) -> Recipe:
    """The recipe without labels that no clip has: a network could not learn them."""
    return replace(recipe, labels=tuple(label for label in recipe.labels if label in found))
