"""`python -m benchmarks.accuracy`: measure recipes in suites and in calls, write the tables."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from benchmarks.accuracy.store import RESULTS
from benchmarks.accuracy.suites import CALL_RECIPES, SUITES, possible
from export.cli import console
from export.cli.console import data_option, encoder_option
from export.corpora.clips import Corpus
from export.corpora.decodable import drop_unusable
from export.corpora.loading import find_corpora, relabel
from export.corpora.own_data import NO_SPEECH
from export.errors import ExportError
from export.progress import Report
from export.recipes import RECIPES
from sertag.parallel.tasks import usable_cpus

_LEAST_S = 0.1  # of a clip
_cache = click.option("--cache", type=click.Path(path_type=Path), default=Path("cache"), show_default=True)
_out = click.option("-o", "--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder of the results.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure what recipes reach, and write the tables.

    Commands take hours; the same command continues where it was stopped.
    """
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@main.command()
@data_option
@click.option("--suite", "suites", multiple=True, type=click.Choice(list(SUITES)), help="Repeatable.  [default: all]")
@click.option("--recipe", "recipes", multiple=True, type=click.Choice([*RECIPES]), help="Repeatable.  [default: all]")
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
    """Measure the runs that are missing or out of date, and write the tables."""
    from benchmarks.accuracy import run

    with console.errors(), console.progress() as report:
        corpora = {corpus.name: corpus for corpus in _decodable(places, report)}
        asked = possible(suites or list(SUITES), list(corpora))
        if not asked:
            needed = "; ".join(f"{name}: {', '.join(SUITES[name].corpora)}" for name in suites or SUITES)
            message = f"no suite can be measured on {', '.join(corpora)}; needed are {needed}"
            raise ExportError(f"{message}; add --data NAME=DIR", code="no_data")
        work = run.plan(asked, recipes or list(RECIPES), seeds=seeds)
        front = _encoder(encoder, {one.recipe.name for one in work}, cache)
        run.measure(work, corpora, results=out, cache=cache, jobs=jobs or usable_cpus(), encoder=front, report=report)
        _write_tables(out)


@main.command()
@_out
def tables(out: Path) -> None:
    """Write recipes.csv and the page from what was measured."""
    with console.errors():
        _write_tables(out)


@main.command()
@click.argument("model", type=str)
@data_option
@click.option("--calls", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@_out
def robustness(model: str, places: tuple[str, ...], calls: Path, out: Path) -> None:
    """Follow the labels of MODEL through distortions, of real calls that nobody labelled.

    Babble is made of the clips of --data.
    """
    from benchmarks.accuracy.robustness import measure as follow
    from sertag.model.session import load

    with console.errors(), console.progress() as report:
        voices = [clip for corpus in _decodable(places, report) for clip in corpus.clips]
        recordings = sorted(path for path in calls.iterdir() if path.is_file())
        follow(recordings, voices=voices, model=load(model), seed=1, out=out, report=report)
        _write_tables(out)


@main.command()
@click.argument("recipe", type=click.Choice(CALL_RECIPES), metavar="RECIPE")
@data_option
@encoder_option
@click.option("--seed", "seeds", multiple=True, type=int, default=(1,), show_default=True, help="Repeatable.")
@click.option("--open", "trade", is_flag=True, help="Measure instead what training on open recordings alone costs.")
@_out
@_cache
def calls(
    recipe: str, places: Sequence[str], encoder: Path | None, seeds: Sequence[int], trade: bool, out: Path, cache: Path
) -> None:
    r"""Measure RECIPE, one for calls, on unseen corpora, ordinary speech and simulated calls, and write the tables.

    --data holds two labelled corpora or more, `ordinary` speech and `no_speech`.

    \b
    Example:
      python -m benchmarks.accuracy calls phone-deep --data corpora --data ordinary=corpora/ordinary \
        --data no_speech=corpora/no_speech --encoder encoder.onnx --seed 1
    """
    from benchmarks.accuracy.run import experiment_for, measure_calls, measure_open
    from export.recipes.base import restrict_labels

    chosen = RECIPES[recipe]
    with console.errors(), console.progress() as report:
        found: Sequence[Corpus] = relabel(find_corpora(places), onto=(*chosen.labels, NO_SPEECH))
        frame_s = chosen.features.win_length / chosen.features.rate_hz  # as `export train` does, for the same cache
        corpora = drop_unusable(found, jobs=usable_cpus(), least_s=frame_s, report=report)
        front = _encoder(encoder, [recipe], cache)
        clips = [clip for corpus in corpora for clip in corpus.clips]
        chosen = restrict_labels(chosen, {clip.label for clip in clips})
        experiment = experiment_for(chosen, clips, encoder=front, cache=cache, report=report)
        for seed in seeds:
            if trade:
                measure_open(experiment, seed=seed, out=out)
            else:
                measure_calls(experiment, corpora, seed=seed, out=out)
        _write_tables(out)


def _decodable(places: Sequence[str], report: Report) -> tuple[Corpus, ...]:
    return drop_unusable(find_corpora(places), jobs=usable_cpus(), least_s=_LEAST_S, report=report)


def _encoder(encoder: Path | None, recipes: Iterable[str], cache: Path) -> Path | None:
    """The frozen encoder, where a recipe or its teacher has one in front."""
    from export.features.encoder import find_encoder

    needed = any(RECIPES[name].encoder or RECIPES[name].teacher for name in recipes)
    return find_encoder(encoder, cache=cache) if needed else None


def _write_tables(out: Path) -> None:
    from benchmarks.accuracy.tables import write

    click.echo(str(write(out)))


if __name__ == "__main__":
    main()
