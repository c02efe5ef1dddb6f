"""A folder to look at corpora with before anything is trained on them: tables, pictures and one page over both.

Nothing is drawn at random: of each emotion the clip of median length is shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, FileSystemLoader

from export.audio.clip_file import read_clip
from export.corpora.clips import Corpus
from export.exploration.survey import OFFSET, QUIET_DBFS, median_clip, problems, readable, summary, survey
from export.plots import durations, label_counts, waveform_and_spectrogram
from export.progress import Report
from export.tables import write_csv
from sertag.storage.atomic_output import Output
from sertag.text import decode_path, display_name, encode_path


def explore(corpora: tuple[Corpus, ...], *, out: Path, report: Report) -> Path:
    """Write what can be seen of corpora.

    - `index.html`, the page;
    - `corpora.csv`, `labels.csv`, `speakers.csv`, `clips.csv`: the same as tables;
    - `corpus-NAME/`: pictures of labels, durations, and of one clip a label.

    Args:
        corpora: what to look at; a clip that cannot be read is counted and named.
        out: the folder, made where it is not there.
        report: called with a corpus' name and the share of its clips that is done.

    Returns:
        The page.

    Raises:
        OutputError: a file cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    surveys = [(corpus, survey(corpus, report=report)) for corpus in corpora]
    _write_tables(surveys, out)
    page = _template().render(
        chapters=[_chapter(corpus, clips, out) for corpus, clips in surveys], quiet_dbfs=QUIET_DBFS, offset=OFFSET
    )
    place = out / "index.html"
    with Output(str(place)) as output:
        output.write(page.encode("utf-8", "backslashreplace"))
    return place


def _write_tables(surveys: list[tuple[Corpus, pd.DataFrame]], out: Path) -> None:
    clips = pd.concat([clips for _, clips in surveys], ignore_index=True)
    write_csv(out / "corpora.csv", pd.DataFrame([summary(corpus, own) for corpus, own in surveys]))
    for name, columns in (("labels", ["corpus", "label"]), ("speakers", ["corpus", "speaker", "label"])):
        counts = pd.concat([own.groupby(columns).size().reset_index(name="clips") for _, own in surveys])
        write_csv(out / f"{name}.csv", counts)
    write_csv(out / "clips.csv", clips)


def _chapter(corpus: Corpus, clips: pd.DataFrame, out: Path) -> dict[str, Any]:
    """What the page shows of one corpus; its pictures are drawn here. Paths are relative to the page."""
    folder = f"corpus-{_file_name(corpus.name)}"
    (out / folder).mkdir(exist_ok=True)
    title, sound = display_name(corpus.name), readable(clips)
    counts = pd.crosstab(clips["speaker"], clips["label"])
    charts = {f"clips of {title} by label": f"{folder}/labels.png"}
    label_counts(counts.sum().to_dict(), out / folder / "labels.png", title=f"{title}: clips by label")
    if len(sound):
        charts[f"durations of {title}"] = f"{folder}/durations.png"
        durations(list(sound["duration_s"]), out / folder / "durations.png", title=f"{title}: durations")
    return {
        **summary(corpus, clips),
        "skipped": sum(map(len, corpus.skipped.values())),
        "largest_offset": sound["dc_offset"].abs().max() if len(sound) else 0.0,
        "by_label": counts.sum().to_dict(),
        "by_speaker": counts.to_dict("index"),
        "sources": clips[clips["source"] != ""].value_counts(["source", "kind", "licence"], sort=False).to_dict(),
        "problems": problems(corpus, clips),
        "charts": charts,
        "examples": list(_examples(sound, out, folder)),
    }


def _examples(sound: pd.DataFrame, out: Path, folder: str) -> Iterator[dict[str, Any]]:
    for label, clips in sound.groupby("label"):
        row = median_clip(clips)
        path, rate_hz = Path(decode_path(row["path"])), int(row["rate_hz"])
        picture = f"{folder}/clip-{_file_name(str(label))}.png"
        title = f"{_shown(label)}: {display_name(path.name)}"
        waveform_and_spectrogram(read_clip(path, rate_hz=rate_hz), rate_hz, out / picture, title=title)
        yield {**row.to_dict(), "file": encode_path(path.name), "picture": picture}


def _template() -> Any:
    """The page; names come from other people's files and folders, so every value is made printable and escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    return environment.get_template("page.html.j2")


def _shown(value: Any) -> Any:
    """Text of a table as it can be printed; anything else, and what is HTML already, as it is."""
    return display_name(decode_path(value)) if type(value) is str else value


def _file_name(name: str) -> str:
    """A name that any file system takes, another one for every name."""
    return quote(os.fsencode(name), safe="")
