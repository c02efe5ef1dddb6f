from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from sertag.log import to_stderr_and_file


def test_the_logger_is_left_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger("sertag")
    before = logger.level, logger.propagate, list(logger.handlers)
    with to_stderr_and_file(level=logging.INFO, log_file=str(tmp_path / "run.log")) as inside:
        inside.debug("for the file alone")
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
    assert "for the file alone" in (tmp_path / "run.log").read_text(encoding="utf-8")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_said_once_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with to_stderr_and_file(level=logging.INFO, log_file="/dev/full") as logger:
        for number in range(3):
            logger.info("message %d", number)
    said = capsys.readouterr().err
    assert said.count("cannot write the log file /dev/full: No space left on device") == 1
    assert [f"message {number}" in said for number in range(3)] == [True] * 3
    assert "Traceback" not in said
