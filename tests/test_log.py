from __future__ import annotations

import logging
from pathlib import Path

from sertag.log import to_stderr_and_file


def test_the_logger_is_left_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger("sertag")
    before = logger.level, logger.propagate, list(logger.handlers)
    with to_stderr_and_file(level=logging.INFO, log_file=str(tmp_path / "run.log")) as inside:
        inside.debug("for the file alone")
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
    assert "for the file alone" in (tmp_path / "run.log").read_text(encoding="utf-8")
