"""The README says what is true now: its generated parts are those of this code and of the committed results."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

import sertag
from benchmarks.readme import PARTS, README, accuracy, help_text, render, speed
from sertag.model import load
from sertag.names import encode_path
from sertag.rows import result_columns, segment_columns
from sertag.spec import ModelSpec


@pytest.fixture(scope="module")
def text() -> str:
    return README.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return load().spec


@pytest.mark.parametrize("part", [help_text, accuracy, speed], ids=lambda part: part.__name__)
def test_generated_parts_are_current(text: str, part: object) -> None:
    name = next(name for name, make in PARTS.items() if make is part)
    assert render(text, {name: part}) == text, "run `python -m benchmarks.readme`"


def test_the_example_is_what_the_first_command_gives(text: str) -> None:
    """Rounding may differ in the last digit between processors, so numbers are left out."""
    shown = render(text, {"example": PARTS["example"]})
    assert re.sub(r"\d+ ?%|[\d.]+ s", "", shown) == re.sub(r"\d+ ?%|[\d.]+ s", "", text), (
        "run `python -m benchmarks.readme`"
    )


def test_every_column_is_explained(text: str, spec: ModelSpec) -> None:
    explained = text[text.index("## The columns") : text.index("## How good it is")]
    names = {re.sub(r"^(p|frac)_(.+)$", r"\1_<label>", column.name) for column in result_columns(spec.labels)}
    names = {name for name in names if not name.endswith(("_q2", "_q3"))}  # written as a range
    assert [name for name in sorted(names) if f"`{name}`" not in explained] == []
    listed = re.sub(r"\s+", " ", explained)
    columns = ", ".join(column.name for column in segment_columns(spec.labels))
    columns = re.sub(r"p_\w+(, p_\w+)*", "p_<label>…", columns)
    assert columns in listed


@pytest.mark.parametrize(
    "name", [b"caf\xe9.wav", rb"caf\xe9.wav", b"\\\xe9\\x5c", "Grüße.wav".encode(), b"\xed\xa0\x80"]
)
def test_the_way_back_to_a_name_is_the_one_that_is_shown(text: str, name: bytes) -> None:
    (shown,) = re.findall(r"```python\n(def decode_path.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"os": os, "re": re}
    exec(shown, names)  # noqa: S102 - it is our own README
    assert os.fsencode(names["decode_path"](encode_path(os.fsdecode(name)))) == name
    assert names["decode_path"](encode_path(os.fsdecode(name))) == sertag.decode_path(encode_path(os.fsdecode(name)))


def test_a_part_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for 'speed'"):
        render("nothing here", {"speed": lambda: "x"})
