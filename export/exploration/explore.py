"""A folder to look at corpora with before anything is trained on them: tables, pictures and one page over both.

Station of the line: corpora -> survey -> **explore**. Nothing is drawn at random: of each emotion the clip of median
length is shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from urllib.parse import quote

from export.audio.clip_file import read_clip
from export.corpora.clips import Clip, Corpus
from export.exploration.page import Chapter, Example, page
from export.exploration.survey import Sound, Survey, survey
from export.plots import durations, label_counts, waveform_and_spectrogram
from export.progress import Report
from export.tables import Cell, write_csv
from sertag.names import display_name
from sertag.output import Output

_CORPORA = (
    "corpus",
    "licence",
    "clips",
    "speakers",
    "labels",
    "total_s",
    "shortest_s",
    "median_s",
    "longest_s",
    "rates_hz",
    "quiet",
    "dc_offset",
    "truncated",
    "unreadable",
    "left_out",
)
_CLIPS = (
    "corpus",
    "path",
    "speaker",
    "label",
    "sentence",
    "intensity",
    "licence",
    "source",
    "kind",
    "status",
    "message",
    "duration_s",
    "rate_hz",
    "channels",
    "dc_offset",
    "level_dbfs",
)


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
    surveys = [survey(corpus, report=report) for corpus in corpora]
    _write_tables(surveys, out)
    chapters = [_draw(own, out) for own in surveys]
    place = out / "index.html"
    with Output(str(place)) as output:
        output.write(page(chapters).encode("utf-8", "backslashreplace"))
    return place


def median_clip(sounds: Sequence[Sound]) -> Sound:
    """The clip of median length, the shorter of the two in the middle; ties go by path.

    Args:
        sounds: at least one.
    """
    ordered = sorted(sounds, key=lambda sound: (sound.duration_s, sound.clip.path))
    return ordered[(len(ordered) - 1) // 2]


def _draw(own: Survey, out: Path) -> Chapter:
    folder = f"corpus-{_file_name(own.corpus.name)}"
    (out / folder).mkdir(exist_ok=True)
    title = display_name(own.corpus.name)
    charts = {f"clips of {title} by label": f"{folder}/labels.png"}
    label_counts(own.labels, out / folder / "labels.png", title=f"{title}: clips by label")
    if own.sounds:
        charts[f"durations of {title}"] = f"{folder}/durations.png"
        durations(own.durations_s, out / folder / "durations.png", title=f"{title}: durations")
    return Chapter(own, charts, tuple(_examples(own, out, folder)))


def _examples(own: Survey, out: Path, folder: str) -> Iterator[Example]:
    by_label: dict[str, list[Sound]] = {}
    for sound in own.sounds:
        by_label.setdefault(sound.clip.label, []).append(sound)
    for label, sounds in sorted(by_label.items()):
        sound = median_clip(sounds)
        samples = read_clip(sound.clip.path, rate_hz=sound.rate_hz)
        picture = f"{folder}/clip-{_file_name(label)}.png"
        title = f"{display_name(label)}: {display_name(sound.clip.path.name)}"
        waveform_and_spectrogram(samples, sound.rate_hz, out / picture, title=title)
        yield Example(label, sound, picture)


def _file_name(name: str) -> str:
    """A name that any file system takes, another one for every name."""
    return quote(os.fsencode(name), safe="")


def _write_tables(surveys: Sequence[Survey], out: Path) -> None:
    write_csv(out / "corpora.csv", _CORPORA, [_corpus_row(own) for own in surveys])
    write_csv(
        out / "labels.csv",
        ("corpus", "label", "clips"),
        [(own.corpus.name, label, clips) for own in surveys for label, clips in own.labels.items()],
    )
    write_csv(
        out / "speakers.csv",
        ("corpus", "speaker", "label", "clips"),
        [
            (own.corpus.name, speaker, label, clips)
            for own in surveys
            for speaker, counts in own.speakers.items()
            for label, clips in counts.items()
        ],
    )
    write_csv(out / "clips.csv", _CLIPS, [row for own in surveys for row in _clip_rows(own)])


def _corpus_row(own: Survey) -> tuple[Cell, ...]:
    seconds = own.durations_s
    span = (min(seconds), median(seconds), max(seconds)) if seconds else (None, None, None)
    return (
        own.corpus.name,
        own.corpus.licence,
        len(own.corpus.clips),
        len(own.speakers),
        len(own.labels),
        sum(seconds),
        *span,
        "; ".join(f"{rate}: {count}" for rate, count in own.rates_hz.items()),
        own.quiet,
        own.offset,
        len(own.truncated),
        len(own.unreadable),
        "; ".join(f"{len(names)} {reason}" for reason, names in own.corpus.skipped.items()),
    )


def _clip_rows(own: Survey) -> Iterator[tuple[Cell, ...]]:
    for sound in own.sounds:
        clip = sound.clip
        status = "truncated" if sound.truncated else "ok"
        measured = (sound.duration_s, sound.rate_hz, sound.channels, sound.offset, sound.level_dbfs)
        yield (*_said(clip), status, sound.truncated, *measured)
    for item in own.unreadable:
        yield (*_said(item.clip), item.code, item.message, None, None, None, None, None)


def _said(clip: Clip) -> tuple[str, ...]:
    """What is known of a clip without decoding it."""
    words = (clip.speaker, clip.label, clip.sentence, clip.intensity, clip.licence, clip.source, clip.kind)
    return (clip.corpus, str(clip.path), *words)
