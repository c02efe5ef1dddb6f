"""What the commands of `python -m export` show: progress, refusals, tables; and the options that they share.

Data goes to stdout, everything else to stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from export.corpora.clips import Corpus, described
from export.corpora.labels import canonical
from export.corpora.layouts import LAYOUTS
from export.progress import Report
from sertag.errors import SertagError
from sertag.text import display_name

_NEEDS = "tensorflow, keras, tf2onnx, librosa and matplotlib are needed: python -m pip install '.[export]'"

data_option = click.option(
    "--data",
    "places",
    multiple=True,
    required=True,
    metavar="DIR|NAME=DIR|NAME=FILE.csv",
    help=f"DIR holds folders named {', '.join(LAYOUTS)}; other folders in it are passed over. NAME=DIR is one of "
    "these, or `ordinary` speech with a manifest.csv, or under any other name your own recordings: a folder for each "
    "label and in it one for each speaker. NAME=FILE.csv is a list with the columns path, label, speaker. Repeatable.",
)
map_option = click.option(
    "--map",
    "label_map",
    multiple=True,
    metavar="FOUND=LABEL",
    help="Count clips with the label FOUND as LABEL; FOUND= leaves them out. Repeatable.",
)
encoder_option = click.option(
    "--encoder",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Frozen encoder of phone-deep, as the command `encoder` makes it.  [default: that of the bundled phone-deep]",
)
cache_option = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    help="Folder for features and finished networks; safe to delete.  [default: ~/.cache/sertag]",
)


def out_option(what: str) -> Callable[[Any], Any]:
    """The option `--out`, of a file or folder that has to be named."""
    return click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help=what)


def parse_label_map(label_map: Sequence[str]) -> dict[str, str]:
    """The values of `--map` as label -> label.

    >>> parse_label_map(["Calm=neutral", "bored="])
    {'calm': 'neutral', 'boredom': ''}
    """
    found = {}
    for item in label_map:
        name, equals, label = item.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{item!r} is not FOUND=LABEL", param_hint="--map")
        found[canonical(name)] = canonical(label)
    return found


@contextmanager
def errors() -> Iterator[None]:
    """What was refused on purpose ends in one line, not in a traceback."""
    try:
        yield
    except SertagError as error:
        raise click.ClickException(str(error)) from error
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error}; {_NEEDS}") from error
    except OSError as error:
        named = "" if error.filename is None else f"{display_name(os.fsdecode(error.filename))}: "
        raise click.ClickException(f"{named}{error.strerror or error}") from error


@contextmanager
def progress() -> Iterator[Report]:
    """A bar a task on a terminal; elsewhere a line for whatever has something to tell."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _line
        return
    what_is_done = TextColumn("{task.description}", markup=False)
    with Progress(what_is_done, BarColumn(), TimeElapsedColumn(), TimeRemainingColumn(), console=console) as shown:
        tasks: dict[str, Any] = {}

        def report(what: str, share: float) -> None:
            name, _, _ = what.partition(": ")
            if name not in tasks:
                tasks[name] = shown.add_task(what, total=1.0)
            shown.update(tasks[name], description=what, completed=share)

        yield report


def _line(what: str, share: float) -> None:
    """Say what has something to tell behind its name, or is done."""
    if ": " in what or share >= 1:
        print(f"{what} ({share:.0%})", file=sys.stderr, flush=True)


def say(message: object) -> None:
    """Something for people, on stderr; brackets in names of files are no markup."""
    Console(stderr=True, markup=False, highlight=False).print(message, soft_wrap=True)


def say_corpora(corpora: Sequence[Corpus], counts_as: Mapping[str, str | None]) -> None:
    """Show what was found, what was left out and why, and what each label counts as."""
    table = Table("corpus", "clips", "speakers", "left out")
    for corpus in corpora:
        people = {clip.speaker for clip in corpus.clips} - {""}
        left_out = sum(map(len, corpus.skipped.values()))
        table.add_row(corpus.name, str(len(corpus.clips)), str(len(people) or "unknown"), str(left_out))
    say(table)
    for corpus in corpora:
        if corpus.skipped:
            say(f"{corpus.name}: left out: {described(corpus.skipped)}")
        if corpus.flawed:
            say(f"{corpus.name}: kept all the same: {described(corpus.flawed)}")
    changed = [f"{found} -> {label or 'left out'}" for found, label in counts_as.items() if found != label]
    if changed:
        say(f"labels: {', '.join(changed)}")
