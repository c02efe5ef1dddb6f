"""Training of the default model `phone`, from corpora to a measured, converted file.

Reads top to bottom: the settings, the whole job, then one network. What was finished lies in the output folder, and the
same command goes on from there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.batches import LEAST_SPEECH_FRAMES, Mixture, Sampler, Statistics, statistics
from export.convert import convert, example_inputs
from export.corpora import LABELS, Clip, Corpus
from export.dataset import Dataset, Ints, Preparation, prepare
from export.folds import assign_folds
from export.out_of_fold import Predictions, load_predictions, measure, predict, save_predictions
from export.recipes import phone
from export.summary import describe, record
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

if TYPE_CHECKING:
    import keras

Report = Callable[[str, float], None]  # what is being done, and the share of it that is done

FEATURES = FeatureSpec(
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
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides the result.

    Attributes:
        seed: of folds, calls, lines, windows and weights.
        folds: of the cross-validation.
        epochs, steps: of training, `steps` batches an epoch; fixed beforehand, so nothing is picked on a test speaker.
        batch: windows.
        learning_rate: at its peak; warms up over one epoch and falls to 0 as a cosine.
        weight_decay: of AdamW.
        label_smoothing: share of the target that is spread over all labels.
        answers_right: share of the answers to unseen speakers' clips that `min_confidence` is to make right.
        mixture: of the training windows.
        features: the recipe of the frames.
        window_s, hop_s: of tagging, seconds.
    """

    seed: int = 1
    folds: int = 4
    epochs: int = 14
    steps: int = 250
    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 2e-3
    label_smoothing: float = 0.05
    answers_right: float = 0.6
    mixture: Mixture = dataclasses.field(default_factory=Mixture)
    features: FeatureSpec = FEATURES
    window_s: float = 4.0
    hop_s: float = 2.0

    @property
    def window_frames(self) -> int:
        """Frames of one window."""
        return round(self.window_s * self.features.frame_rate_hz)

    @property
    def hop_frames(self) -> int:
        """Frames from one window to the next."""
        return round(self.hop_s * self.features.frame_rate_hz)


def train_phone(corpora: tuple[Corpus, ...], *, settings: Settings, out: Path, cache: Path, report: Report) -> Path:
    """Cross-validate, train on everything, calibrate, convert.

    Args:
        corpora: what to learn from.
        settings: of the run.
        out: folder for folds, weights, `phone.json` and `phone.onnx`.
        cache: folder for frames.
        report: of the progress.

    Returns:
        The model file.

    Raises:
        ExportError: too few speakers, an undecodable clip, or a network that ONNX Runtime does not reproduce.
    """
    import keras

    out.mkdir(parents=True, exist_ok=True)
    dataset, sums = load_dataset(corpora, settings=settings, cache=cache, report=report)
    folds = assign_folds(dataset.clips, folds=settings.folds, seed=settings.seed)
    run = run_name(dataset.clips, settings)
    predicted: list[Predictions] = []
    for fold in range(settings.folds):
        place = out / f"fold-{fold}-{run}.npz"
        if not place.exists():
            save_predictions(place, _score_strangers(dataset, sums, folds, fold, settings=settings, report=report))
        predicted.append(load_predictions(place))
    results = measure(predicted, dataset=dataset, folds=folds, labels=LABELS, answers_right=settings.answers_right)
    weights = out / f"phone-{run}.keras"
    if not weights.exists():
        everyone = np.arange(len(dataset.clips))
        model = train_network(dataset, sums, everyone, settings=settings, name="all speakers", report=report)
        _save(model, weights)
    spec = describe(results, corpora=corpora, settings=settings)
    (out / "phone.json").write_text(record(results, spec=spec, settings=settings), encoding="utf-8")
    examples = example_inputs(dataset.clips, spec=spec)
    return convert(keras.saving.load_model(weights), spec=spec, examples=examples, out=out / "phone.onnx")


def load_dataset(
    corpora: tuple[Corpus, ...], *, settings: Settings, cache: Path, report: Report
) -> tuple[Dataset, tuple[Statistics, ...]]:
    """Frames of all clips and the sums of their speech, version by version."""
    dataset = prepare(
        [clip for corpus in corpora for clip in corpus.clips],
        preparation=Preparation(features=settings.features, seed=settings.seed),
        cache=cache,
        jobs=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        report=lambda done, total: report("features", done / total),
    )
    return dataset, tuple(statistics(version, features=settings.features) for version in dataset.versions)


def _score_strangers(
    dataset: Dataset, sums: tuple[Statistics, ...], folds: Ints, fold: int, *, settings: Settings, report: Report
) -> Predictions:
    """Train on the speakers of the other folds and score those of one."""
    learnt, tested = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    model = train_network(dataset, sums, learnt, settings=settings, name=f"fold {fold}", report=report)
    return predict(model, dataset, sums, tested, frames=settings.window_frames, hop_frames=settings.hop_frames)


def train_network(
    dataset: Dataset,
    sums: tuple[Statistics, ...],
    members: Ints,
    *,
    settings: Settings,
    name: str,
    report: Report,
) -> keras.Model:
    """Train one network.

    Args:
        dataset: all clips.
        sums: of each version.
        members: int64, indices of the clips to learn from; nothing else is looked at.
        settings: of the run.
        name: for the progress.
        report: of the progress.

    Returns:
        The trained network.
    """
    import keras

    keras.utils.set_random_seed(settings.seed)
    sampler = Sampler(
        dataset,
        sums,
        members=members,
        frames=settings.window_frames,
        labels=LABELS,
        mixture=settings.mixture,
        seed=settings.seed,
    )
    mean, std = _typical(sums, members)
    model = phone.build(frames=settings.window_frames, mean=mean, std=std, labels=len(LABELS))
    model.compile(
        optimizer=_optimizer(settings),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # compiled, the recurrent loop is three times slower on a CPU
    )
    progress = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: report(
            f"{name}: loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.3f}", (epoch + 1) / settings.epochs
        )
    )
    batches = _batches(sampler, settings)
    model.fit(
        batches, epochs=settings.epochs, steps_per_epoch=settings.steps, callbacks=[progress], shuffle=False, verbose=0
    )
    return model


def run_name(clips: Sequence[Clip], settings: Settings) -> str:
    """What tells the files of this run from those of another one: settings, recipe and data."""
    recipe = Path(phone.__file__).read_text(encoding="utf-8")
    data = sorted(f"{clip.person} {clip.label} {clip.digest}" for clip in clips)
    return hashlib.sha256(json.dumps([dataclasses.asdict(settings), recipe, data]).encode()).hexdigest()[:12]


def _save(model: keras.Model, place: Path) -> None:
    """Store a network in one step, so that an interrupted run never leaves half of one."""
    unfinished = place.with_name(f"unfinished-{place.name}")
    model.save(unfinished)
    unfinished.replace(place)


def _optimizer(settings: Settings) -> keras.optimizers.Optimizer:
    """AdamW; the rate rises over the first epoch and falls to 0 as a cosine over the others."""
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / 20,
        warmup_target=settings.learning_rate,
        warmup_steps=settings.steps,
        decay_steps=max(1, settings.epochs - 1) * settings.steps,
    )
    return keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=1.0)


def _batches(sampler: Sampler, settings: Settings) -> Any:
    """All batches of a training, drawn in a thread of their own, as a tf.data.Dataset."""
    import tensorflow as tf

    inputs, targets = sampler.batch(1)
    shapes = {name: tf.TensorSpec((None, *value.shape[1:]), tf.float32) for name, value in inputs.items()}
    return tf.data.Dataset.from_generator(
        lambda: (sampler.batch(settings.batch) for _ in range(settings.epochs * settings.steps)),
        output_signature=(shapes, tf.TensorSpec((None, targets.shape[1]), tf.float32)),
    ).prefetch(4)


def _typical(sums: tuple[Statistics, ...], members: Ints) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation, float32 (c,), of the training clips' speech: what little speech is drawn to.

    The deviation is the one inside a clip, because that is what stands in for a channel's own.
    """
    centres, spreads = [], []
    for own in sums:
        heard = members[own.count[members] >= LEAST_SPEECH_FRAMES]
        mean = own.total[heard] / own.count[heard, None]
        centres.append(mean.mean(axis=0))
        spreads.append((own.squares[heard] / own.count[heard, None] - mean**2).mean(axis=0))
    return np.mean(centres, axis=0).astype(np.float32), np.sqrt(np.mean(spreads, axis=0)).astype(np.float32)
