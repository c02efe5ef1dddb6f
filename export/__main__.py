"""`python -m export`: the line from corpora to a model file, one command a station."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import click
from rich.console import Console
from rich.table import Column, Table

from export import console
from export.card import card as write_card
from export.clips import Corpus
from export.console import cache_option, data_option, map_option, wishes
from export.corpora import find_corpora, relabel
from export.errors import ExportError
from export.fetch import SOURCES
from export.labels import SENTIMENT, SENTIMENTS, canonical, mapping
from export.protocols import PROTOCOLS, Protocol
from export.recipe import Recipe, teachable
from export.recipes import RECIPES
from export.report import Report
from sertag.model import load
from sertag.parallel import usable_cpus

if TYPE_CHECKING:
    from export.phone_questions import Question

CROSS_VALIDATED = "cross-validated"
RESULTS = Path(__file__).parent / "results"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    r"""Train, evaluate, convert and describe models for sertag.

    \b
    Examples:
      python -m export recipes
      python -m export train lstm-mean-mfcc --data tess=corpora/tess --out runs/tess
      python -m export train phone --data mine=recordings --out runs/mine
      python -m export evaluate runs/tess/model.onnx --data emodb=corpora/emodb --phone
      python -m export card runs/tess/model.onnx
    """
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # our own message says it better
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@main.command()
def recipes() -> None:
    """Show the recipes that `train` knows."""
    head = (Column("recipe", no_wrap=True), "network", "input", "labels", "claimed by its authors")
    table = Table(*head, show_lines=True)
    for recipe in RECIPES.values():
        labels = f"{len(recipe.labels)}: {', '.join(recipe.labels)}"
        table.add_row(recipe.name, recipe.model, recipe.input, labels, recipe.claim or "-")
    Console().print(table)


@main.command()
@data_option
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for the page.")
def explore(places: tuple[str, ...], out: Path) -> None:
    """Look through corpora: counts of labels and speakers, durations, a picture for each emotion.

    Writes index.html, pictures and tables into the out folder.
    """
    from export.explore import explore as write_page

    with console.errors(), console.progress() as report:
        page = write_page(find_corpora(places), out=out, report=report)
    click.echo(str(page))


@main.command()
@click.argument("recipe", type=click.Choice(list(RECIPES)))
@data_option
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for everything written.")
@click.option(
    "--protocol",
    type=click.Choice([*PROTOCOLS, CROSS_VALIDATED]),
    help="speakers: nobody who is tested was learnt from. corpora: no corpus that is tested was. random: clips split "
    "at random, the same speakers on both sides; figures say nothing of strangers. cross-validated: every speaker is "
    "tested by a network that never heard them, then one network learns from all (phone only).  "
    "[default: speakers; cross-validated for phone]",
)
@click.option("--fold", type=click.IntRange(min=0), default=0, show_default=True, help="Which part is tested.")
@click.option("--folds", type=click.IntRange(min=2), help="Of the cross-validation.  [default: 4, or one a speaker]")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), help="Most of them.  [default: the recipe's]")
@click.option(
    "--labels",
    metavar="NAME[:SENTIMENT],…",
    help="Labels of your own instead of the recipe's; sentiment is positive, neutral or negative.",
)
@map_option
@click.option("--name", help="Of the model, as rows will show it.  [default: the recipe's]")
@click.option("--model-version", default="1", show_default=True, help="Of the model, in its file and card.")
@cache_option
def train(
    recipe: str,
    places: tuple[str, ...],
    out: Path,
    name: str | None,
    model_version: str,
    protocol: str | None,
    fold: int,
    folds: int | None,
    seed: int,
    epochs: int | None,
    labels: str | None,
    renamed: tuple[str, ...],
    cache: Path | None,
) -> None:
    """Train RECIPE, measure it on clips it did not learn from, and convert it.

    Writes model.keras, model.onnx, metrics.json, report.csv, history.csv and pictures into the out folder. The same
    command goes on where it was stopped.
    """
    from export.describe import Title
    from export.fit_phone import Settings as PhoneSettings
    from export.train import Settings
    from export.train import train as train_recipe
    from export.train_phone import train_phone

    chosen, cache, title = RECIPES[recipe], cache or out / "cache", Title(name or recipe, model_version)
    by_windows = chosen.features.framing == "channel"
    protocol = protocol or (CROSS_VALIDATED if by_windows else "speakers")
    if protocol == CROSS_VALIDATED and not by_windows:
        raise click.UsageError(f"{recipe} is trained on one split at a time; expected {', '.join(PROTOCOLS)}")
    if fold if protocol == CROSS_VALIDATED else folds:
        raise click.UsageError(f"--folds belongs to --protocol {CROSS_VALIDATED}, --fold to the others")
    with console.errors(), console.progress() as report:
        chosen = _with_labels(chosen, labels)
        corpora, counts_as = _usable(places, chosen, wishes(renamed), cache=cache, report=report)
        if protocol == CROSS_VALIDATED:
            chosen = teachable(chosen, {clip.label for corpus in corpora for clip in corpus.clips})
            sentiment = tuple(chosen.sentiment[label] for label in chosen.labels)
            phone = PhoneSettings(seed, labels=chosen.labels, sentiment=sentiment, counts_as=counts_as)
            people = len({clip.person for corpus in corpora for clip in corpus.clips})
            phone = replace(phone, folds=folds or max(2, min(phone.folds, people)), epochs=epochs or phone.epochs)
            model = train_phone(corpora, settings=phone, title=title, out=out, cache=cache, report=report)
        else:
            settings = Settings(cast(Protocol, protocol), fold, seed, epochs, counts_as)
            model = train_recipe(
                chosen, corpora, settings=settings, title=title, out=out, cache=cache, jobs=usable_cpus(), report=report
            )
    click.echo(str(model))


@main.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False))
@data_option
@map_option
@click.option("--phone", is_flag=True, help="Send every clip over a simulated telephone line first.")
@click.option("--allow-seen", "seen", is_flag=True, help="Measure on clips of its training, too; marked.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the lines.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def evaluate(
    model: str, places: tuple[str, ...], renamed: tuple[str, ...], phone: bool, seen: bool, seed: int, form: str
) -> None:
    """Measure MODEL on whole corpora, through the very path that sertag uses.

    Clips that the model was trained on are refused. Whether it was trained on the same speakers tells its card.
    """
    from export.evaluate import evaluate as evaluate_model

    with console.errors(), console.progress() as report:
        found = evaluate_model(
            load(model),
            find_corpora(places),
            phone=phone,
            seed=seed,
            jobs=usable_cpus(),
            report=report,
            renamed=wishes(renamed),
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
        table.add_row(name, str(own.clips), str(item.unanswered), *shares, f"{own.ece:.3f}", sentiment)
    Console().print(table)
    for name, item in found.items():
        for note in item.notes():
            console.say(f"{name}: {note}")


@main.command()
@click.argument("network", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The .onnx file.")
@click.option(
    "--like",
    type=click.Path(exists=True, dir_okay=False),
    help="Model file whose specification to take, for a network that was not trained here.",
)
@click.option("--data", "places", multiple=True, metavar="DIR|NAME=DIR", help="Recordings to compare on, with --like.")
def convert(network: Path, out: Path, like: str | None, places: tuple[str, ...]) -> None:
    """Convert NETWORK.keras to a model file; refused where ONNX Runtime answers otherwise on real windows."""
    from export import network_file
    from export.convert import convert as write_model
    from export.convert import example_inputs

    with console.errors():
        if like is None:
            found = network_file.load(network)
            write_model(found.model, spec=found.spec, examples=found.examples, digests=found.digests, out=out)
        elif not places:
            raise click.UsageError("--like needs --data: recordings to compare Keras and ONNX Runtime on")
        else:
            spec = network_file.spec_like(load(like).spec, name=out.stem)
            clips = [clip for corpus in find_corpora(places) for clip in corpus.clips]
            examples = example_inputs(clips, spec=spec)
            write_model(network_file.load_model(network), spec=spec, examples=examples, out=out)
    click.echo(str(out))


@main.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write [default: stdout].")
def card(model: str, out: Path | None) -> None:
    """Write the model card of MODEL from its metadata."""
    with console.errors():
        text = write_card(load(model).spec)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


@main.command()
@click.argument("corpus", type=click.Choice(list(SOURCES)))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder that will hold its folder.")
def fetch(corpus: str, out: Path) -> None:
    """Download CORPUS from Kaggle, or say where to get it and where to put it."""
    from export.fetch import fetch as download

    with console.errors(), console.progress() as report:
        fetched = download(corpus, out=out, report=report)
    click.echo(str(fetched))


@main.command()
@click.option(
    "--data",
    "places",
    multiple=True,
    metavar="DIR|NAME=DIR",
    help="Corpora to measure on; without any, the tables are made of what was measured before.",
)
@click.option("--recipe", "names", multiple=True, type=click.Choice(list(RECIPES)), help="Repeatable.  [default: all]")
@click.option(
    "--protocol", "protocols", multiple=True, type=click.Choice(PROTOCOLS), help="Repeatable.  [default: all]"
)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for pieces and tables.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("cache"), show_default=True)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Trainings at a time.  [default: usable processors]")
def results(
    places: tuple[str, ...],
    names: tuple[str, ...],
    protocols: tuple[Protocol, ...],
    out: Path,
    cache: Path,
    jobs: int | None,
) -> None:
    """Measure all recipes under all protocols, and write the tables.

    Hours of training, in pieces that are kept as they finish: the same command goes on where it stopped.
    """
    from export.result_tables import write_tables
    from export.results import measure, plan

    with console.errors(), console.progress() as report:
        if places:
            cores = jobs or usable_cpus()
            corpora = {corpus.name: corpus for corpus in _decodable(find_corpora(places), cache, 0.1, report)}
            groups = plan(names or list(RECIPES), protocols or PROTOCOLS, list(corpora))
            if not groups:
                message = f"nothing to measure on {', '.join(corpora)}; expected tess, ravdess or emodb for a start"
                raise ExportError(message, code="no_data")
            measure(groups, corpora, place=out, cache=cache, jobs=cores, report=report)
        page = write_tables(out)
    click.echo(str(page))


@main.command()
@click.argument("model", type=click.Choice(["phone"]))
@data_option
@click.option("--calls", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Real calls, unlabelled.")
@click.option("--test", "names", multiple=True, metavar="NAME", help="Repeatable.  [default: all]")
@click.option("--seed", "seeds", multiple=True, type=int, help="Repeatable.  [default: 1, 2 and 3]")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for pieces and figures.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("cache"), show_default=True)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Trainings at a time.  [default: usable processors]")
def protocol(
    model: str,
    places: tuple[str, ...],
    calls: Path | None,
    names: tuple[str, ...],
    seeds: tuple[int, ...],
    out: Path,
    cache: Path,
    jobs: int | None,
) -> None:
    """Test the recipe of the default MODEL on strangers, other corpora, telephones and distortions.

    Hours of training, in pieces that are kept as they finish: the same command goes on where it stopped.
    """
    from export.phone_protocol import measure, measure_calls
    from export.phone_questions import SEEDS
    from export.phone_summary import write_summary

    chosen = _questions(names)
    with console.errors(), console.progress() as report:
        corpora = {corpus.name: corpus for corpus in _decodable(find_corpora(places), cache, 0.1, report)}
        pieces = out / "protocol"
        cores = jobs or usable_cpus()
        measure(chosen, corpora, place=pieces, cache=cache, jobs=cores, seeds=seeds or SEEDS, report=report)
        if calls is not None:
            measure_calls(calls, list(corpora.values()), model=model, place=pieces, report=report)
        page = write_summary(pieces, out)
    click.echo(str(page))


@main.command()
@click.argument("model", type=click.Choice(["phone"]))
@data_option
@click.option("--test", "name", required=True, metavar="NAME", help="Of `protocol`, whose tested clips are left alone.")
@click.option("--fold", type=click.IntRange(min=0), default=0, show_default=True, help="Which part is left alone.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--set", "changes", multiple=True, metavar="SETTING=VALUE", help="Repeatable.  [default: as it is]")
@click.option("--note", default="", help="What is tried.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=RESULTS / "search.jsonl", help="Of all trials.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("cache"), show_default=True)
def search(
    model: str,
    places: tuple[str, ...],
    name: str,
    fold: int,
    seed: int,
    changes: tuple[str, ...],
    note: str,
    out: Path,
    cache: Path,
) -> None:
    """Try one configuration of the default MODEL on inner speakers, and write down what it reaches."""
    from export.search import try_out

    (question,) = _questions([name])
    wanted = dict(console.pairs(changes, option="--set", form="SETTING=VALUE"))
    with console.errors(), console.progress() as report:
        corpora = {corpus.name: corpus for corpus in _decodable(find_corpora(places), cache, 0.1, report)}
        line = try_out(question, corpora, fold=fold, seed=seed, changes=wanted, note=note, cache=cache, log=out)
    click.echo(json.dumps(line))


def _questions(names: Sequence[str]) -> list[Question]:
    """The questions of these names, or all of them."""
    from export.phone_questions import QUESTIONS

    known = {question.name: question for question in QUESTIONS}
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(known)}", param_hint="--test")
    return [known[name] for name in names or known]


def _with_labels(recipe: Recipe, labels: str | None) -> Recipe:
    """The recipe with labels of the user's own."""
    if labels is None:
        return recipe
    parts = [item.partition(":") for item in labels.split(",")]
    own = {canonical(name): wish.strip() for name, _, wish in parts}
    sentiment = {name: wish or SENTIMENT.get(name, "") for name, wish in own.items()}
    unknown = [repr(name) for name, value in sentiment.items() if value not in SENTIMENTS]
    if unknown:
        message = (
            f"--labels: the sentiment of {', '.join(unknown)} is not known; expected NAME:SENTIMENT, SENTIMENT one"
        )
        raise ExportError(f"{message} of {', '.join(SENTIMENTS)}", code="unknown_label")
    return replace(recipe, labels=tuple(sorted(sentiment)), sentiment=MappingProxyType(sentiment))


def _usable(
    places: Sequence[str], recipe: Recipe, renamed: Mapping[str, str], *, cache: Path, report: Report
) -> tuple[tuple[Corpus, ...], tuple[tuple[str, str], ...]]:
    """Corpora with the recipe's labels and decodable clips alone, and what each label became; both are shown."""
    found = find_corpora(places)
    labels = {clip.label for corpus in found for clip in corpus.clips}
    counts_as = mapping(labels, onto=recipe.labels, renamed=renamed)
    frame_s = recipe.features.win_length / recipe.features.rate_hz
    corpora = _decodable(relabel(found, onto=recipe.labels, renamed=renamed), cache, frame_s, report)
    console.say_corpora(corpora, counts_as)
    return corpora, tuple((name, label) for name, label in counts_as.items() if label)


def _decodable(corpora: Sequence[Corpus], cache: Path, least_s: float, report: Report) -> tuple[Corpus, ...]:
    from export.usable import drop_unusable

    return drop_unusable(corpora, cache=cache, jobs=usable_cpus(), least_s=least_s, report=report)


if __name__ == "__main__":
    main()
