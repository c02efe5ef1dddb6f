"""`python -m export` in this process."""

from __future__ import annotations

import inspect

from click.testing import CliRunner, Result

from export.__main__ import main


def run_export(*arguments: object) -> Result:
    """Run a command, its stderr apart from its stdout, which click before 8.2 has to be asked for."""
    asked = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
    return CliRunner(**asked).invoke(main, [str(argument) for argument in arguments])
