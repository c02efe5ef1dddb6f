"""What is said about single files while they come out: what is wrong with them, each fault where it belongs.

Used by `run`. A warning for what counts as a failure and for what is odd about a good row; the rest is for `-v` and the
log file.
"""

from __future__ import annotations

from collections.abc import Set
from logging import DEBUG, WARNING, Logger

from sertag.names import display_name, display_text
from sertag.records import FileResult, Problem, Status


class Remarks:
    """Says what there is to say about one file after the other."""

    def __init__(self, logger: Logger, *, failures: Set[Status], roles: tuple[str, ...]) -> None:
        """Begin.

        Args:
            logger: that hears it.
            failures: what counts as failed.
            roles: names of channel 0, 1, ...
        """
        self._logger, self._failures, self._roles = logger, failures, roles
        self._roles_said = not roles

    def about(self, result: FileResult, *, reused: bool) -> None:
        """Say it; what is odd about a row that an earlier run has made was said by that run."""
        for problem, status in dict.fromkeys((channel.problem, channel.status) for channel in result.channels):
            if problem is not None:
                # A call without speech is a fact, not a fault, unless --strict makes it one.
                loud = status in self._failures or (status is Status.OK and not reused)
                facts = {"per_file": True, "path": result.path, "status": status.value, "code": problem.code}
                self._logger.log(WARNING if loud else DEBUG, "%s", _message(result.path, problem), extra=facts)
        if result.crash is not None:
            self._logger.debug("%s", result.crash)
        if not self._roles_said and self._has_nameless_channel(result):
            self._roles_said = True
            message = "%s has more channels than --roles has names; the role of the others is left empty (said once)"
            self._logger.warning(message, display_name(result.path))

    def _has_nameless_channel(self, result: FileResult) -> bool:
        return any(isinstance(row.channel, int) and row.channel >= len(self._roles) for row in result.channels)


def _message(path: str, problem: Problem) -> str:
    """One line that names the file, whoever wrote the message."""
    name, message = display_name(path), display_text(problem.message)
    return message if message.startswith(name) else f"{name}: {message}"
