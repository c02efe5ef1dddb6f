"""An LSTM over a padded sequence of MFCC that is trained with masking and shipped without.

`keras.layers.Masking` becomes a loop of elementary nodes in ONNX, several times slower than the fused LSTM. An LSTM
never looks ahead, so its state after the last unpadded frame is what masking would have kept: the shipped twin runs
over all frames and picks that one. Both give the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.recipes.base import MFCC_SEQUENCE, Recipe, Task, stacked

if TYPE_CHECKING:
    import keras


def build(task: Task) -> keras.Model:
    """Build the untrained network: (w, t, 40), zeros behind the end of a clip -> (w, k)."""
    from keras import layers

    return stacked(task, layers.Masking(0.0), layers.LSTM(128), layers.Dropout(0.3))


def unmasked(model: keras.Model) -> keras.Model:
    """The same network without a mask.

    Args:
        model: what `build` built, trained.

    Returns:
        A network that gives the same probabilities for windows that are padded with zeros behind.
    """
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


RECIPE = Recipe(
    name="lstm-masked",
    model="masking, LSTM 128, dropout 0.3, dense",
    input="sequence of 40 MFCC padded with zeros, 3 s from 0.5 s",
    claim="",
    build=build,
    features=MFCC_SEQUENCE,
    batch=32,
    ship=unmasked,
)
