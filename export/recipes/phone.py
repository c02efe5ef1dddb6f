"""The default model: a bidirectional LSTM over cepstra and pitch, and beside it a small network over functionals.

Everything is relative to the speaker, because a voice that is high or wide for its speaker means something and a high
voice does not: cepstra and pitch are normalised by the channel's own mean, and by how far they move while its speaker
speaks. Functionals are what classical systems are made of (Eyben et al. 2016, GeMAPS) and hold for corpora and
sentences that nobody has learnt from: where the frames of a window lie, how wide they scatter, how fast they move and
how fast they rise, how often the voice begins and ends. The order of frames tells more where speech is like that of the
training. Both networks learn apart and answer together.

Pure Keras, no custom layer, so that a stored model loads anywhere. The convolutions bring 400 frames down to 25 steps
before the LSTM sees them: an LSTM's cost is its number of steps (Lim et al. 2016; Mirsamadi et al. 2017 for the
attention).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from export.recipes.base import Recipe, Task
from sertag.pitch import OCTAVES, VOICING
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

if TYPE_CHECKING:
    import keras

# Voiced speech that weighs as much as the training set's own statistics: 2 s for the mean, 5 s for the deviation, which
# little speech says less about.
_MEAN_FRAMES, _STD_FRAMES = 200.0, 500.0
_LARGEST, _LARGEST_PITCH = 6.0, 4.0  # standard deviations; digital silence lies far outside
_AROUND_FRAMES = 51  # half a second
_LEVEL = 1  # cepstrum, the first, which is set by whoever records: only how it moves is summed up
_LAGS = (2, 8, 32)  # frames: within a sound, from sound to sound, from one syllable or word to the next
_SOME_VOICE = 5.0  # frames; a window without voice has functionals of 0
_SOUNDING = 150.0  # of the first cepstrum of 40 bands, 24 dB: what is fainter beside the loudest frame is a pause
_MEMBER = "member_"  # begins the names of the layers whose logits are averaged


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
    voicing = inputs["features"][:, :, VOICING : VOICING + 1]
    pitch = voicing * keras.ops.clip(x[:, :, OCTAVES:], -_LARGEST_PITCH, _LARGEST_PITCH)
    in_order = [x[:, :, :VOICING], 2.0 * voicing - 1.0, pitch, _melody(pitch, voicing)]
    summed_up = _functionals([x[:, :, :VOICING], pitch], voicing, level=inputs["features"][:, :, :_LEVEL])
    logits = _recurrent(in_order, labels=task.labels), _dense(summed_up, labels=task.labels)
    # The softmax of a mean of logits is the geometric mean of the answers, made to sum 1.
    probabilities = keras.layers.Softmax(name="probabilities")(keras.layers.Average()(logits))
    return keras.Model(inputs, probabilities, name="phone")


def apart(model: keras.Model) -> keras.Model:
    """The same weights with the answer of each member, (w, members, k): each learns alone."""
    import keras

    own = [layer.output for layer in model.layers if layer.name.startswith(_MEMBER)]
    answers = [keras.ops.softmax(logits) for logits in own] or [model.output]
    return keras.Model(model.input, keras.ops.stack(answers, axis=1))


def _normalise(inputs: dict[str, keras.KerasTensor], *, mean: FloatArray, std: FloatArray) -> keras.KerasTensor:
    """Standardise by the channel's statistics, drawn towards the training set's where little speech was heard.

    In units of the training set, whose mean then is 0 and variance 1; folded into one scale and one offset a column.
    """
    import keras

    count = inputs["speech_frames"]
    of_mean, of_std = count / (count + _MEAN_FRAMES), count / (count + _STD_FRAMES)  # (w, 1)
    centre = of_mean * ((inputs["channel_mean"] - mean) / std)  # (w, c)
    spread = of_std * keras.ops.square(inputs["channel_std"] / std) + (1.0 - of_std)
    scale = keras.ops.rsqrt(spread + 1e-3) / std
    offset = -(centre * std + mean) * scale  # the tensor first: numpy would try to take it apart
    x = inputs["features"] * keras.ops.expand_dims(scale, 1) + keras.ops.expand_dims(offset, 1)  # (w, t, c)
    return keras.ops.clip(x, -_LARGEST, _LARGEST)


def _functionals(
    columns: Sequence[keras.KerasTensor], voicing: keras.KerasTensor, *, level: keras.KerasTensor
) -> keras.KerasTensor:
    """Sum up a window: (w, t, c) -> (w, n); voicing and level are (w, t, 1)."""
    import keras

    x = keras.layers.Concatenate()(columns)
    sounding = keras.ops.cast(level > keras.ops.max(level, axis=1, keepdims=True) - _SOUNDING, "float32")
    squares = keras.ops.square(x)
    found = [own[:, _LEVEL:] for weights in (voicing, sounding) for own in _spread(x, squares, weights)]
    for lag in _LAGS:
        found += _motion(x, voicing, lag=lag)
    return keras.layers.Concatenate(name="functionals")([*found, *_rhythm(voicing, sounding)])


def _spread(
    x: keras.KerasTensor, squares: keras.KerasTensor, weights: keras.KerasTensor
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Weighted mean and standard deviation, (w, c) each."""
    import keras

    mean = _weighted_mean(x, weights)
    variance = _weighted_mean(squares, weights) - keras.ops.square(mean)
    return mean, keras.ops.sqrt(keras.ops.relu(variance) + 1e-2)


def _motion(x: keras.KerasTensor, voicing: keras.KerasTensor, *, lag: int) -> list[keras.KerasTensor]:
    """How far columns move while there is voice, as root mean square, and how far up on average: (w, c) each."""
    import keras

    moved = x[:, lag:] - x[:, :-lag]
    voiced = keras.ops.minimum(voicing[:, lag:], voicing[:, :-lag])
    far = keras.ops.sqrt(_weighted_mean(keras.ops.square(moved), voiced) + 1e-2)
    return [far, _weighted_mean(keras.ops.relu(moved), voiced)]


def _rhythm(voicing: keras.KerasTensor, sounding: keras.KerasTensor) -> list[keras.KerasTensor]:
    """How often voice begins and ends, and what share of the speech has voice: (w, 1) each.

    Relative to how long somebody speaks, because a window holds as much speech as whoever cut it has put there.
    """
    import keras

    spoken = keras.ops.sum(sounding, axis=1)
    changes = keras.ops.sum(keras.ops.absolute(voicing[:, 1:] - voicing[:, :-1]), axis=1)
    return [20.0 * changes / (spoken + 50.0), keras.ops.sum(voicing, axis=1) / (spoken + 20.0)]


def _weighted_mean(x: keras.KerasTensor, weights: keras.KerasTensor) -> keras.KerasTensor:
    """Mean over time, drawn to 0 where little weighs: (w, t, c) -> (w, c)."""
    import keras

    shares = weights / (keras.ops.sum(weights, axis=1, keepdims=True) + _SOME_VOICE)
    return keras.ops.squeeze(keras.ops.matmul(keras.ops.transpose(shares, (0, 2, 1)), x), axis=1)


def _melody(pitch: keras.KerasTensor, voicing: keras.KerasTensor) -> keras.KerasTensor:
    """Pitch, averaged over half a second of what is voiced there, so that it goes on where the voice pauses."""
    import keras

    both = keras.layers.Concatenate()([pitch, voicing])
    around = keras.layers.AveragePooling1D(_AROUND_FRAMES, strides=1, padding="same")(both)
    return around[:, :, :1] / (around[:, :, 1:] + 0.05)


def _recurrent(columns: Sequence[keras.KerasTensor], *, labels: int) -> keras.KerasTensor:
    """Convolutions, LSTM, attention: what follows upon what, (w, t, c) -> logits (w, k).

    No dropout: windows are drawn afresh from noise, lines and calls, so the network sees none twice, and misses what
    dropout hides.
    """
    import keras

    x = keras.layers.Concatenate()(columns)
    for filters, kernel, stride in ((64, 7, 4), (96, 5, 2), (128, 3, 2)):
        x = keras.layers.Conv1D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(64, return_sequences=True))(x)  # (w, 25, 128)
    x = keras.layers.Dense(64, activation="relu")(_pool(x))
    return keras.layers.Dense(labels, name=f"{_MEMBER}lstm")(x)


def _dense(functionals: keras.KerasTensor, *, labels: int) -> keras.KerasTensor:
    """Functionals (w, c) -> logits (w, k)."""
    import keras

    x = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization()(functionals))
    for _ in range(2):
        x = keras.layers.Dropout(0.3)(keras.layers.Dense(96, activation="relu")(x))
    return keras.layers.Dense(labels, name=f"{_MEMBER}functionals")(x)


def _pool(x: keras.KerasTensor) -> keras.KerasTensor:
    """Mean weighted by attention, and the largest value of each column: (w, t, c) -> (w, 2c)."""
    import keras

    score = keras.layers.Dense(1)(keras.layers.Dense(32, activation="tanh")(x))
    weights = keras.layers.Softmax(axis=1)(score)  # (w, t, 1)
    attended = keras.ops.sum(x * weights, axis=1)
    return keras.layers.Concatenate()([attended, keras.layers.GlobalMaxPooling1D()(x)])


RECIPE = Recipe(
    name="phone",
    model="convolutions 64, 96, 128, bidirectional LSTM 64, attention, dense 64; dense 96, 96 over functionals",
    input="13 MFCC, voicing and pitch of 8 kHz, 4 s, relative to the channel's; half through simulated telephone lines",
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
        n_mfcc=13,
        n_pitches=37,  # semitones
        normalisation="channel_voice",
    ),
    window_s=4.0,
    offset_s=0.0,
    hop_s=2.0,
    epochs=14,
    batch=128,
    learning_rate=2e-3,
    windows=100_000,
    weight_decay=2e-3,
    label_smoothing=0.05,
)
