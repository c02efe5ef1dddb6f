"""The tutorials' LSTM: over the mean of 40 MFCC as if the coefficients were a time series, and over sequences of them.

The order of cepstral coefficients is no time, but this is what most projects of the field do, so this is what has to be
measured. `lstm-mean-mfcc-sentiment` tells sentiment instead of emotion.

`lstm-masked` is trained with masking and shipped without: `keras.layers.Masking` becomes a loop of elementary nodes in
ONNX, several times slower than the fused LSTM. An LSTM never looks ahead, so its state after the last unpadded frame is
what masking would have kept: the shipped twin runs over all frames and picks that one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from export.corpora.labels import SENTIMENTS
from export.recipes.base import MEAN_MFCC, MFCC_SEQUENCE, Recipe, Task, stacked

if TYPE_CHECKING:
    import keras


def build_mean_mfcc(task: Task) -> keras.Model:
    """Build the untrained network: (w, 40, 1) -> (w, k)."""
    from keras import layers

    head = [layer for units in (128, 64) for layer in (layers.Dense(units, "relu"), layers.Dropout(0.2))]
    return stacked(task, layers.LSTM(256), layers.Dropout(0.2), *head)


def build_batchnorm(task: Task) -> keras.Model:
    """Build the untrained network: (w, 40, 1) -> (w, k)."""
    from keras import layers

    head = [layer for units in (256, 128, 64, 32) for layer in (layers.Dense(units, "relu"), layers.Dropout(0.2))]
    return stacked(task, layers.LSTM(256), layers.BatchNormalization(), *head)


def build_bilstm(task: Task) -> keras.Model:
    """Build the untrained network: (w, t, 40) -> (w, k)."""
    from keras import layers

    first = [layers.Bidirectional(layers.LSTM(64, return_sequences=True)), layers.Dropout(0.3)]
    second = [layers.Bidirectional(layers.LSTM(32)), layers.Dropout(0.3)]
    return stacked(task, *first, *second, layers.Dense(64, activation="relu"), scaled=True)


def build_masked(task: Task) -> keras.Model:
    """Build the untrained network: (w, t, 40), zeros behind the end of a clip -> (w, k)."""
    from keras import layers

    return stacked(task, layers.Masking(0.0), layers.LSTM(128), layers.Dropout(0.3))


def unmasked(model: keras.Model) -> keras.Model:
    """A trained network of `build_masked` without a mask: the same answers for windows padded with zeros behind."""
    from keras import Input, Model, layers, ops

    features = Input(model.input_shape[1:], name="features")
    heard = ops.any(ops.not_equal(features, 0.0), axis=-1)  # (w, t)
    numbers = ops.where(heard, ops.arange(1, model.input_shape[1] + 1), 0)
    last = ops.logical_and(heard, ops.equal(numbers, ops.max(numbers, axis=1, keepdims=True)))
    x = features
    for layer in model.layers:
        if isinstance(layer, layers.Masking):
            continue
        recurrent = isinstance(layer, layers.LSTM)
        twin = type(layer).from_config(layer.get_config() | ({"return_sequences": True} if recurrent else {}))
        x = twin(x)
        twin.set_weights(layer.get_weights())
        if recurrent:
            x = ops.sum(x * ops.expand_dims(ops.cast(last, x.dtype), -1), axis=1)  # (w, t, units) -> (w, units)
    return Model(features, x)


MEAN = Recipe(
    name="lstm-mean-mfcc",
    model="LSTM 256, dense 128 and 64, dropout 0.2 after each",
    input="mean over time of 40 MFCC of 3 s from 0.5 s, as (40, 1)",
    claim="",
    build=build_mean_mfcc,
    features=MEAN_MFCC,
)

SENTIMENT = replace(MEAN, name="lstm-mean-mfcc-sentiment", labels=SENTIMENTS)

BATCHNORM = replace(
    MEAN,
    name="lstm-batchnorm",
    model="LSTM 256, batch normalisation, dense 256, 128, 64 and 32, dropout 0.2 after each",
    claim="97.86 % accuracy on TESS, random 80/20",
    build=build_batchnorm,
)

BILSTM = Recipe(
    name="bilstm",
    model="bidirectional LSTM 64 and 32, dense 64, dropout 0.3",
    input="normalised sequence of 40 MFCC, 3 s from 0.5 s",
    claim="98.66 % accuracy on TESS",
    build=build_bilstm,
    features=MFCC_SEQUENCE,
    labels=("angry", "disgust", "fear", "happy", "neutral", "sad"),
    batch=32,
)

MASKED = Recipe(
    name="lstm-masked",
    model="masking, LSTM 128, dropout 0.3, dense",
    input="sequence of 40 MFCC padded with zeros, 3 s from 0.5 s",
    claim="",
    build=build_masked,
    features=MFCC_SEQUENCE,
    batch=32,
    ship=unmasked,
)
