"""A folder to look at corpora with before anything is trained on them: tables, pictures and one page over both.

Clips are decoded at their own rate and mixed down. Levels are dBFS of the mean square, offsets shares of full scale.
Names are text as in sertag's tables. Nothing is drawn at random: of each emotion the clip of median length is shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, FileSystemLoader

from export.audio.clip_file import read_clip
from export.corpora.clips import Corpus
from export.corpora.decodable import OK, TRUNCATED, Examined, examine
from export.plots import durations, label_counts, waveform_and_spectrogram
from export.progress import Report
from export.tables import write_csv
from sertag.storage.atomic_output import Output
from sertag.text import decode_path, display_name, encode_path

QUIET_DBFS = -50.0  # an eighth of RAVDESS is under it, no clip of TESS or EmoDB
OFFSET = 0.01  # of full scale: a constant as strong as speech at -40 dBFS

_KNOWN = ("corpus", "path", "speaker", "label", "sentence", "intensity", "licence", "source", "kind")


def explore(corpora: tuple[Corpus, ...], *, out: Path, report: Report) -> Path:
    """Write what can be seen of corpora: a page, which is returned, tables, and a folder of pictures a corpus."""
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


def survey(corpus: Corpus, *, report: Report) -> pd.DataFrame:
    """Decode every clip of a corpus: a row for each; what was measured is empty for clips that cannot be read."""
    rows = []
    for number, clip in enumerate(corpus.clips, start=1):
        found = examine(clip.path)._asdict()
        known = {name: encode_path(str(getattr(clip, name))) for name in _KNOWN}
        rows.append({**known, **found, "message": encode_path(found["message"])})
        report(corpus.name, number / len(corpus.clips))
    return pd.DataFrame(rows, columns=[*_KNOWN, *Examined._fields])


def readable(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips that could be decoded, whole or in part."""
    return clips[clips["status"].isin([OK, TRUNCATED])]


def summary(corpus: Corpus, clips: pd.DataFrame) -> dict[str, Any]:
    """What is counted over a corpus and the clips that `survey` found: its row in the table of corpora."""
    sound = readable(clips)
    seconds = sound["duration_s"].astype(float)
    rates = sound["rate_hz"].astype(int).value_counts().sort_index()
    return {
        "corpus": encode_path(corpus.name),
        "licence": encode_path(corpus.licence),
        "clips": len(clips),
        "speakers": clips["speaker"].nunique(),
        "labels": clips["label"].nunique(),
        "total_s": seconds.sum(),
        "shortest_s": seconds.min(),
        "median_s": seconds.median(),
        "longest_s": seconds.max(),
        "rates_hz": "; ".join(f"{rate}: {count}" for rate, count in rates.items()),
        "quiet": int((sound["level_dbfs"] < QUIET_DBFS).sum()),
        "dc_offset": int((sound["dc_offset"].abs() > OFFSET).sum()),
        "truncated": int((clips["status"] == TRUNCATED).sum()),
        "unreadable": len(clips) - len(sound),
        "left_out": encode_path("; ".join(f"{len(names)} {reason}" for reason, names in corpus.skipped.items())),
    }


def problems(corpus: Corpus, clips: pd.DataFrame) -> Mapping[str, Sequence[str]]:
    """What a person should look at: what is wrong -> names or messages; nothing where nothing is wrong."""
    messages = clips.loc[clips["status"] != OK, ["status", "message"]]
    found = {
        "could not be read": list(messages.loc[messages["status"] != TRUNCATED, "message"]),
        "truncated": list(messages.loc[messages["status"] == TRUNCATED, "message"]),
        **{f"kept, but {encode_path(flaw)}": [*map(encode_path, names)] for flaw, names in corpus.flawed.items()},
        **{f"left out: {encode_path(why)}": [*map(encode_path, names)] for why, names in corpus.skipped.items()},
    }
    return {what: names for what, names in found.items() if names}


def median_clip(clips: pd.DataFrame) -> Any:
    """The row of the readable clip of median length, the shorter of the two in the middle; ties go by path."""
    return clips.sort_values(["duration_s", "path"]).iloc[(len(clips) - 1) // 2]


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
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, finalize=_shown, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("page.html.j2")


def _shown(value: Any) -> Any:
    """Text of a table as it can be printed; anything else, and what is HTML already, as it is."""
    return display_name(decode_path(value)) if type(value) is str else value


def _file_name(name: str) -> str:
    """A name that any file system takes, another one for every name."""
    return quote(os.fsencode(name), safe="")
