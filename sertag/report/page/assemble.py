"""Assembles the page: one file with static sections, data, styles and script, and a policy against anything else."""

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
