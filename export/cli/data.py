"""`explore`, `fetch` and `no-speech`: recordings, before anything is learnt from them."""

from __future__ import annotations

from pathlib import Path

import click

from export.cli import console
from export.cli.console import data_option, out_option
from export.corpora.fetch import SOURCES
from export.corpora.loading import find_corpora
from export.corpora.no_speech import Source, collect


@click.command(short_help="Describe corpora before training.")
@data_option
@out_option("Folder for the page and tables.")
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
@out_option("Folder that will hold the corpus.")
def fetch(corpus: str, out: Path) -> None:
    """Download CORPUS from Kaggle into a folder of its own, or say where to get it by hand.

    Needs the extra `fetch`: python -m pip install '.[fetch]'.

    \b
    Example:
      python -m export fetch tess --out corpora
    """
    from export.corpora.fetch import fetch as download

    with console.errors(), console.progress() as report:
        place, found = download(corpus, out=out, report=report)
    count, usable = SOURCES[corpus].recordings, len(found.clips)
    click.echo(f"{place}: all {count} recordings, {usable} usable; licence: {found.licence}")


@click.command("no-speech", short_help="Collect recordings in which nobody speaks.")
@click.argument("sources", nargs=-1, metavar="NAME=DIR:LICENCE …")
@out_option("Folder that will hold the corpus.")
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed of the synthesised sounds.")
def no_speech(sources: tuple[str, ...], out: Path, seed: int) -> None:
    """Collect the corpus no_speech, from which models for calls learn that not everything loud is speech.

    Each source is a folder with music, typing, engines or other recordings without speech, and their licence. Tones,
    keys, hiss and traffic are synthesised. The folder --out gets FLAC files and a manifest.csv, and is then given as
    --data no_speech=DIR.

    \b
    Example:
      python -m export no-speech "music=sounds/hold:CC BY 4.0" typing=sounds/keys:CC0 --out corpora/no_speech
    """
    parsed = [_source(word) for word in sources]
    with console.errors():
        collect(parsed, out=out, seed=seed)
    click.echo(str(out))


def _source(word: str) -> Source:
    """The value of an argument; the licence stands behind the last colon, which folders may have too."""
    name, _, rest = word.partition("=")
    folder, _, licence = rest.rpartition(":")
    if not (name and folder and licence):
        raise click.BadParameter(f"{word!r} is not NAME=DIR:LICENCE", param_hint="sources")
    return Source(name, Path(folder), licence)
