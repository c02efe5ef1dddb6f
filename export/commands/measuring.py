"""`results`, `protocol`, `search` and `choose`: hours of training, kept as they finish, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from export import console
from export.clips import Corpus
from export.console import data_option
from export.corpora import find_corpora
from export.errors import ExportError
from export.protocols import PROTOCOLS, Protocol
from export.recipes import RECIPES
from export.report import Report
from export.usable import drop_unusable
from sertag.parallel import usable_cpus

if TYPE_CHECKING:
    from export.phone_questions import Question

_LEAST_S = 0.1  # of a clip
RESULTS = Path(__file__).parents[1] / "results"


@click.command()
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
            corpora = _decodable(places, cache, report)
            groups = plan(names or list(RECIPES), protocols or PROTOCOLS, list(corpora))
            if not groups:
                message = f"nothing to measure on {', '.join(corpora)}; expected tess, ravdess or emodb for a start"
                elsewhere = "; `phone` on strangers is measured by `protocol phone`" if "phone" in names else ""
                raise ExportError(message + elsewhere, code="no_data")
            measure(groups, corpora, place=out, cache=cache, jobs=cores, report=report)
        page = write_tables(out)
    click.echo(str(page))


@click.command()
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
    from export.phone_pieces import PROTOCOL
    from export.phone_protocol import measure
    from export.phone_questions import SEEDS
    from export.phone_summary import write_summary
    from export.phone_survival import measure_calls

    chosen = _questions(names)
    with console.errors(), console.progress() as report:
        corpora = _decodable(places, cache, report)
        pieces = out / PROTOCOL
        cores = jobs or usable_cpus()
        measure(chosen, corpora, place=pieces, cache=cache, jobs=cores, seeds=seeds or SEEDS, report=report)
        if calls is not None:
            measure_calls(calls, list(corpora.values()), model=model, place=pieces, report=report)
        page = write_summary(out)
    click.echo(str(page))


@click.command()
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
        corpora = _decodable(places, cache, report)
        line = try_out(question, corpora, fold=fold, seed=seed, changes=wanted, note=note, cache=cache, log=out)
    click.echo(json.dumps(line))


@click.command()
@click.argument("model", type=click.Choice(["phone"]))
@data_option
@click.option("-o", "--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for pieces and figures.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("cache"), show_default=True)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Trainings at a time.  [default: usable processors]")
def choose(model: str, places: tuple[str, ...], out: Path, cache: Path, jobs: int | None) -> None:
    """Make the main decisions of the default MODEL anew, for each corpus without its clips, and test what is chosen.

    Hours of training, in pieces that are kept as they finish: the same command goes on where it stopped.
    """
    from export import choice
    from export.phone_pieces import CHOICE, CHOSEN
    from export.phone_protocol import measure
    from export.phone_questions import QUESTIONS
    from export.phone_summary import write_summary

    with console.errors(), console.progress() as report:
        corpora = _decodable(places, cache, report)
        cores = jobs or usable_cpus()
        choice.measure(corpora, place=out / CHOICE, cache=cache, jobs=cores, report=report)
        chosen = choice.read_choice(out / CHOICE)["chosen"]
        measure(QUESTIONS, corpora, place=out / CHOSEN, cache=cache, jobs=cores, chosen=chosen, report=report)
        page = write_summary(out)
    click.echo(str(page))


def _decodable(places: Sequence[str], cache: Path, report: Report) -> dict[str, Corpus]:
    """Corpora by name, less the clips that nobody can learn from."""
    found = drop_unusable(find_corpora(places), cache=cache, jobs=usable_cpus(), least_s=_LEAST_S, report=report)
    return {corpus.name: corpus for corpus in found}


def _questions(names: Sequence[str]) -> list[Question]:
    """The questions of these names, or all of them."""
    from export.phone_questions import QUESTIONS

    known = {question.name: question for question in QUESTIONS}
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(known)}", param_hint="--test")
    return [known[name] for name in names or known]
