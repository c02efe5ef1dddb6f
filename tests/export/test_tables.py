"""CSV that programs read back and spreadsheets do not run."""

from __future__ import annotations

import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("pandas", reason="the extra `export` is not installed")

import pandas as pd

from export.tables import write_csv
from sertag.errors import OutputError

CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\x00"), max_size=8)


def test_figures_that_are_not_defined_are_empty_cells(tmp_path):
    table = pd.DataFrame({"a": [1, "x"], "b": [1 / 3, float("nan")], "c": [None, ""]})
    write_csv(tmp_path / "t.csv", table)
    assert (tmp_path / "t.csv").read_bytes() == b"a,b,c\n1,0.333333,\nx,,\n"


@given(cells=st.lists(CELLS, min_size=2, max_size=2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_text_comes_back_and_is_no_formula(tmp_path, cells):
    write_csv(tmp_path / "t.csv", pd.DataFrame([cells], columns=["a", "b"]))
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        _, found = csv.reader(file)
    for cell, own in zip(found, cells, strict=True):
        assert cell == own or cell == f"'{own}"
        assert not cell.startswith(("=", "+", "-", "@", "\t"))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@a", "\tb", "'=1"])
def test_a_formula_gets_a_quote_in_front(tmp_path, text):
    write_csv(tmp_path / "t.csv", pd.DataFrame({"a": [text, -1, -0.5]}))
    assert (tmp_path / "t.csv").read_text() == f"a\n'{text}\n-1\n-0.5\n"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"no/t\.csv"):
        write_csv(tmp_path / "no" / "t.csv", pd.DataFrame({"a": []}))
