"""Warnings about files, the counts of a run, its last line on stderr, and its JSON summary."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Set
from datetime import datetime, timezone
from logging import DEBUG, WARNING, Logger
from typing import Any

from sertag import __version__
from sertag.model.model_file import ModelFile
from sertag.records import FAILURES, FileResult, Problem, Status
from sertag.run.resume import parameters
from sertag.run.settings import Request
from sertag.tables.columns import ModelInfo
from sertag.text import audio_text, display_name, display_text, plural


class Tally:
    """Counts the results of the pipeline, file by file.

    Attributes:
        inputs: files so far.
        failed_inputs: files whose rows all failed.
        failed_rows: rows that failed.
        rows: rows by status.
        reused: rows from the journal.
        audio_s: seconds of audio in the files so far.
        new_files, new_audio_s: files and seconds of audio that this run has tagged.
        started: when the run began, UTC.
    """

    def __init__(self, *, failures: Set[Status] = FAILURES) -> None:
        """Begin counting.

        Args:
            failures: statuses that count as failed for the exit code.
        """
        self._failures = failures
        self.inputs = 0
        self.failed_inputs = 0
        self.failed_rows = 0
        self.rows: Counter[Status] = Counter()
        self.reused = 0
        self.audio_s = 0.0
        self.new_files = 0
        self.new_audio_s = 0.0
        self.started = datetime.now(timezone.utc)
        self._start = time.monotonic()

    def add(self, result: FileResult, *, reused: bool = False) -> None:
        """Count one file; `reused` if its rows are from the journal."""
        failed, duration_s = 0, 0.0
        for channel in result.channels:
            self.rows[channel.status] += 1
            failed += channel.status in self._failures
            duration_s = max(duration_s, channel.duration_s or 0.0)
        self.inputs += 1
        self.failed_inputs += failed == len(result.channels)
        self.failed_rows += failed
        self.audio_s += duration_s
        if reused:
            self.reused += len(result.channels)
        else:
            self.new_files += 1
            self.new_audio_s += duration_s

    @property
    def wall_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._start

    @property
    def realtime_factor(self) -> float:
        """Seconds of audio tagged per second."""
        return self.new_audio_s / max(self.wall_s, 1e-9)


def last_line(tally: Tally, *, where: str) -> str:
    """The run in one line.

    Args:
        tally: counts of the run.
        where: where the table is, in words.
    """
    rows = sum(tally.rows.values())
    counts = ", ".join(f"{tally.rows[status]:,} {status.value}" for status in Status if tally.rows[status])
    reused = f", {tally.reused:,} reused" if tally.reused else ""
    amount = f"{audio_text(tally.new_audio_s)} of audio in {tally.wall_s:.1f} s"
    work = f"{amount}, {tally.realtime_factor:,.0f} times real time" if tally.new_files else "nothing new"
    counted = f" ({counts})" if counts else ""
    return f"{plural(tally.inputs, 'file')}, {plural(rows, 'row')}{counted}{reused}; {work}; {where}"


def run_summary(tally: Tally, request: Request, *, model: ModelFile, origin: ModelInfo, jobs: int) -> dict[str, Any]:
    """The JSON summary of a finished run, which the caller completes with its exit code.

    Args:
        tally: of the run.
        request: its settings.
        model: of the rows.
        origin: what tables say of the model.
        jobs: worker processes; on a cluster, batches at the same time, 0 if it was not needed.

    Returns:
        Only dicts, lists, strings, numbers and None. Counts are those of the table, speeds those of files tagged now.
    """
    params = parameters(request.options, model.spec) | {
        "strict": request.strict,
        "timeout_s": request.timeout,
        "provider": request.provider,
    }
    if not model.spec.calibrated:
        params["calibrated"] = False
    if request.shard is not None:
        params["shard"] = str(request.shard)
    return {
        "run_id": str(uuid.uuid4()),
        "version": __version__,
        "started": _moment(tally.started),
        "finished": _moment(datetime.now(timezone.utc)),
        "inputs": tally.inputs,
        "rows": sum(tally.rows.values()),
        "reused": tally.reused,
        "counts_by_status": {status.value: tally.rows[status] for status in Status},
        "audio_hours": round(tally.audio_s / 3600, 6),
        "files_per_s": round(tally.new_files / max(tally.wall_s, 1e-9), 3),
        "realtime_factor": round(tally.realtime_factor, 1),
        "jobs": jobs,
        "backend": request.backend,
        "model": origin.model,
        "model_sha256": origin.model_sha256,
        "params": params,
    }


def _moment(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class FileWarnings:
    """Logs the problems of files, one file after the other."""

    def __init__(self, logger: Logger, *, failures: Set[Status], roles: tuple[str, ...]) -> None:
        """Begin.

        Args:
            logger: for the messages.
            failures: statuses that count as failed.
            roles: names of channel 0, 1, ...
        """
        self._logger, self._failures, self._roles = logger, failures, roles
        self._roles_warned = not roles

    def log(self, result: FileResult, *, reused: bool) -> None:
        """Log the problems of a result; those of reused results were logged by the run that tagged them."""
        problems = ((channel.problem, channel.status) for channel in result.channels if channel.problem is not None)
        for problem, status in dict.fromkeys(problems):
            # A call without speech is not a failure, unless --strict makes it one.
            level = WARNING if status in self._failures or (status is Status.OK and not reused) else DEBUG
            if self._logger.isEnabledFor(level):
                facts = {"per_file": True, "path": result.path, "status": status.value, "code": problem.code}
                self._logger.log(level, "%s", _message(result.path, problem), extra=facts)
        if result.crash is not None:
            self._logger.debug("%s", result.crash)
        if not self._roles_warned and self._has_nameless_channel(result):
            self._roles_warned = True
            message = "%s has more channels than --roles has names; the role of the others is left empty (shown once)"
            self._logger.warning(message, display_name(result.path))

    def _has_nameless_channel(self, result: FileResult) -> bool:
        return any(isinstance(row.channel, int) and row.channel >= len(self._roles) for row in result.channels)


def _message(path: str, problem: Problem) -> str:
    """The message on one line, with the name of the file in front if it is missing."""
    name, message = display_name(path), display_text(problem.message)
    return message if message.startswith(name) else f"{name}: {message}"
