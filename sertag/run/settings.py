"""All settings of `sertag tag` in one record.

Used by `cli`, which fills it from flags, environment and files, and by `run`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from sertag.errors import SertagError
from sertag.limits import CPU, MAX_DURATION_S, TIMEOUT_S
from sertag.parallel import Backend
from sertag.records import Options
from sertag.remote.options import parse_options
from sertag.remote.output import local_state
from sertag.remote.urls import is_url
from sertag.run.messages.log import LogFormat
from sertag.shards import Shard
from sertag.tables.formats import SUFFIXES, Format, format_of
from sertag.text import display_name


class RequestError(SertagError):
    """Settings contradict each other or cannot be met; a usage error."""


@dataclass(frozen=True, slots=True)
class Request:
    """The settings of a run, named as the options of the command line are."""

    paths: tuple[str, ...]
    out: str = "-"
    format: Format | None = None
    segments: str | None = None
    summary: str | None = None
    files_from: str | None = None
    null: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    channels: Literal["split", "mix"] | int = "split"
    roles: tuple[str, ...] = ()
    only_role: str | None = None
    model: str | None = None
    hop: float | None = None
    min_confidence: float | None = None
    jobs: int | None = None
    backend: Backend = "local"
    scheduler: str | None = None
    timeout: float = TIMEOUT_S
    max_duration: float = MAX_DURATION_S
    raw: str | None = None
    provider: str = CPU
    resume: bool = True
    shard: Shard | None = None
    partition_by: Literal["day"] | None = None
    strict: bool = False
    dry_run: bool = False
    quiet: bool = False
    verbose: bool = False
    log_file: str | None = None
    log_format: LogFormat = "text"
    progress: bool | None = None
    bom: bool = False
    storage_options: tuple[str, ...] = ()

    @property
    def storage(self) -> str:
        """Settings of storages, as JSON text."""
        return parse_options(self.storage_options)

    @property
    def options(self) -> Options:
        """The settings that change rows."""
        return Options(
            channels=self.channels,
            roles=self.roles,
            only_role=self.only_role,
            hop_s=self.hop,
            min_confidence=self.min_confidence,
            max_duration_s=self.max_duration,
            raw=self.raw,
            provider=self.provider,
        )

    @property
    def journal(self) -> str | None:
        """Path of the journal, beside the table or for one in a storage; None if the table is not a regular file."""
        return self._beside(".journal")

    @property
    def lock(self) -> str | None:
        """Path of the lock file, beside the table or for one in a storage; None if the table is not a regular file."""
        return self._beside(".lock")

    def _beside(self, suffix: str) -> str | None:
        if is_url(self.out):
            return local_state(self.out) + suffix
        table = os.path.realpath(self.out)  # the path of the table itself, if `out` is a link
        is_table = os.path.isdir if self.partition_by else os.path.isfile
        is_stream = self.out == "-" or (os.path.exists(table) and not is_table(table))
        return None if is_stream else table + suffix


def table_format(request: Request, *, terminal: bool) -> Format:
    """The format of the result table.

    Args:
        request: of the user.
        terminal: standard output is one.

    Raises:
        RequestError: the format is neither given nor known from the suffix, or is binary on a terminal.
    """
    if request.partition_by is not None:
        return "parquet"
    if request.format == "parquet" and request.out == "-" and terminal:
        raise RequestError("Parquet is binary and not for a terminal; give --out FILE.parquet")
    if request.format is not None:
        return request.format
    if request.out == "-":
        return "table" if terminal else "csv"
    return _suffix_format("--out", request.out, "give one of them or --format")


def segments_format(target: str) -> Format:
    """The format of the table of windows, from its suffix.

    Raises:
        RequestError: the suffix is not known.
    """
    return _suffix_format("--segments", target, "give one of them")


def _suffix_format(option: str, target: str, advice: str) -> Format:
    fmt = format_of(target)
    if fmt is None:
        message = f"{option} {display_name(target)}: the format is not known from the suffix"
        raise RequestError(f"{message}; known suffixes are {', '.join(SUFFIXES)}; {advice}")
    return fmt
