"""One self-contained file of static sections, data, styles and script, under a policy that lets nothing else in."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from importlib import resources
from string import Template

from sertag import __version__
from sertag.report.page.about import about
from sertag.report.page.data import Extras, compressed, document
from sertag.report.page.markup import patterns, text
from sertag.report.page.overview import Overview, sections
from sertag.text import plural


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above everything.

    Attributes:
        title: of the page.
        made: when it was made, in words.
    """

    title: str
    made: str


def page(heading: Heading, overview: Overview, extras: Extras) -> str:
    """The page.

    Args:
        heading: of the page.
        overview: what the static part says.
        extras: what calls have beside their rows.
    """
    script, styles = _asset("report.js"), _asset("report.css")
    calls = overview.calls
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
        data=compressed(document(calls, overview.marks, extras)),
        sounds=_sounds(overview, extras),
        script=script,
    )


def _policy(script: str, styles: str) -> str:
    """Nothing is loaded but recordings, and nothing is sent; only this script and these styles count."""
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
    """A block for each piece, so that the data are read without them."""
    blocks = []
    for index, call in enumerate(overview.calls.calls):
        sound = extras.sounds.get(call.path)
        if sound is not None:
            blocks.append(f'<script type="text/plain" id="sound-{index}">{sound.data}</script>')
    return "\n".join(blocks)


def _asset(name: str) -> str:
    return resources.files("sertag.report.page").joinpath("assets").joinpath(name).read_text(encoding="utf-8")
