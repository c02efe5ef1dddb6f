"""Assembles the page: one file with static sections, data, styles and script, and a policy against anything else."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from importlib import resources
from string import Template

from sertag import __version__
from sertag.report.page.data import Extras, compressed, document
from sertag.report.page.listing import listing
from sertag.report.page.markup import patterns, text
from sertag.report.page.sections.about import about
from sertag.report.page.sections.overview import Overview, sections
from sertag.text import plural

_COMMENT = re.compile(r"(^|\s)// .*$")
_AROUND = re.compile(r"\s*([{};,])\s*|(?<=:)\s+")


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of the page.

    Attributes:
        title: title of the page.
        made: time of creation, as text.
    """

    title: str
    made: str


def page(heading: Heading, overview: Overview, extras: Extras) -> str:
    """The page as HTML.

    Args:
        heading: the heading.
        overview: content of the static part.
        extras: sources, days, sounds and waveforms of the calls.
    """
    script, styles = without_comments(_asset("report.js")), without_spaces(_asset("report.css"))
    calls, head = overview.calls, listing(overview.calls, overview.days)
    from_tables = ", ".join(text(name) for name in calls.tables[:3])
    if len(calls.tables) > 3:
        from_tables += f" and {plural(len(calls.tables) - 3, 'more table')}"
    return Template(_asset("page.html")).substitute(
        title=text(heading.title),
        policy=_policy(script, styles),
        styles=styles,
        patterns=patterns(),
        lead=f"From {from_tables}. Made {text(heading.made)} by sertag {__version__}.",
        notes="".join(f'<p class="warning">{text(note)}</p>' for note in calls.notes),
        sections=sections(overview),
        about=about(calls.models),
        heads=head.heads,
        width=str(head.width),
        filters=head.filters,
        data=compressed(document(calls, overview.marks, extras)),
        sounds=_sounds(overview, extras),
        script=script,
    )


def without_spaces(styles: str) -> str:
    r"""Styles without the spaces around punctuation, which texts in them must not hold.

    >>> without_spaces("a,\n b:hover { color: red;\n  .c & { margin: 0 1px; } }\n")
    'a,b:hover{color:red;.c &{margin:0 1px}}'
    """
    return _AROUND.sub(r"\1", styles).replace(";}", "}").strip()


def without_comments(script: str) -> str:
    r"""A script without indents, empty lines and comments, which are a tenth of it.

    A comment is what follows `//` at the beginning of a line or behind a space, so no text in it may hold ` // `.

    >>> without_comments("// why\n  a = 'http://b'; // what\n\n  c();\n")
    "a = 'http://b';\nc();\n"
    """
    lines = (_COMMENT.sub("", line).strip() for line in script.splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def _policy(script: str, styles: str) -> str:
    """Content Security Policy: only recordings are loaded, nothing is sent, only this script and these styles apply."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(styles)}'",
            "media-src 'self' file: data:",
            "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(content: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _sounds(overview: Overview, extras: Extras) -> str:
    """One block per sound, so that the data can be read without them."""
    blocks = []
    for index, call in enumerate(overview.calls.calls):
        sound = extras.sounds.get(call.path)
        if sound is not None:
            blocks.append(f'<script type="text/plain" id="sound-{index}">{sound.data}</script>')
    return "\n".join(blocks)


def _asset(name: str) -> str:
    return resources.files("sertag.report.page").joinpath("assets").joinpath(name).read_text(encoding="utf-8")
