"""What a recipe is: everything that its authors decided, as data, and one function that builds the network."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from export.corpora.labels import LABELS, SENTIMENT
from sertag.records import FloatArray
from sertag.spec import FeatureSpec, ModelSpec

if TYPE_CHECKING:
    import keras

MIN_SPEECH_S = 0.1  # authors score every clip; a tenth of a second of speech is the least to have an opinion on


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

    The framing of its features decides how it is trained: `clip` recipes look at one cut clip each, as papers do, until
    the validation says that it is enough; `channel` recipes are shown every window that the tagger would cut, in every
    version of a clip, and the length of their training is fixed beforehand.

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
        batch: clips, or windows.
        learning_rate: of Adam; of AdamW at its peak for `channel` recipes, where it falls to 0 as a cosine.
        weight_decay, label_smoothing, mixup: of `channel` recipes; mixup is alpha of Zhang et al. 2018.
        exchanged_columns: how many columns, the first ones, are moved to where other speakers' neutral speech lies, see
            `export.features.neutral_speech`; of `channel` recipes.
        min_speech_s: a window of a `channel` recipe is scored if it holds at least this much speech.
        encoder: whether windows go through a frozen encoder before the network sees them.
        teacher: name of the recipe from whose answers this one learns too, empty for none.
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
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    exchanged_columns: int = 0
    min_speech_s: float = MIN_SPEECH_S
    encoder: bool = False
    teacher: str = ""
    augmentations: tuple[str, ...] = ()
    ship: Callable[[keras.Model], keras.Model] = lambda model: model

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


def restrict_labels(recipe: Recipe, found: Collection[str]) -> Recipe:
    """The recipe without labels that no clip has: a network could not learn them.

    Args:
        recipe: any.
        found: labels of the clips.
    """
    return replace(recipe, labels=tuple(label for label in recipe.labels if label in found))
