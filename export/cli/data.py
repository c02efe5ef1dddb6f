"""`explore` and `fetch`: recordings, before anything is learnt from them."""

from __future__ import annotations

from pathlib import Path

import click

from export.cli import console
from export.cli.console import data_option
from export.corpora.fetch import SOURCES
from export.corpora.loading import find_corpora


@click.command()
@data_option
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for the page.")
def explore(places: tuple[str, ...], out: Path) -> None:
    """Look through corpora: counts of labels and speakers, durations, a picture for each emotion.

    Writes index.html, pictures and tables into the out folder.
    """
    from export.exploration.explore import explore as write_page

    with console.errors(), console.progress() as report:
        page = write_page(find_corpora(places), out=out, report=report)
    click.echo(str(page))


@click.command()
@click.argument("corpus", type=click.Choice(list(SOURCES)))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder that will hold its folder.")
def fetch(corpus: str, out: Path) -> None:
    """Download CORPUS from Kaggle, or say where to get it and where to put it."""
    from export.corpora.fetch import fetch as download

    with console.errors(), console.progress() as report:
        fetched = download(corpus, out=out, report=report)
    click.echo(str(fetched))
