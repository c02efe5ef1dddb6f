"""Small parts of HTML; all text is escaped here. Bars are SVG, because the policy allows no inline styles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from sertag.report.page.marks import COLOURS, STYLES
from sertag.text import clock as time_text
from sertag.text import display_text

Cell = str  # HTML


def text(value: str) -> str:
    """Untrusted text as HTML, on one line, escaped.

    >>> text("</script><img onerror=x>")
    '&lt;/script&gt;&lt;img onerror=x&gt;'
    """
    return escape(display_text(value))


def exactly(value: str) -> str:
    r"""Untrusted text for an attribute that a script compares; browsers read every character of it.

    >>> exactly("a\u202e<b>\n")
    'a&#8238;&lt;b&gt;&#10;'
    """
    return "".join(c if c.isprintable() else f"&#{ord(c)};" for c in escape(value))


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], *, caption: str, kind: str = "") -> str:
    """A table; the first cell of a row is its heading.

    Args:
        head: HTML of the headings; a leading `#` marks a numeric column.
        rows: HTML of the cells.
        caption: caption for screen readers.
        kind: CSS class of the table.
    """
    numeric = [name.startswith("#") for name in head]
    heads = "".join(
        _cell("th", name.lstrip("#"), number, ' scope="col"') for name, number in zip(head, numeric, strict=True)
    )
    lines = [
        _cell("th", row[0], numeric[0], ' scope="row"')
        + "".join(_cell("td", cell, number) for cell, number in zip(row[1:], numeric[1:], strict=True))
        for row in rows
    ]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    caption = f'<caption class="unseen">{caption}</caption>'
    inside = f"{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table class="{kind}">{inside}</table></div>'


def bar(parts: Iterable[tuple[float, str]], *, height: int = 10) -> str:
    """A stacked horizontal bar.

    Args:
        parts: share, 0 to 1, and style of each part.
        height: height in pixels.
    """
    at, shapes = 0.0, []
    for share, style in parts:
        if share > 0:
            shape = f'<rect x="{100 * at:.2f}%" width="{100 * share:.2f}%" height="{height}" fill="url(#h-{style})"/>'
            shapes.append(shape)
        at += share
    return f'<svg class="bar" width="100%" height="{height}" aria-hidden="true">{"".join(shapes)}</svg>'


def swatch(style: str, letter: str = "") -> str:
    """A small sample of a style with its letter."""
    inside = f'<rect width="18" height="14" rx="2" fill="url(#h-{style})"/>'
    inside += f'<text x="9" y="11">{escape(letter)}</text>' if letter else ""
    return f'<svg class="swatch" width="18" height="14" aria-hidden="true">{inside}</svg>'


def quarters(values: Sequence[float | None]) -> str:
    """Four small columns, one per quarter of a call, and the values as text."""
    said = ", ".join("none" if value is None else f"{100 * value:.0f} %" for value in values)
    shapes = []
    for index, value in enumerate(values):
        height = 1.0 if value is None else max(1.5, 14 * value)
        style = "track" if value is None else "bad"
        shapes.append(f'<rect class="{style}" x="{11 * index}" y="{14 - height:.1f}" width="9" height="{height:.1f}"/>')
    label = f'role="img" aria-label="negative by quarter: {said}"'
    return f'<svg width="42" height="14" {label}><title>{said}</title>{"".join(shapes)}</svg>'


def patterns() -> str:
    """The definitions of all hatchings."""
    made = []
    for style, path in STYLES.items():
        hatch = f'<path class="hatch l-{style}" d="{path}"/>' if path else ""
        tile = f'<rect fill="var(--{COLOURS.get(style, style)})" width="8" height="8"/>{hatch}'
        made.append(f'<pattern id="h-{style}" width="8" height="8" patternUnits="userSpaceOnUse">{tile}</pattern>')
    return f'<svg width="0" height="0" class="unseen" aria-hidden="true"><defs>{"".join(made)}</defs></svg>'


def section(name: str, title: str, inside: str, note: str = "") -> str:
    """A section with its heading and a note below; all arguments but `name` are HTML."""
    after = f'<p class="note">{note}</p>' if note else ""
    return f'<section id="{name}"><h2>{title}</h2>{inside}{after}</section>'


def recording_link(path: str) -> str:
    """The name of a recording, which opens it if scripts run; the title shows its folder."""
    name = path.rpartition("/")[2] or path
    return f'<a href="#call={quote(path, safe="")}" title="{text(path)}"><bdi>{text(name)}</bdi></a>'


def clock(seconds: float | None) -> str:
    """A time in a recording; empty for None.

    >>> clock(75.9), clock(3700), clock(None)
    ('1:15', '1:01:40', '')
    """
    return "" if seconds is None else time_text(seconds)


def percent(part: float, whole: float = 1.0) -> str:
    """A share in percent; empty if `whole` is 0.

    >>> percent(1, 8), percent(0, 0)
    ('12 %', '')
    """
    return f"{100 * part / whole:.0f} %" if whole else ""


def number(value: float | None, decimals: int = 2) -> str:
    """A number with fixed decimals; empty for None."""
    return "" if value is None else f"{value:,.{decimals}f}"


def _cell(tag: str, inside: str, numeric: bool, more: str = "") -> str:
    return f"<{tag}{more}{' class=n' if numeric else ''}>{inside}</{tag}>"
