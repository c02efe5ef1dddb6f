"""`recipes` and `train`: from corpora to a measured model file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from export.cache import default_cache
from export.cli import console
from export.cli.console import cache_option, data_option, encoder_option, map_option, out_option, parse_label_map
from export.corpora.clips import Corpus, open_only
from export.corpora.decodable import drop_unusable
from export.corpora.labels import SENTIMENT, SENTIMENTS, canonical, mapping
from export.corpora.loading import find_corpora, relabel
from export.corpora.own_data import NO_SPEECH
from export.errors import ExportError
from export.progress import Report
from export.recipes import RECIPES
from export.recipes.base import Recipe
from export.training.splits import CROSS_VALIDATED, PROTOCOLS, Settings
from sertag.parallel.tasks import usable_cpus


@click.command(short_help="List the recipes that train knows.")
def recipes() -> None:
    """List the recipes that `train` knows: network, input, labels, and what the authors report."""
    head = (Column("recipe", no_wrap=True), "network", "input", "labels", "claimed by its authors")
    table = Table(*head, show_lines=True)
    for recipe in RECIPES.values():
        labels = f"{len(recipe.labels)}: {', '.join(recipe.labels)}"
        table.add_row(recipe.name, recipe.model, recipe.input, labels, recipe.claim or "-")
    Console().print(table)


@click.command(short_help="Train, measure and convert a model.")
@click.argument("recipe", type=click.Choice(list(RECIPES)), metavar="RECIPE")
@data_option
@out_option("Folder for the results.")
@click.option(
    "--protocol",
    type=click.Choice([*PROTOCOLS, CROSS_VALIDATED]),
    help="How clips are split into training and test. speakers: no speaker is in both. corpora: no corpus is in both. "
    "random: speakers are in both, so the figures say nothing about new speakers. cross-validated (phone, phone-deep): "
    "every speaker, or with --folds-by corpus every corpus, is tested once by a network that was not trained on it; "
    "the final network is trained on everything.  [default: cross-validated for phone and phone-deep, else speakers]",
)
@click.option(
    "--fold", type=click.IntRange(min=0), default=0, show_default=True, help="Number of the part that is tested."
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    help="Number of parts of the cross-validation.  [default: 4, or the number of speakers if that is smaller]",
)
@click.option(
    "--folds-by",
    type=click.Choice(["speaker", "corpus"]),
    default="speaker",
    show_default=True,
    help="Whether speakers are dealt over the parts, or each corpus is a part. The confidence is then calibrated for "
    "recordings unlike the training data.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed of the split and the training.")
@click.option("--epochs", type=click.IntRange(min=1), help="Maximum number of epochs.  [default: the recipe's]")
@click.option(
    "--labels",
    metavar="NAME[:SENTIMENT],…",
    help="Labels of your own instead of the recipe's; SENTIMENT is positive, neutral or negative.",
)
@map_option
@click.option("--name", default="", help="Name of the model in the result tables.  [default: the recipe's]")
@click.option(
    "--model-version", "version", default="1", show_default=True, help="Version of the model in its file and card."
)
@click.option("--open", "trade", is_flag=True, help="Train only on recordings whose licences allow commercial use.")
@encoder_option
@cache_option
def train(
    recipe: str,
    places: tuple[str, ...],
    out: Path,
    labels: str | None,
    label_map: tuple[str, ...],
    trade: bool,
    encoder: Path | None,
    cache: Path | None,
    **chosen: Any,
) -> None:
    """Train RECIPE, test it on clips that it was not trained on, and convert it to a model file.

    `python -m export recipes` lists the recipes. The folder --out gets model.onnx and model.keras, metrics.json,
    report.csv (precision, recall, F1), history.csv and pictures. If it is interrupted, the same command continues.

    \b
    Examples:
      python -m export train phone --data mine=recordings --out runs/mine
      python -m export train bilstm --data tess=corpora/tess --out runs/tess
    """
    settings = _settings(recipe, **chosen)
    with console.errors(), console.progress() as report:
        wanted = _with_labels(RECIPES[recipe], labels)
        found = open_only(find_corpora(places)) if trade else find_corpora(places)
        model = _train(wanted, found, settings, parse_label_map(label_map), out, encoder, cache, report)
    click.echo(str(model))


def _train(
    recipe: Recipe,
    found: Sequence[Corpus],
    settings: Settings,
    label_map: Mapping[str, str],
    out: Path,
    encoder: Path | None,
    cache: Path | None,
    report: Report,
) -> Path:
    """Leave out what cannot be used, say what is left, train on it."""
    from export.features.encoder import find_encoder
    from export.training.train import train as train_recipe

    cache = cache or default_cache()
    corpora, counts_as = _usable(found, recipe, label_map, cache=cache, report=report)
    teacher = RECIPES.get(recipe.teacher) if settings.protocol == CROSS_VALIDATED else None
    return train_recipe(
        recipe,
        corpora,
        settings=replace(settings, counts_as=counts_as),
        out=out,
        cache=cache,
        jobs=usable_cpus(),
        encoder=find_encoder(encoder, cache=cache) if recipe.encoder or teacher else None,
        teacher=teacher,
        report=report,
    )


def _settings(recipe: str, *, protocol: Any, fold: int, folds: int | None, folds_by: Any, **others: Any) -> Settings:
    """The settings, the recipe's own protocol where none is named; options that would change nothing are refused."""
    by_windows = RECIPES[recipe].features.framing == "channel"
    protocol = protocol or (CROSS_VALIDATED if by_windows else "speakers")
    crossed = protocol == CROSS_VALIDATED
    if crossed and not by_windows:
        raise click.UsageError(f"{recipe} is trained on one split at a time; expected {', '.join(PROTOCOLS)}")
    if fold if crossed else folds or folds_by != "speaker":
        raise click.UsageError(f"--folds and --folds-by belong to --protocol {CROSS_VALIDATED}, --fold to the others")
    if folds and folds_by == "corpus":
        raise click.UsageError("--folds is a number of parts by speaker; with --folds-by corpus each corpus is one")
    return Settings(protocol=protocol, fold=fold, folds=folds, folds_by=folds_by, **others)


def _with_labels(recipe: Recipe, labels: str | None) -> Recipe:
    """The recipe with labels of the user's own."""
    if labels is None:
        return recipe
    parts = [item.partition(":") for item in labels.split(",")]
    own = {canonical(name): value.strip() for name, _, value in parts}
    sentiment = {name: value or SENTIMENT.get(name, "") for name, value in own.items()}
    if unknown := [repr(name) for name, value in sentiment.items() if value not in SENTIMENTS]:
        expected = f"expected NAME:SENTIMENT, SENTIMENT one of {', '.join(SENTIMENTS)}"
        message = f"--labels: the sentiment of {', '.join(unknown)} is not known; {expected}"
        raise ExportError(message, code="unknown_label")
    return replace(recipe, labels=tuple(sorted(sentiment)), sentiment=MappingProxyType(sentiment))


def _usable(
    found: Sequence[Corpus], recipe: Recipe, label_map: Mapping[str, str], *, cache: Path, report: Report
) -> tuple[tuple[Corpus, ...], tuple[tuple[str, str], ...]]:
    """Corpora with the recipe's labels and decodable clips alone, and what each label became; both are shown."""
    labels = {clip.label for corpus in found for clip in corpus.clips}
    onto = (*recipe.labels, NO_SPEECH) if recipe.features.framing == "channel" else recipe.labels
    counts_as = mapping(labels, onto=onto, label_map=label_map)
    frame_s = recipe.features.win_length / recipe.features.rate_hz
    known = relabel(found, onto=onto, label_map=label_map)
    corpora = drop_unusable(known, jobs=usable_cpus(), least_s=frame_s, report=report)
    console.say_corpora(corpora, counts_as)
    return corpora, tuple((name, label) for name, label in counts_as.items() if label)
