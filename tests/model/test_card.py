"""A card fits its terminal and says what the file says, whoever made it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from sertag.model.card import card
from sertag.model.model_file import describe


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_card_of_a_bundled_model(width: int) -> None:
    file = describe("phone")
    text = card(file.spec, path=file.path, sha256=file.sha256, width=width)
    longest = max(len(word) for word in (file.path, file.sha256))
    assert max(map(len, text.splitlines())) <= max(width, 16 + longest)
    flat = " ".join(text.split())
    assert "angry (negative), disgust (negative)" in flat
    windows, rows = file.spec.thresholds(None)
    assert f"{windows:g} for windows, {rows:g} for rows" in flat
    assert "tess (2800 clips, 2 speakers, CC BY-NC-ND 4.0)" in flat
    assert "phone.md" in "".join(text.split())  # a long path is broken anywhere


@pytest.mark.parametrize("training", [{}, {"corpora": "mine"}, {"corpora": [{"name": "\x1b[31m"}, 3]}])
def test_models_of_others_say_less_and_colour_nothing(training: dict[str, Any]) -> None:
    spec = replace(describe("phone").spec, licence="", probe=None, training=MappingProxyType(training))
    text = card(spec, path=__file__, sha256="00", width=80)
    assert "licence         not stated" in text
    assert "\x1b" not in text
    assert "no speech       detected by level and modulation alone" in text
