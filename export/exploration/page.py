"""One page of HTML to look through corpora with: tables and the pictures beside it.

It needs nothing but the pictures in its own folder: no script, no font, no style from elsewhere. Names come from files
and folders of strangers, so all of them are escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median
from urllib.parse import quote

from export.exploration.survey import OFFSET, QUIET_DBFS, Sound, Survey
from sertag.names import display_name

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --faint: #595959; --line: #d5d5d5; --back: #ffffff; --link: #005a8f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --faint: #a8a8a8; --line: #444444; --back: #181818; --link: #7cc0ef; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 1240px; margin: 0 auto; padding: 1rem 1.25rem 4rem; }
a { color: var(--link); }
h2 { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
.faint, figcaption { color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 0.5rem 0 1rem; }
th, td { padding: 0.25rem 0.9rem 0.25rem 0; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
thead th { vertical-align: bottom; font-weight: 600; white-space: normal; }
tbody th { font-weight: 400; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 36rem), 1fr)); gap: 1.25rem; }
figure { margin: 0; }
img { max-width: 100%; height: auto; background: #ffffff; border-radius: 4px; }
figcaption { font-size: 0.9rem; overflow-wrap: anywhere; }
summary { cursor: pointer; margin: 0.5rem 0; }
ul { overflow-wrap: anywhere; }
"""


@dataclass(frozen=True, slots=True)
class Example:
    """The clip that is shown for a label; `picture` is the path of its picture from the page, parts joined by `/`."""

    label: str
    sound: Sound
    picture: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """One corpus on the page.

    Attributes:
        survey: what was found.
        charts: description -> path of a picture from the page.
        examples: one a label.
    """

    survey: Survey
    charts: dict[str, str]
    examples: tuple[Example, ...]


def page(chapters: Sequence[Chapter]) -> str:
    """The whole page.

    >>> page([]).splitlines()[0]
    '<!doctype html>'
    """
    body = [
        "<h1>Corpora</h1>",
        _summary(chapters),
        '<p class="faint">The same as tables: '
        + ", ".join(f'<a href="{name}.csv">{name}.csv</a>' for name in ("corpora", "labels", "speakers", "clips"))
        + "</p>",
        *(_chapter(chapter, f"corpus-{number}") for number, chapter in enumerate(chapters, start=1)),
    ]
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Corpora</title>\n<style>{_STYLE}</style>"
    )
    inner = "\n".join(body)
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{inner}\n</body>\n</html>\n'


def _summary(chapters: Sequence[Chapter]) -> str:
    heads = ("corpus", "clips", "speakers", "labels", "hours", "shortest, s", "median, s", "longest, s")
    problems = (f"under {QUIET_DBFS:.0f} dBFS", f"DC over {OFFSET:.0%}", "truncated", "unreadable", "left out")
    rows = []
    for number, chapter in enumerate(chapters, start=1):
        own = chapter.survey
        seconds = own.durations_s
        span = [min(seconds), median(seconds), max(seconds)] if seconds else []
        rows.append(
            [
                f'<a href="#corpus-{number}">{_text(own.corpus.name)}</a>',
                *(str(len(what)) for what in (own.corpus.clips, own.speakers, own.labels)),
                f"{sum(seconds) / 3600:.2f}",
                *([f"{value:.2f}" for value in span] or ["-"] * 3),
                *(str(count) for count in (own.quiet, own.offset, len(own.truncated), len(own.unreadable))),
                str(sum(map(len, own.corpus.skipped.values()))),
            ]
        )
    return _table((*heads, *problems), rows)


def _chapter(chapter: Chapter, anchor: str) -> str:
    own = chapter.survey
    rates = ", ".join(f"{rate} Hz ({count} clips)" for rate, count in own.rates_hz.items())
    charts = (_figure(path, what, "", (800, 400)) for what, path in chapter.charts.items())
    examples = (_example(example) for example in chapter.examples)
    parts = [
        f'<h2 id="{anchor}">{_text(own.corpus.name)}</h2>',
        f"<p>Licence: {_text(own.corpus.licence)}. Sample rates: {rates or 'none could be read'}. "
        f"Largest DC offset: {max((abs(sound.offset) for sound in own.sounds), default=0.0):.3%} of full scale.</p>",
        f'<div class="pictures">{"".join(charts)}</div>',
        _speakers(own),
        *_sources(own),
        *_problems(own),
        "<h3>One clip of each emotion</h3>",
        '<p class="faint">Of each label the readable clip of median length.</p>',
        f'<div class="pictures">{"".join(examples)}</div>',
    ]
    return "\n".join(parts)


def _speakers(own: Survey) -> str:
    labels = list(own.labels)
    heads = ("", "clips", *(_text(label) for label in labels))
    whole = _table(heads, [["all", str(len(own.corpus.clips)), *(str(own.labels[label]) for label in labels)]])
    people = [
        [_text(speaker) or "not known", str(counts.total()), *(str(counts[label]) for label in labels)]
        for speaker, counts in own.speakers.items()
    ]
    by_speaker = f"<details><summary>by speaker ({len(people)})</summary>{_table(heads, people)}</details>"
    return f"<h3>Clips</h3>\n{whole}\n{by_speaker}"


def _sources(own: Survey) -> list[str]:
    """Where the clips are from, what kind of speech they are and under which licence, where a corpus says so."""
    clips = Counter((clip.source, clip.kind, clip.licence) for clip in own.corpus.clips if clip.source)
    if not clips:
        return []
    rows = [
        [_text(source), str(count), _text(kind), _text(licence)] for (source, kind, licence), count in clips.items()
    ]
    return ["<h3>Sources</h3>", _table(("source", "clips", "kind", "licence"), rows)]


def _problems(own: Survey) -> list[str]:
    """What a person should look at, each under its own fold; nothing where nothing is wrong."""
    found = {
        "could not be read": [item.message for item in own.unreadable],
        "truncated": [sound.truncated for sound in own.truncated],
        **{f"kept, but {flaw}": names for flaw, names in own.corpus.flawed.items()},
        **{f"left out: {reason}": names for reason, names in own.corpus.skipped.items()},
    }
    return [_fold(f"{len(names)} {what}", names) for what, names in found.items() if names]


def _fold(what: str, names: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(name)}</li>" for name in names)
    return f"<details><summary>{_text(what)}</summary><ul>{items}</ul></details>"


def _example(example: Example) -> str:
    sound = example.sound
    clip = sound.clip
    said = f", sentence {_text(clip.sentence)}" if clip.sentence else ""
    speaker = _text(clip.speaker) or "not known"
    caption = (
        f"<strong>{_text(example.label)}</strong>: {_text(clip.path.name)}, speaker {speaker}{said}, "
        f"{sound.duration_s:.2f} s, {sound.level_dbfs:.0f} dBFS"
    )
    return _figure(example.picture, f"waveform and spectrogram, {example.label}", caption, (900, 560))


def _figure(picture: str, alternative: str, caption: str, size_px: tuple[int, int]) -> str:
    size = 'width="{}" height="{}"'.format(*size_px)
    source = f'src="{quote(picture)}" alt="{_text(alternative)}"'
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f'<figure><img {source} {size} loading="lazy">{below}</figure>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in heads)
    lines = []
    for first, *others in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        lines.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    body = "\n".join(lines)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _text(name: str) -> str:
    return escape(display_name(name))
