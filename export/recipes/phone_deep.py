"""The deep model: a small attention network on what the first layers of Whisper's encoder hear.

The layers were trained on 680,000 hours of speech in a hundred languages and are left as they are; only the network on
top learns emotions, so a few hundred labelled clips are enough. Nothing is relative to the channel: subtracting what a
channel usually sounds like would subtract the mood of a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.recipes.base import Recipe, Task
from sertag.spec import FeatureSpec

if TYPE_CHECKING:
    import keras

COLUMNS = 384  # principal components of the frames of all three layers
_HEADS = 4


def build(task: Task) -> keras.Model:
    """Build the untrained network.

    Args:
        task: `mean` and `std` are those of the training set's frames.

    Returns:
        Input `features` (w, s, d); outputs `probabilities` (w, k) and `speech` (w, 1).
    """
    import keras
    from keras import layers, ops

    frames = keras.Input((task.frames, task.columns), name="features")
    x = layers.SpatialDropout1D(0.1)((frames - task.mean) / task.std)
    x = layers.Activation("silu")(layers.LayerNormalization()(layers.Dense(128)(x)))
    x = layers.Dropout(0.3)(x)
    weights = layers.Softmax(axis=1)(layers.Dense(_HEADS)(layers.Dense(64, activation="tanh")(x)))  # (w, s, heads)
    attended = layers.Flatten()(ops.matmul(ops.transpose(weights, (0, 2, 1)), x))  # (w, heads * 128)
    share = ops.mean(weights, axis=2, keepdims=True)
    mean = ops.sum(share * x, axis=1)
    spread = ops.sqrt(ops.relu(ops.sum(share * ops.square(x), axis=1) - ops.square(mean)) + 1e-4)
    summed_up = layers.Dropout(0.6)(layers.Concatenate()([attended, spread]))
    probabilities = layers.Dense(task.labels, activation="softmax", name="probabilities")(summed_up)
    speech = layers.Dense(1, activation="sigmoid", name="speech")(summed_up)
    return keras.Model(frames, {"probabilities": probabilities, "speech": speech}, name="phone_deep")


RECIPE = Recipe(
    name="phone-deep",
    model="three encoder layers of Whisper base, frozen; attention over 128 columns",
    input="80 log-mel bands of 16 kHz, 3 s",
    claim="",
    build=build,
    features=FeatureSpec(
        kind="log_mel",
        rate_hz=16000,
        framing="channel",
        n_fft=400,
        win_length=400,
        hop_length=160,
        n_mels=80,
        fmin_hz=0.0,
        fmax_hz=8000.0,
        floor_power=1e-10,
    ),
    window_s=3.0,
    offset_s=0.0,
    hop_s=2.0,
    epochs=4,
    epochs_of_few=8,
    batch=256,
    learning_rate=1e-3,
    weight_decay=1e-4,
    label_smoothing=0.15,
    mixup=0.3,
    exchanged_columns=COLUMNS,
    augmentations=("noisy_line",),
    encoder=True,
    min_speech_s=0.5,
)
