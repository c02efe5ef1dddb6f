"""Two models that learn from clips with noise, shifted, with another pitch and another speed.

Their authors mix RAVDESS, CREMA-D and TESS and keep RAVDESS' `calm` apart, which makes eight labels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from export.corpora.labels import LABELS
from export.recipes.base import MFCC_SEQUENCE, Recipe, Task, stacked

if TYPE_CHECKING:
    import keras

AUGMENTATIONS = ("noise", "shift", "pitch", "speed")
EIGHT = tuple(sorted((*LABELS, "calm")))


def build_cnn(task: Task) -> keras.Model:
    """Build the untrained convolutional network: (w, t, 40) -> (w, k)."""
    from keras import layers

    convolutions = [
        layer
        for filters in (128, 128, 64)
        for layer in (
            layers.Conv1D(filters, 5, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            layers.Dropout(0.2),
        )
    ]
    head = [layers.Flatten(), layers.Dense(32, activation="relu"), layers.Dropout(0.3)]
    return stacked(task, *convolutions, *head, scaled=True)


def build_lstm(task: Task) -> keras.Model:
    """Build the untrained recurrent network: (w, t, 40) -> (w, k)."""
    from keras import layers

    head = [layers.Dropout(0.3), layers.Dense(64, activation="relu"), layers.Dropout(0.3)]
    return stacked(task, layers.LSTM(128), *head, scaled=True)


CNN = Recipe(
    name="cnn-augmented",
    model="three convolutions with pooling, dense 32",
    input="scaled sequence of 40 MFCC, 3 s from 0.5 s; noise, shift, pitch, speed",
    claim="61 % accuracy on RAVDESS, CREMA-D and TESS",
    build=build_cnn,
    features=MFCC_SEQUENCE,
    labels=EIGHT,
    augmentations=AUGMENTATIONS,
)

LSTM = replace(CNN, name="lstm-augmented", model="LSTM 128, dense 64", build=build_lstm)
