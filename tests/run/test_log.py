from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from sertag.run.messages.log import LogFormat, to_stderr_and_file


def test_the_logger_is_left_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger("sertag")
    before = logger.level, logger.propagate, list(logger.handlers)
    with to_stderr_and_file(level=logging.INFO, log_file=str(tmp_path / "run.log")) as inside:
        inside.debug("for the file alone")
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
    assert "for the file alone" in (tmp_path / "run.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_file_is_valid_utf8_whatever_is_said(tmp_path: Path, log_format: LogFormat) -> None:
    path = os.fsdecode(b"caf\xe9.wav")
    with to_stderr_and_file(level=logging.INFO, log_file=str(tmp_path / "log"), log_format=log_format) as logger:
        logger.warning("%s: 📞 \ud800", path, extra={"per_file": True, "path": path})
        try:
            raise FileNotFoundError(path)
        except FileNotFoundError:
            logger.exception("unforeseen")
    lines = (tmp_path / "log").read_bytes().decode("utf-8", "strict").splitlines()
    if log_format == "text":
        assert lines[0].endswith(r"WARNING caf\xe9.wav: 📞 \ud800")
        assert lines[-1] == r"FileNotFoundError: caf\xe9.wav"
        return
    first, second = (json.loads(line) for line in lines)
    assert (first["path"], first["message"]) == (r"caf\xe9.wav", r"caf\xe9.wav: 📞 \ud800")
    assert second["traceback"].endswith(r"FileNotFoundError: caf\xe9.wav")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_said_once_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with to_stderr_and_file(level=logging.INFO, log_file="/dev/full") as logger:
        for number in range(3):
            logger.info("message %d", number)
    said = capsys.readouterr().err
    assert said.count("cannot write the log file /dev/full: No space left on device") == 1
    assert [f"message {number}" in said for number in range(3)] == [True] * 3
    assert "Traceback" not in said
