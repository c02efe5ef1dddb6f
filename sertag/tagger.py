"""The Python interface: the same pipeline, records and results as the command line."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from sertag.audio.decode import AudioSource
from sertag.audio.decoders.array import ArrayReader
from sertag.audio.discover import discover
from sertag.audio.headerless import parse_raw
from sertag.limits import CPU
from sertag.model.session import DEFAULT_MODEL, load
from sertag.parallel import Backend, backend_conflict
from sertag.parallel.engine import tag_all
from sertag.records import AudioFile, FileResult, Options, Problem
from sertag.remote.options import parse_options
from sertag.spec import ModelSpec
from sertag.tables.columns import ModelInfo
from sertag.tagging.pipeline import tag_file, tag_source
from sertag.tagging.roles import only_role_conflict

if TYPE_CHECKING:
    import numpy.typing as npt

    from sertag.parallel.cluster.session import ClusterChoice

Path = str | os.PathLike[str]


class Tagger:
    """A model and the options of a run, ready to tag recordings.

    Args:
        model: name of a bundled model, or a path to an `.onnx` file.
        channels: `split` for one result per channel, `mix` for the mean of all channels, or the number of one channel.
        roles: names of channel 0, 1, ...
        only_role: score only this role.
        hop_s: step between windows in seconds; None for that of the model.
        min_confidence: windows and rows with less confidence are `uncertain`; None for the two values of the model.
        raw: format of samples without a header, as in `ulaw:8000:1`; None to infer it from the suffix.
        provider: what runs the network, as `cuda`; one of the names of `--provider`.
        storage_options: settings for URLs, as `{"endpoint_url": "http://localhost:9000"}`, never credentials.

    Raises:
        ModelError: the model cannot be used.
        ValueError: `only_role` does not fit `roles` and `channels`, a number is out of range, `raw` is no format, or
            `storage_options` hold credentials.

    >>> result = Tagger(roles=("agent", "customer")).tag("examples/calls/2026-03-02_0901_billing_complaint.wav")
    >>> [(channel.channel, channel.role) for channel in result.channels]
    [(0, 'agent'), (1, 'customer')]
    >>> customer = result.channels[1]
    >>> customer.duration_s > customer.speech_s > 0
    True
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        channels: Literal["split", "mix"] | int = "split",
        roles: Iterable[str] = (),
        only_role: str | None = None,
        hop_s: float | None = None,
        min_confidence: float | None = None,
        raw: str | None = None,
        provider: str = CPU,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._options = Options(channels, tuple(roles), only_role, hop_s, min_confidence, raw=raw, provider=provider)
        _check(self._options)
        self._storage = parse_options([json.dumps(storage_options)] if storage_options else [])
        self._model = load(model, provider=provider)

    @property
    def origin(self) -> ModelInfo:
        """Labels, dimensions, name and SHA-256 of the model, as in tables."""
        return ModelInfo.of(self.spec, sha256=self._model.sha256)

    @property
    def spec(self) -> ModelSpec:
        """The specification in the model file: labels, windows, features, training, metrics."""
        return self._model.spec

    def tag(self, path: Path) -> FileResult:
        """Tag one recording; if it cannot be read, the result says why, and no exception is raised.

        >>> Tagger().tag("no such call.wav").channels[0].problem.code
        'not_found'
        """
        files = [] if os.path.isdir(path) else list(islice(discover([os.fspath(path)], storage=self._storage), 2))
        file = files[0] if len(files) == 1 else _folder(path)
        return tag_file(file, model=self._model, options=self._options)

    def tag_many(
        self,
        paths: Iterable[Path],
        *,
        jobs: int | None = None,
        backend: Backend = "local",
        scheduler: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[FileResult]:
        """Tag recordings and whole folders, `jobs` at a time, results in the order of the input.

        Args:
            paths: recordings, folders and URLs; read while they are tagged, and not far ahead.
            jobs: worker processes on this computer, by default one; on a cluster, batches of files at the same time, by
                default as many as its workers take.
            backend: where the work is done, as `--backend`.
            scheduler: address of the cluster, as `--scheduler`; None for what is configured for Dask or Ray, else
                workers are started on this computer.
            timeout_s: a file that takes longer becomes a failed result; None for no limit.

        Raises:
            ValueError: an argument is out of range, they contradict each other, or a package is missing.
            ClusterError: while results are read: the cluster cannot be reached or used, or is gone.

        >>> [result.status.value for result in Tagger().tag_many(["examples/calls/voicemail", "missing.wav"])]
        ['ok', 'unreadable']
        """
        conflict = backend_conflict(backend, scheduler, option=_argument)
        if conflict is not None:
            raise ValueError(conflict)
        for name, value in (("jobs", jobs), ("timeout_s", timeout_s)):
            if value is not None and not value > 0:
                raise ValueError(f"`{name}` is {value}, expected more than 0")
        return tag_all(
            discover((os.fspath(path) for path in paths), storage=self._storage),
            model=self._model,
            options=self._options,
            jobs=1 if jobs is None and backend == "local" else jobs,
            timeout_s=timeout_s,
            cluster=_cluster(backend, scheduler),
        )

    def tag_samples(self, samples: npt.NDArray[Any], *, rate_hz: int, name: str = "samples") -> FileResult:
        """Tag samples in memory; the result is that of a WAV file with the same samples.

        Args:
            samples: (channels, n) or (n,), float32 or float64 in [-1, 1], int16 or int32.
            rate_hz: sample rate.
            name: the `path` of the result.

        Raises:
            TypeError: the samples have another dtype.
            ValueError: they have another shape.

        >>> import numpy as np
        >>> Tagger().tag_samples(np.zeros((2, 16000), np.float32), rate_hz=8000).status.value
        'no_speech'
        """
        reader = ArrayReader(samples, rate_hz)
        source = partial(AudioSource, name, io.BytesIO(), reader)
        return tag_source(AudioFile(name), source, model=self._model, options=self._options)

    def __repr__(self) -> str:
        """The model, and all options that differ from the default."""
        chosen = asdict(self._options)
        own = (f"{name}={chosen[name]!r}" for name, value in asdict(Options()).items() if chosen[name] != value)
        arguments = ", ".join((f"{self.spec.name!r}", *own))
        return f"<Tagger({arguments}): version {self.spec.version}, labels {', '.join(self.spec.labels)}>"


def _cluster(backend: Backend, scheduler: str | None) -> ClusterChoice | None:
    if backend == "local":
        return None
    from sertag.parallel.cluster.session import ClusterChoice

    return ClusterChoice(backend, scheduler, partial(logging.getLogger("sertag").warning, "%s"))


def _folder(path: Path) -> AudioFile:
    message = f"{os.fspath(path)}: is a folder; tag_many takes folders"
    return AudioFile(os.fspath(path), problem=Problem("not_a_file", message))


def _check(options: Options) -> None:
    conflict = only_role_conflict(options.only_role, options.roles, options.channels, option=_argument)
    if conflict is not None:
        raise ValueError(conflict)
    if options.hop_s is not None and not options.hop_s > 0:
        raise ValueError(f"hop_s is {options.hop_s}, expected more than 0 seconds")
    if options.min_confidence is not None and not 0 <= options.min_confidence <= 1:
        raise ValueError(f"min_confidence is {options.min_confidence}, expected 0 to 1")
    if options.raw is not None:
        parse_raw(options.raw)


def _argument(option: str) -> str:
    """What an option of the command line is called in Python."""
    return f"`{option.replace('-', '_')}`"
