"""The tutorials' model: an LSTM that reads the mean of 40 MFCC as if the coefficients were a time series.

The order of cepstral coefficients is no time, but this is what most projects of the field do, so this is what has to be
measured. The variant tells sentiment instead of emotion.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from export.corpora.labels import SENTIMENTS
from export.recipes.base import MEAN_MFCC, Recipe, Task, stacked

if TYPE_CHECKING:
    import keras


def build(task: Task) -> keras.Model:
    """Build the untrained network: (w, 40, 1) -> (w, k)."""
    from keras import layers

    head = [layer for units in (128, 64) for layer in (layers.Dense(units, "relu"), layers.Dropout(0.2))]
    return stacked(task, layers.LSTM(256), layers.Dropout(0.2), *head)


RECIPE = Recipe(
    name="lstm-mean-mfcc",
    model="LSTM 256, dense 128 and 64, dropout 0.2 after each",
    input="mean over time of 40 MFCC of 3 s from 0.5 s, as (40, 1)",
    claim="",
    build=build,
    features=MEAN_MFCC,
)

SENTIMENT = dataclasses.replace(RECIPE, name="lstm-mean-mfcc-sentiment", labels=SENTIMENTS)
