"""The command line called in this process, its two streams apart in every version of click."""

from __future__ import annotations

import inspect
from typing import Any

from click.testing import CliRunner, Result

from sertag.cli.commands import cli


def invoke(*arguments: str, **more: Any) -> Result:
    """Run `sertag` with arguments."""
    apart = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}  # before click 8.2
    return CliRunner(**apart).invoke(cli, arguments, **more)  # type: ignore[arg-type]
