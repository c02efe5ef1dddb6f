"""`python -m benchmarks.accuracy`: measure recipes in suites and in calls, write the tables."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.accuracy.store import RESULTS
from benchmarks.accuracy.suites import CALL_RECIPES, SUITES, possible
from export.cli import console
from export.cli.console import data_option, encoder_option
from export.corpora.clips import Corpus
from export.corpora.decodable import drop_unusable
from export.corpora.loading import find_corpora, relabel
from export.corpora.ordinary import NO_SPEECH
from export.errors import ExportError
from export.progress import Report
from export.recipes import RECIPES
from export.recipes.base import Recipe
from sertag.parallel.tasks import usable_cpus

_LEAST_S = 0.1  # of a clip
_cache = click.option("--cache", type=click.Path(path_type=Path), default=Path("cache"), show_default=True)
_out = click.option("-o", "--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder of the results.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure what recipes reach, and write the tables."""
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@main.command()
@data_option
@click.option("--suite", "suites", multiple=True, type=click.Choice(list(SUITES)), help="Repeatable.  [default: all]")
@click.option(
    "--recipe", "recipes", multiple=True, type=click.Choice(list(RECIPES)), help="Repeatable.  [default: all]"
)
@click.option("--seed", "seeds", multiple=True, type=int, help="Repeatable.  [default: those of the suites]")
@encoder_option
@_out
@_cache
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Runs at a time.  [default: usable processors]")
def measure(
    places: tuple[str, ...],
    suites: tuple[str, ...],
    recipes: tuple[str, ...],
    seeds: tuple[int, ...],
    encoder: Path | None,
    out: Path,
    cache: Path,
    jobs: int | None,
) -> None:
    """Measure the runs that are missing or out of date, and write the tables.

    Hours of training: the same command continues where it was stopped.
    """
    from benchmarks.accuracy import run, tables
    from export.features.encoder import find_encoder

    with console.errors(), console.progress() as report:
        corpora = _decodable(places, cache, report)
        asked = possible(suites or list(SUITES), list(corpora))
        if not asked:
            needed = "; ".join(f"{name}: {', '.join(SUITES[name].corpora)}" for name in suites or SUITES)
            message = f"no suite can be measured on {', '.join(corpora)}; needed are {needed}"
            raise ExportError(f"{message}; add --data NAME=DIR", code="no_data")
        work = run.plan(asked, recipes or list(RECIPES), seeds=seeds)
        front = find_encoder(encoder, cache=cache) if any(_needs_encoder(one.recipe) for one in work) else None
        run.measure(work, corpora, results=out, cache=cache, jobs=jobs or usable_cpus(), encoder=front, report=report)
        page = tables.write(out)
    click.echo(str(page))


@main.command()
@_out
def tables(out: Path) -> None:
    """Write recipes.csv and the page from what was measured."""
    from benchmarks.accuracy.tables import write

    with console.errors():
        click.echo(str(write(out)))


@main.command()
@click.argument("model", type=str)
@data_option
@click.option("--calls", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@_out
@_cache
def robustness(model: str, places: tuple[str, ...], calls: Path, out: Path, cache: Path) -> None:
    """Follow the labels of MODEL through distortions, of real calls that nobody labelled.

    Babble is made of the clips of --data.
    """
    from benchmarks.accuracy.robustness.survival import measure as follow
    from benchmarks.accuracy.tables import write
    from sertag.model.session import load

    with console.errors(), console.progress() as report:
        voices = [clip for corpus in _decodable(places, cache, report).values() for clip in corpus.clips]
        recordings = sorted(path for path in calls.iterdir() if path.is_file())
        follow(recordings, voices=voices, model=load(model), seed=1, out=out, report=report)
        page = write(out)
    click.echo(str(page))


@main.command()
@click.argument("recipe", type=click.Choice(CALL_RECIPES), metavar="RECIPE")
@data_option
@encoder_option
@click.option("--seed", "seeds", multiple=True, type=int, default=(1,), show_default=True, help="Repeatable.")
@click.option("--open", "trade", is_flag=True, help="Measure instead what training on open recordings alone costs.")
@_out
@_cache
def calls(
    recipe: str,
    places: tuple[str, ...],
    encoder: Path | None,
    seeds: tuple[int, ...],
    trade: bool,
    out: Path,
    cache: Path,
) -> None:
    r"""Measure RECIPE, one for calls, on unseen corpora, ordinary speech and simulated calls, and write the tables.

    --data holds two labelled corpora or more, `ordinary` speech and `no_speech`. Hours of training: the same command
    continues where it was stopped.

    \b
    Example:
      python -m benchmarks.accuracy calls phone-deep --data corpora --data ordinary=corpora/ordinary \
        --data no_speech=corpora/no_speech --encoder encoder.onnx --seed 1
    """
    from benchmarks.accuracy.call_runs import experiment_for, measure_calls, measure_open
    from benchmarks.accuracy.tables import write
    from export.features.encoder import find_encoder

    chosen = RECIPES[recipe]
    with console.errors(), console.progress() as report:
        found = relabel(find_corpora(places), onto=(*chosen.labels, NO_SPEECH))
        frame_s = chosen.features.win_length / chosen.features.rate_hz  # as `export train` does, for the same cache
        corpora = drop_unusable(found, cache=cache, jobs=usable_cpus(), least_s=frame_s, report=report)
        front = find_encoder(encoder, cache=cache) if _needs_encoder(chosen) else None
        experiment = experiment_for(chosen, corpora, encoder=front, cache=cache, report=report)
        for seed in seeds:
            if trade:
                measure_open(experiment, seed=seed, out=out)
            else:
                measure_calls(experiment, corpora, seed=seed, out=out)
        page = write(out)
    click.echo(str(page))


def _needs_encoder(recipe: Recipe) -> bool:
    """Whether a recipe or its teacher has a frozen encoder in front."""
    return recipe.encoder or bool(recipe.teacher)


def _decodable(places: Sequence[str], cache: Path, report: Report) -> dict[str, Corpus]:
    """Corpora by name, less the clips that nobody can learn from."""
    found = drop_unusable(find_corpora(places), cache=cache, jobs=usable_cpus(), least_s=_LEAST_S, report=report)
    return {corpus.name: corpus for corpus in found}


if __name__ == "__main__":
    main()
