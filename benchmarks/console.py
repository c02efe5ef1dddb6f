"""Commands as a user sees them: help texts, and the console blocks of a page run again.

    python -m benchmarks.console           # rewrite the console blocks of docs/tables.md
    python -m benchmarks.console --check   # exit 1 if something but a number would change

A console block holds commands behind `$ ` and what they print. All of a page run in one folder, in their order.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSOLE_PAGES = ("docs/tables.md",)
TABLE_COMMANDS = ("worst", "by", "diff", "agree", "merge", "convert")
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TIMEOUT_S = 300


def run(arguments: list[str], *, codes: tuple[int, ...] = (0,)) -> str:
    """What a command of sertag prints, in 110 columns and without colours.

    Raises:
        ValueError: it ended with another exit code.
    """
    done = subprocess.run(  # noqa: S603 - the arguments are those of this package
        [sys.executable, "-m", "sertag", *arguments], cwd=ROOT, env=_environment(), capture_output=True, check=False
    )
    if done.returncode not in codes:
        raise ValueError(f"sertag {' '.join(arguments)} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode()


def fenced(*texts: str) -> str:
    """Output of commands as a block, with an empty line between."""
    shown = ("\n".join(line.rstrip() for line in text.splitlines()).strip("\n") for text in texts)
    return "```text\n" + "\n\n".join(shown) + "\n```"


def help_tag() -> str:
    """`sertag --help` of the main command, as a user sees it in 100 columns."""
    return fenced(run(["tag", "--help"]))


def help_models() -> str:
    """The help texts of `sertag models` and its commands."""
    return fenced(*(run(["models", *command, "--help"]) for command in ([], ["list"], ["info"], ["check"])))


def help_report() -> str:
    """The help text of `sertag report`."""
    return fenced(run(["report", "--help"]))


def help_tables() -> str:
    """The help texts of the commands on tables."""
    return fenced(*(run([command, "--help"]) for command in TABLE_COMMANDS))


def help_completion() -> str:
    """The help text of `sertag completion`."""
    return fenced(run(["completion", "--help"]))


def replayed(text: str) -> str:
    """A page with all its console blocks run again."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "examples").symlink_to(ROOT / "examples")
        (place / ".bin").mkdir()
        shim = place / ".bin" / "sertag"
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sertag "$@"\n', encoding="utf-8")
        shim.chmod(0o755)
        return _BLOCK.sub(lambda block: f"```console\n{_block(block[1], place)}```", text)


def without_numbers(text: str) -> str:
    """A page without what may differ between processors: numbers, and how wide they make a column."""
    return re.sub(r"[ ─]+", " ", re.sub(r"[-+]?\d[\d.,]*", "0", text))


def main(argv: list[str] | None = None) -> int:
    """Rewrite or check the pages; the exit code says whether they were right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if something would change")
    check, code = parser.parse_args(argv).check, 0
    for page in CONSOLE_PAGES:
        old = (ROOT / page).read_text(encoding="utf-8")
        new = replayed(old)
        if not check:
            (ROOT / page).write_text(new, encoding="utf-8")
        elif without_numbers(new) != without_numbers(old):
            print(f"{page} is out of date; run `python -m benchmarks.console`", file=sys.stderr)
            code = 1
    return code


def _block(text: str, folder: Path) -> str:
    return "".join(f"$ {command}\n{_printed(command, folder)}" for command in _commands(text))


def _commands(text: str) -> Iterator[str]:
    """Commands of a block; one that ends with a backslash goes on in the next line."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line.removeprefix("$ ")
            while command.endswith("\\"):
                command += "\n" + next(lines)
            yield command


def _printed(command: str, folder: Path) -> str:
    environment = _environment() | {"PATH": f"{folder / '.bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(  # noqa: S603 - commands of our own pages
        ["bash", "-c", command],  # noqa: S607
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_TIMEOUT_S,
        check=False,
    )
    lines = [line.rstrip() for line in done.stdout.decode().splitlines()]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return "".join(f"{line}\n" for line in lines)


def _environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SERTAG_")}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"COLUMNS": "110", "NO_COLOR": "1", "LC_ALL": "C.UTF-8", "PYTHONPATH": paths, "XDG_CONFIG_HOME": os.devnull}
    return clean | own


if __name__ == "__main__":
    sys.exit(main())
