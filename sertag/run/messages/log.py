"""Messages of a run: to stderr and to a log file, as text or as JSON, one line each.

Used by `run` and `cli`. Everything goes through the standard `logging` under the name `sertag`. Messages about single
files carry `extra={"per_file": True}`; a screen gets the first of them and then a count, a file gets all.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from sertag.errors import OutputError
from sertag.text import display_name, encode_path, valid_text

PER_FILE_LIMIT = 20  # messages about single files on stderr; more would scroll everything else away

LogFormat = Literal["text", "json"]


@contextmanager
def to_stderr_and_file(
    *, level: int, log_file: str | None = None, log_format: LogFormat = "text"
) -> Iterator[logging.Logger]:
    """Send the messages of sertag to stderr, and to a file too, while the block runs.

    Args:
        level: lowest level of messages on stderr; the file gets all messages.
        log_file: appended to; None for no file.
        log_format: of both.

    Yields:
        The logger.

    Raises:
        OutputError: the file cannot be opened.
    """
    logger = logging.getLogger("sertag")
    handlers: list[logging.Handler] = [_Screen(level)]
    if log_file is not None:
        try:
            handlers.append(_File(log_file))
        except OSError as error:
            message = f"cannot write the log file {display_name(log_file)}: {error.strerror or error}"
            raise OutputError(message, code="cannot_write") from error
    formats = [_Json(), _Json()] if log_format == "json" else [_Line(level <= logging.DEBUG), _Record()]
    for handler, formatter in zip(handlers, formats, strict=False):
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    before = logger.level, logger.propagate
    logger.setLevel(level if log_file is None else logging.DEBUG)  # so that nobody makes messages that nobody gets
    logger.propagate = False
    try:
        yield logger
    finally:
        level_before, logger.propagate = before
        logger.setLevel(level_before)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


class _Screen(logging.Handler):
    """Writes to the current `sys.stderr`, which the progress bar replaces while it is shown."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._per_file = 0

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "per_file", False) and self.level > logging.DEBUG:
            self._per_file += 1
            if self._per_file > PER_FILE_LIMIT + 1:
                return
            if self._per_file == PER_FILE_LIMIT + 1:
                message = "more files have problems; see the table, --log-file or -v for all of them"
                record = logging.makeLogRecord(
                    {"msg": message, "levelno": record.levelno, "levelname": record.levelname}
                )
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):  # stderr is closed; the run matters more than its messages
            pass


class _File(logging.FileHandler):
    """Appends to a file; if writing fails, that is logged once, and the run goes on without the file."""

    def __init__(self, path: str) -> None:
        super().__init__(path, encoding="utf-8")
        self._path = path
        self._given_up = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._given_up:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        self._given_up = True
        reason = getattr(sys.exc_info()[1], "strerror", None) or "error"
        message = f"cannot write the log file {display_name(self._path)}: {reason}; the run goes on without it"
        logging.getLogger("sertag").error("%s", message)

    def close(self) -> None:
        with suppress(OSError):  # a failed write was logged before
            super().close()


class _Line(logging.Formatter):
    """`warning: message`, with the traceback only with `-v`."""

    def __init__(self, with_traceback: bool) -> None:
        super().__init__()
        self._with_traceback = with_traceback

    def format(self, record: logging.LogRecord) -> str:
        prefix = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        line = prefix + record.getMessage()
        if record.exc_info and self._with_traceback:
            line += "\n" + self.formatException(record.exc_info)
        return valid_text(line)


class _Record(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        return valid_text(super().format(record))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        document = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": valid_text(record.getMessage()),
        }
        if hasattr(record, "path"):
            document["path"] = encode_path(record.path)  # as in the table
        for name in ("status", "code"):
            if hasattr(record, name):
                document[name] = getattr(record, name)
        if record.exc_info:
            document["traceback"] = valid_text(self.formatException(record.exc_info))
        return json.dumps(document)
