"""The colours of the page: text stands out from what is behind it, in light and in dark."""

from __future__ import annotations

import re
from importlib import resources

import pytest

LEAST = 4.5  # WCAG 2.2, level AA, for text of ordinary size
# Text, and what it may stand on: the page, cards, a chosen row, a row under the pointer, a warning.
PAIRS = [
    *(("ink", behind) for behind in ("paper", "card", "picked", "track", "warn")),
    *(("soft", behind) for behind in ("paper", "card", "picked")),
    *(("accent", behind) for behind in ("paper", "card", "picked", "track")),
    ("card", "accent"),  # buttons
]
STYLES = resources.files("sertag.report.page").joinpath("assets/report.css").read_text()


def colour(name: str, theme: int) -> str:
    """`#rrggbb` of a variable; theme 0 is light, 1 is dark."""
    found = re.search(rf"--{name}: light-dark\(#(\w+), #(\w+)\)", STYLES)
    assert found is not None, name
    digits = found[1 + theme]
    return digits if len(digits) == 6 else "".join(2 * digit for digit in digits)


def luminance(digits: str) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_level_aa(theme: int) -> None:
    found = {}
    for text, behind in PAIRS:
        light, dark = sorted((luminance(colour(name, theme)) for name in (text, behind)), reverse=True)
        found[text, behind] = round((light + 0.05) / (dark + 0.05), 2)
    assert {pair: ratio for pair, ratio in found.items() if ratio < LEAST} == {}
