"""The default model: convolutions over normalised cepstra, a bidirectional LSTM, attentive statistics, a dense head.

Pure Keras, no custom layer, so that a stored model loads anywhere. The convolutions bring 400 frames down to 25 steps
before the LSTM sees them: an LSTM's cost is its number of steps (Lim et al. 2016; Mirsamadi et al. 2017 for the
attention).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.recipe import Recipe, Task
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

if TYPE_CHECKING:
    import keras

_SHRINK_FRAMES = 50.0  # half a second of speech weighs as much as the training set's own statistics
_LARGEST = 6.0  # standard deviations; digital silence lies far outside


def build(task: Task) -> keras.Model:
    """Build the untrained network.

    Args:
        task: `mean` and `std` are those of the training set's speech frames.

    Returns:
        Inputs `features` (w, t, c), `channel_mean` (w, c), `channel_std` (w, c), `speech_frames` (w, 1), all float32;
        output `probabilities` (w, k).
    """
    import keras

    inputs = {
        "features": keras.Input((task.frames, task.columns), name="features"),
        "channel_mean": keras.Input((task.columns,), name="channel_mean"),
        "channel_std": keras.Input((task.columns,), name="channel_std"),
        "speech_frames": keras.Input((1,), name="speech_frames"),
    }
    x = _normalise(inputs, mean=task.mean, std=task.std)
    for filters, kernel, stride in ((64, 7, 4), (96, 5, 2), (128, 3, 2)):
        x = keras.layers.Conv1D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.SpatialDropout1D(0.1)(x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(64, return_sequences=True))(x)  # (w, 25, 128)
    x = keras.layers.Dropout(0.2)(x)
    x = keras.layers.Dropout(0.3)(_pool(x))
    x = keras.layers.Dropout(0.2)(keras.layers.Dense(64, activation="relu")(x))
    probabilities = keras.layers.Dense(task.labels, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, probabilities, name="phone")


def _normalise(inputs: dict[str, keras.KerasTensor], *, mean: FloatArray, std: FloatArray) -> keras.KerasTensor:
    """Standardise by the channel's statistics, drawn towards the training set's where little speech was heard.

    In units of the training set, whose mean then is 0 and variance 1; folded into one scale and one offset a column.
    """
    import keras

    count = inputs["speech_frames"]
    weight = count / (count + _SHRINK_FRAMES)  # (w, 1)
    centre = weight * ((inputs["channel_mean"] - mean) / std)  # (w, c)
    spread = weight * keras.ops.square(inputs["channel_std"] / std) + (1.0 - weight)
    scale = keras.ops.rsqrt(spread + 1e-3) / std
    offset = -(centre * std + mean) * scale  # the tensor first: numpy would try to take it apart
    x = inputs["features"] * keras.ops.expand_dims(scale, 1) + keras.ops.expand_dims(offset, 1)  # (w, t, c)
    return keras.ops.clip(x, -_LARGEST, _LARGEST)


def _pool(x: keras.KerasTensor) -> keras.KerasTensor:
    """Mean weighted by attention, and the largest value of each column: (w, t, c) -> (w, 2c)."""
    import keras

    score = keras.layers.Dense(1)(keras.layers.Dense(32, activation="tanh")(x))
    weights = keras.layers.Softmax(axis=1)(score)  # (w, t, 1)
    attended = keras.ops.sum(x * weights, axis=1)
    return keras.layers.Concatenate()([attended, keras.layers.GlobalMaxPooling1D()(x)])


RECIPE = Recipe(
    name="phone",
    model="convolutions 64, 96 and 128, bidirectional LSTM 64, attention, dense 64",
    input="24 MFCC of 8 kHz, 4 s, normalised by the channel's speech; half through simulated telephone lines",
    claim="",
    build=build,
    features=FeatureSpec(
        kind="mfcc",
        rate_hz=8000,
        framing="channel",
        n_fft=256,
        win_length=256,
        hop_length=80,
        n_mels=40,
        fmin_hz=100.0,
        fmax_hz=3800.0,
        floor_power=1e-9,  # -90 dB, over the rounding noise of 16-bit samples
        n_mfcc=24,
        normalisation="channel_speech",
    ),
    window_s=4.0,
    offset_s=0.0,
    epochs=14,
    batch=128,
    learning_rate=2e-3,
)
