"""Two stacked bidirectional LSTM over a sequence of normalised MFCC; six emotions, surprise left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.recipes.base import MFCC_SEQUENCE, Recipe, Task, stacked

if TYPE_CHECKING:
    import keras


def build(task: Task) -> keras.Model:
    """Build the untrained network: (w, t, 40) -> (w, k)."""
    from keras import layers

    return stacked(
        task,
        layers.Bidirectional(layers.LSTM(64, return_sequences=True)),
        layers.Dropout(0.3),
        layers.Bidirectional(layers.LSTM(32)),
        layers.Dropout(0.3),
        layers.Dense(64, activation="relu"),
        scaled=True,
    )


RECIPE = Recipe(
    name="bilstm",
    model="bidirectional LSTM 64 and 32, dense 64, dropout 0.3",
    input="normalised sequence of 40 MFCC, 3 s from 0.5 s",
    claim="98.66 % accuracy on TESS",
    build=build,
    features=MFCC_SEQUENCE,
    labels=("angry", "disgust", "fear", "happy", "neutral", "sad"),
    batch=32,
)
