"""`explore` and `fetch`: recordings, before anything is learnt from them."""

from __future__ import annotations

from pathlib import Path

import click

from export.cli import console
from export.cli.console import data_option
from export.corpora.fetch import SOURCES
from export.corpora.loading import find_corpora


@click.command(short_help="Describe corpora before training.")
@data_option
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for the page and tables.")
def explore(places: tuple[str, ...], out: Path) -> None:
    """Describe corpora: counts of labels and speakers, durations, what is left out, one picture for each emotion.

    Writes index.html, pictures and CSV tables into the folder --out and prints the path of the page.

    \b
    Example:
      python -m export explore --data mine=recordings --out look
    """
    from export.exploration.explore import explore as write_page

    with console.errors(), console.progress() as report:
        page = write_page(find_corpora(places), out=out, report=report)
    click.echo(str(page))


@click.command(short_help="Download a corpus from Kaggle.")
@click.argument("corpus", type=click.Choice(list(SOURCES)))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder that will hold the corpus.")
def fetch(corpus: str, out: Path) -> None:
    """Download CORPUS from Kaggle into a folder of its own, or say where to get it by hand.

    Needs the extra `fetch`: python -m pip install '.[fetch]'.

    \b
    Example:
      python -m export fetch tess --out corpora
    """
    from export.corpora.fetch import fetch as download

    with console.errors(), console.progress() as report:
        fetched = download(corpus, out=out, report=report)
    click.echo(str(fetched))
