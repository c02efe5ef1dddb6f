"""The light model: an LSTM over cepstra and pitch, and beside it a small network over functionals of them.

It costs a tenth of the deep model and learns from it: half of its target is what people meant, half what the deep model
says of the same clip in the same rendering (Hinton et al. 2015, arXiv 1503.02531). Nothing is relative to the channel,
because what a channel usually sounds like is the mood of the call; only the level of a window is taken out, which says
how it was recorded.

Functionals are what classical systems are made of (Eyben et al. 2016, GeMAPS) and hold for corpora and sentences that
nobody has learnt from: where the frames of a window lie, how wide they scatter, how fast they move. The order of frames
tells more where speech is like that of the training. Pure Keras, no custom layer, so that a stored model loads
anywhere. Convolutions bring 300 frames down to 19 steps before the LSTM sees them: an LSTM's cost is its number of
steps (Lim et al. 2016; Mirsamadi et al. 2017 for the attention). Columns come before time, sums before quotients, and
constants are put together, because the same network written the other way takes a third longer in ONNX Runtime, which
passes over the frames once for each operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from export.recipes.base import Recipe, Task
from sertag.features.spectral.pitch import OCTAVES, VOICING
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

if TYPE_CHECKING:
    import keras

_LARGEST = 6.0  # standard deviations; digital silence lies far outside
_SOUNDING = 150.0  # of the first cepstrum of 40 bands, 24 dB: what is fainter beside the loudest frame is a pause
_LAGS = (2, 8, 32)  # frames: within a sound, from sound to sound, from one syllable or word to the next
_SOME_FRAMES = 5.0  # a window without voice has functionals of 0


def build(task: Task) -> keras.Model:
    """Build the untrained network: (w, t, c) -> `probabilities` (w, k) and `speech` (w, 1)."""
    import keras
    from keras import layers, ops

    features = keras.Input((task.frames, task.columns), name="features")
    by_column = ops.transpose(features, (0, 2, 1))  # (w, c, t)
    level = by_column[:, :1]
    peak = ops.max(level, axis=2, keepdims=True)
    sounding = ops.cast(level > peak - _SOUNDING, "float32")  # (w, 1, t)
    scale, offset = _affine(task)
    of_peak = scale * (np.arange(task.columns) == 0)[:, None].astype(np.float32)
    x = ops.clip(by_column * scale + ops.subtract(offset, peak * of_peak), -_LARGEST, _LARGEST)
    voicing = 0.5 * x[:, task.columns + VOICING : task.columns + OCTAVES] + 0.5
    columns = layers.Concatenate(axis=1)([x[:, :OCTAVES], voicing * x[:, OCTAVES:]])
    heard = layers.Concatenate()([_recurrent(columns), _dense(_functionals(columns, voicing, sounding))])
    heard = layers.Dropout(0.3)(heard)
    probabilities = layers.Dense(task.labels, activation="softmax", name="probabilities")(heard)
    speech = layers.Dense(1, activation="sigmoid", name="speech")(heard)
    return keras.Model(features, {"probabilities": probabilities, "speech": speech}, name="phone")


def _affine(task: Task) -> tuple[FloatArray, FloatArray]:
    """Scale and offset of each column, float32 (c, 1): standard deviations from the mean; voicing from -1 to 1."""
    scale, offset = 1 / task.std, -task.mean / task.std
    offset[0] = 0.0  # the level is relative to the loudest frame of its window instead
    scale[VOICING], offset[VOICING] = 2.0, -1.0
    return scale[:, None].astype(np.float32), offset[:, None].astype(np.float32)


def _recurrent(columns: keras.KerasTensor) -> keras.KerasTensor:
    """Convolutions, LSTM, attention: what follows upon what, (w, c, t) -> (w, n)."""
    from keras import layers, ops

    x = ops.transpose(columns, (0, 2, 1))[:, None]  # (w, 1, t, c): convolutions of pictures, which runtimes do best
    for filters, kernel, stride in ((48, 7, 4), (64, 5, 2), (96, 3, 2)):
        x = layers.Conv2D(filters, (1, kernel), strides=(1, stride), padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Bidirectional(layers.LSTM(48, return_sequences=True))(ops.squeeze(x, 1))  # (w, 19, 96)
    _, steps, size = x.shape
    flat = ops.reshape(x, (-1, size))  # (w * 19, 96)
    scores = layers.Dense(1)(layers.Dense(32, activation="tanh")(flat))
    weights = layers.Softmax(axis=1)(ops.reshape(scores, (-1, steps)))
    mean = ops.squeeze(ops.matmul(weights[:, None], x), 1)
    attended = layers.Concatenate()([mean, ops.max(ops.reshape(flat, (-1, steps, size)), axis=1)])
    return layers.Dense(64, activation="relu")(layers.Dropout(0.3)(attended))


def _dense(functionals: keras.KerasTensor) -> keras.KerasTensor:
    """Functionals (w, c) -> (w, n)."""
    from keras import layers

    x = layers.Dropout(0.1)(layers.BatchNormalization()(functionals))
    for _ in range(2):
        x = layers.Dropout(0.3)(layers.Dense(96, activation="relu")(x))
    return x


def _functionals(x: keras.KerasTensor, voicing: keras.KerasTensor, sounding: keras.KerasTensor) -> keras.KerasTensor:
    """Sum up a window: (w, c, t) -> (w, n); voicing and sounding are (w, 1, t)."""
    from keras import layers, ops

    found = []
    for weights in (voicing, sounding):
        mean = _weighted_mean(x, weights)
        variance = _weighted_mean(ops.square(x), weights) - ops.square(mean)
        found += [mean, ops.sqrt(ops.relu(variance) + 1e-2)]
    for lag in _LAGS:
        moved, voiced = x[:, :, lag:] - x[:, :, :-lag], ops.minimum(voicing[:, :, lag:], voicing[:, :, :-lag])
        found.append(ops.sqrt(_weighted_mean(ops.square(moved), voiced) + 1e-2))
        found.append(_weighted_mean(ops.relu(moved), voiced))
    spoken = ops.sum(sounding, axis=2)
    changes = ops.sum(ops.absolute(voicing[:, :, 1:] - voicing[:, :, :-1]), axis=2)
    rhythm = [20.0 * changes / (spoken + 50.0), ops.sum(voicing, axis=2) / (spoken + 20.0)]
    return layers.Concatenate()([*found, *rhythm])


def _weighted_mean(x: keras.KerasTensor, weights: keras.KerasTensor) -> keras.KerasTensor:
    """Mean over time, drawn to 0 where little weighs: (w, c, t) -> (w, c)."""
    from keras import ops

    total = ops.squeeze(ops.matmul(x, ops.transpose(weights, (0, 2, 1))), axis=2)
    return total / (ops.sum(weights, axis=2) + _SOME_FRAMES)


RECIPE = Recipe(
    name="phone",
    model="convolutions 48, 64, 96, bidirectional LSTM 48, attention, dense 64; dense 96, 96 over functionals",
    input="20 MFCC, voicing and pitch of 8 kHz, 3 s",
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
        n_mfcc=20,
        n_pitches=37,  # semitones
    ),
    window_s=3.0,
    offset_s=0.0,
    hop_s=1.5,
    epochs=16,
    batch=256,
    learning_rate=2e-3,
    weight_decay=1e-3,
    label_smoothing=0.15,
    exchanged_columns=20,  # cepstra; pitch of others brought nothing
    augmentations=("noisy_line",),
    min_speech_s=0.5,
    teacher="phone-deep",
)
