"""The commands of docs/storage.md, run as they stand there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

import sertag
from sertag.errors import Exit
from tests.cli.tables.runner import invoke
from tests.conftest import speech_like
from tests.in_process import without_workers
from tests.remote.servers import BUCKET

PAGE = Path(sertag.__file__).parents[1] / "docs" / "storage.md"
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def test_the_page_shows_commands() -> None:
    assert len(COMMANDS) == 9
    assert all(line.startswith("sertag ") for line in COMMANDS)


def test_the_commands_of_the_page_do_what_it_says(
    s3: Any,
    s3_url: str,
    put: Callable[..., None],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    soundfile.write(tmp_path / "a.wav", speech_like(5, seed=1), 8000)
    put("calls/2026-03-02/a.wav", (tmp_path / "a.wav").read_bytes())
    (tmp_path / "urls.txt").write_text(f"s3://{BUCKET}/calls/2026-03-02/a.wav\n")
    monkeypatch.setenv("SERTAG_MODEL", str(tiny_model))
    monkeypatch.chdir(tmp_path)
    without_workers(monkeypatch)
    for line in COMMANDS:
        words = shlex.split(line.replace("http://localhost:9000", s3_url))
        done = invoke(*words[1:])
        assert done.exit_code == Exit.OK, (line, done.stderr)
        if words[1] == "worst":
            assert f"s3://{BUCKET}/calls/2026-03-02/a.wav,0," in done.stdout
    assert s3.head_object(Bucket=BUCKET, Key="tables/results.parquet")["ContentLength"]
