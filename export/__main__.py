"""`python -m export`: the line from corpora to a model file, one command a station."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from export.card import card as write_card
from export.corpora import LAYOUTS, Corpus, find_corpora
from export.evaluate import evaluate as evaluate_model
from sertag.errors import SertagError
from sertag.model import Model, load

_NEEDS = "tensorflow, keras and tf2onnx are needed: python -m pip install '.[export]'"

data_option = click.option(
    "--data",
    "places",
    multiple=True,
    required=True,
    metavar="DIR|NAME=DIR",
    help=f"A folder that holds folders named {', '.join(LAYOUTS)}, or one corpus by name; repeatable.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    r"""Train, evaluate, convert and describe models for sertag.

    \b
    Examples:
      python -m export train phone --data corpora --out runs/phone
      python -m export evaluate runs/phone/phone.onnx --data tess=corpora/tess --phone
      python -m export card runs/phone/phone.onnx
    """
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@main.command()
@click.argument("recipe", type=click.Choice(["phone"]))
@data_option
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for results and the model.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for features [default: OUT/cache].")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), help="Length of training [default: the recipe's].")
@click.option("--folds", type=click.IntRange(min=2), help="Of the cross-validation [default: the recipe's].")
def train(
    recipe: str,
    places: tuple[str, ...],
    out: Path,
    cache: Path | None,
    seed: int,
    epochs: int | None,
    folds: int | None,
) -> None:
    """Cross-validate RECIPE by speaker, train it on everything, convert it.

    Writes RECIPE.onnx and RECIPE.json into the out folder. The same command goes on where it was stopped.
    """
    from export.train import Settings, train_phone

    usual = Settings()
    settings = replace(usual, seed=seed, epochs=epochs or usual.epochs, folds=folds or usual.folds)
    with _errors(), _progress() as report:
        corpora = find_corpora(places)
        Console(stderr=True).print(_corpora_table(corpora))
        model = train_phone(corpora, settings=settings, out=out, cache=cache or out / "cache", report=report)
    click.echo(str(model))


@main.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False))
@data_option
@click.option("--phone", is_flag=True, help="Send every clip over a simulated telephone line first.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the lines.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def evaluate(model: str, places: tuple[str, ...], phone: bool, seed: int, form: str) -> None:
    """Measure MODEL on whole corpora, through the very path that sertag uses.

    Nothing tells whether the model was trained on these speakers: its card does.
    """
    with _errors(), _progress() as report:
        loaded, corpora = load(model), find_corpora(places)
        found = evaluate_model(loaded, corpora, phone=phone, seed=seed, report=report)
    if form == "json":
        click.echo(json.dumps({name: item.as_dict() for name, item in found.items()}, indent=1))
        return
    table = Table("corpus", "clips", "no answer", "chance %", "UAR %", "accuracy %", "ECE")
    for name, item in found.items():
        own = item.figures
        shares = (f"{100 * value:.1f}" for value in (own.chance, own.uar, own.accuracy))
        table.add_row(name, str(own.clips), str(item.unanswered), *shares, f"{own.ece:.3f}")
    Console().print(table)


@main.command()
@click.argument("network", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--like",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Model file whose specification to take.",
)
@data_option
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The .onnx file.")
def convert(network: Path, like: str, places: tuple[str, ...], out: Path) -> None:
    """Convert NETWORK.keras to a model file; refused where ONNX Runtime answers otherwise on real windows."""
    from export.convert import convert as write_model
    from export.convert import example_inputs

    with _errors():
        import keras

        spec = load(like).spec
        clips = [clip for corpus in find_corpora(places) for clip in corpus.clips]
        examples = example_inputs(clips, spec=spec)
        write_model(keras.saving.load_model(network), spec=spec, examples=examples, out=out)
    click.echo(str(out))


@main.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write [default: stdout].")
def card(model: str, out: Path | None) -> None:
    """Write the model card of MODEL from its metadata."""
    with _errors():
        loaded: Model = load(model)
    text = write_card(loaded.spec)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


@contextmanager
def _errors() -> Iterator[None]:
    """What was refused on purpose ends in one line, not in a traceback."""
    try:
        yield
    except SertagError as error:
        raise click.ClickException(str(error)) from error
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error}; {_NEEDS}") from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, Any] = {}

        def report(what: str, share: float) -> None:
            name = what.partition(":")[0]
            if name not in tasks:
                tasks[name] = progress.add_task(what, total=1.0)
            progress.update(tasks[name], description=what, completed=share)
            if not console.is_terminal and (":" in what or share >= 1):
                print(f"{what} ({share:.0%})", file=sys.stderr, flush=True)

        yield report


def _corpora_table(corpora: tuple[Corpus, ...]) -> Table:
    table = Table("corpus", "clips", "speakers", "left out")
    for corpus in corpora:
        reasons = "; ".join(f"{count} {reason}" for reason, count in corpus.skipped.items())
        table.add_row(corpus.name, str(len(corpus.clips)), str(len({clip.person for clip in corpus.clips})), reasons)
    return table


if __name__ == "__main__":
    main()
