"""`python -m benchmarks.accuracy`: measure recipes in suites, try configurations, write the tables."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.accuracy.store import RESULTS
from benchmarks.accuracy.suites import SUITES, possible
from export.cli import console
from export.cli.console import data_option
from export.corpora.clips import Corpus
from export.corpora.decodable import drop_unusable
from export.corpora.loading import find_corpora
from export.errors import ExportError
from export.progress import Report
from export.recipes import RECIPES
from sertag.parallel import usable_cpus

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
@_out
@_cache
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Runs at a time.  [default: usable processors]")
def measure(
    places: tuple[str, ...],
    suites: tuple[str, ...],
    recipes: tuple[str, ...],
    seeds: tuple[int, ...],
    out: Path,
    cache: Path,
    jobs: int | None,
) -> None:
    """Measure the runs that are missing or out of date, and write the tables.

    Hours of training: the same command continues where it was stopped.
    """
    from benchmarks.accuracy import run, tables

    with console.errors(), console.progress() as report:
        corpora = _decodable(places, cache, report)
        asked = possible(suites or list(SUITES), list(corpora))
        if not asked:
            needed = "; ".join(f"{name}: {', '.join(SUITES[name].corpora)}" for name in suites or SUITES)
            message = f"no suite can be measured on {', '.join(corpora)}; needed are {needed}"
            raise ExportError(f"{message}; add --data NAME=DIR", code="no_data")
        work = run.plan(asked, recipes or list(RECIPES), seeds=seeds)
        run.measure(work, corpora, results=out, cache=cache, jobs=jobs or usable_cpus(), report=report)
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
    from benchmarks.accuracy.robustness import measure as follow
    from benchmarks.accuracy.tables import write
    from sertag.model import load

    with console.errors(), console.progress() as report:
        voices = [clip for corpus in _decodable(places, cache, report).values() for clip in corpus.clips]
        recordings = {"real calls": sorted(path for path in calls.iterdir() if path.is_file())}
        follow(
            recordings,
            voices=voices,
            model=load(model),
            seed=1,
            out=out,
            report=lambda done, total: report("calls", done / total),
        )
        page = write(out)
    click.echo(str(page))


@main.command("try")
@click.argument("recipe", type=click.Choice(list(RECIPES)))
@data_option
@click.option("--suite", required=True, type=click.Choice(list(SUITES)), help="Whose tested clips are left alone.")
@click.option("--fold", type=click.IntRange(min=0), default=0, show_default=True, help="Which part is left alone.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Of the recipe. Repeatable.")
@click.option("--note", default="", help="What is tried.")
@_out
@_cache
def try_configuration(
    recipe: str,
    places: tuple[str, ...],
    suite: str,
    fold: int,
    seed: int,
    changes: tuple[str, ...],
    note: str,
    out: Path,
    cache: Path,
) -> None:
    """Try one configuration of RECIPE on inner speakers, and write down what it reaches."""
    from benchmarks.accuracy.trials import TRIALS, try_out

    wanted = dict(console.pairs(changes, option="--set", form="FIELD=VALUE"))
    with console.errors(), console.progress() as report:
        corpora = _decodable(places, cache, report)
        if not possible([suite], list(corpora)):
            message = f"suite {suite} needs {', '.join(SUITES[suite].corpora)}; add --data NAME=DIR"
            raise ExportError(message, code="no_data")
        row = try_out(
            SUITES[suite],
            RECIPES[recipe],
            corpora,
            fold=fold,
            seed=seed,
            changes=wanted,
            note=note,
            cache=cache,
            log=out / TRIALS,
        )
    click.echo(json.dumps(row))


def _decodable(places: Sequence[str], cache: Path, report: Report) -> dict[str, Corpus]:
    """Corpora by name, less the clips that nobody can learn from."""
    found = drop_unusable(find_corpora(places), cache=cache, jobs=usable_cpus(), least_s=_LEAST_S, report=report)
    return {corpus.name: corpus for corpus in found}


if __name__ == "__main__":
    main()
