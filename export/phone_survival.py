"""Whether labels of the default model survive distortions: of tested clips, and of real calls that nobody labelled."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from export import codecs, distortions, noise, survival
from export.behaviour import behaviour
from export.benches import PhoneBench, Trial
from export.clips import Clip, Corpus
from export.codecs import LINE_HZ
from export.convert import convert, example_inputs
from export.dataset import read_clip
from export.describe import data_hash
from export.errors import ExportError
from export.noise import BABBLE_VOICES, talk_at_once
from export.phone_questions import CALLS, SEEDS
from export.pieces import Piece, code_of_modules, fingerprint, is_there, keep, origin
from export.protocols import Split
from export.report import Report
from export.survival import survivals
from sertag.model import load
from sertag.records import FloatArray

_SURVIVORS = 150  # clips of a fold that go through every distortion
_RULES = 1  # raised when calls are followed otherwise


def survival_of_clips(split: Split, trial: Trial, bench: PhoneBench, *, seed: int) -> Piece:
    """Tested clips through every distortion, tagged by the model file that the training gives."""
    rng = np.random.default_rng(seed)
    chosen = [bench.clips[index] for index in rng.permutation(split.test)[:_SURVIVORS]]
    others = [bench.clips[index] for index in split.learn]
    spec = dataclasses.replace(bench.spec, temperature=round(trial.temperature, 4))
    with tempfile.TemporaryDirectory() as folder:
        examples = example_inputs(others, spec=spec)
        path = convert(trial.model, spec=spec, examples=examples, digests=[], out=Path(folder) / "model.onnx")
        model = load(str(path))
        babble = _babble(others, seed=seed)
        found = survivals([clip.path for clip in chosen], model=model, babble=babble, seed=seed)
    return {name: dataclasses.asdict(own) for name, own in found.items()}


def measure_calls(
    folder: Path, corpora: Sequence[Corpus], *, model: str, place: Path, report: Report = lambda what, share: None
) -> None:
    """Follow the labels of real calls through distortions, unless that was done before.

    Args:
        folder: with recordings that nobody has labelled and no model has learnt from.
        corpora: whose clips babble is made of.
        model: name or path of the one that is shipped.
        place: folder of the pieces.
        report: of the progress.

    Raises:
        ExportError: a recording cannot be decoded or tagged, or there is none.
        OutputError: the piece cannot be written.
    """
    calls = sorted(path for path in folder.iterdir() if path.is_file())
    voices = [clip for corpus in corpora for clip in corpus.clips]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in calls]
    deciding = code_of_modules((survival, distortions, codecs, noise))
    tags = behaviour(model)  # other figures in the file change nothing that is followed here
    rules = fingerprint([_RULES, tags, digests, data_hash(voices), deciding])
    where = place / f"{CALLS}.json"
    if is_there(where, rules):
        return
    if not calls:
        raise ExportError(f"{folder}: no recording; expected real calls", code="no_data")
    babble = _babble(voices, seed=SEEDS[0])
    try:
        found = survivals(
            calls,
            model=load(model),
            babble=babble,
            seed=SEEDS[0],
            report=lambda done, total: report("calls", done / total),
        )
    except ExportError as error:
        raise ExportError(f"{error}; take it out of {folder}", code=error.code) from error
    survived = {name: dataclasses.asdict(own) for name, own in found.items()}
    piece = {"test": CALLS, "behaviour": tags, "calls": len(calls), "survival": survived}
    keep(where, piece | {"rules": rules, **origin()})


def _babble(voices: Sequence[Clip], *, seed: int) -> FloatArray:
    """Many of the clips one after another, by several people at once."""
    order = np.random.default_rng(seed).permutation(len(voices))[: 10 * BABBLE_VOICES]
    samples = [read_clip(voices[index].path, rate_hz=LINE_HZ) for index in order]
    count = min(BABBLE_VOICES, len(samples))
    return talk_at_once([np.concatenate(samples[start::count]) for start in range(count)])
