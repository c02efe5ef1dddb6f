"""The committed tables and pages say what the committed pieces and today's code do, and nothing else."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("matplotlib", reason="the extra `export` is not installed")
pytest.importorskip("keras", reason="the extra `export` is not installed")

from export import phone_page, result_tables
from export.commands.measuring import RESULTS
from export.phone_protocol import code_of_training
from export.phone_summary import summary_of


def test_the_tables_of_all_recipes_are_those_of_the_pieces() -> None:
    cells = result_tables.read_cells(RESULTS)
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert page == result_tables.as_markdown(cells), "run `python -m export results`"
    assert len(json.loads((RESULTS / "summary.json").read_text(encoding="utf-8"))) == len(cells)


def test_the_page_of_the_default_model_is_that_of_its_pieces() -> None:
    summary = summary_of(RESULTS)
    assert json.loads((RESULTS / "phone.json").read_text(encoding="utf-8")) == summary, "run `export protocol phone`"
    page = (RESULTS / "phone.md").read_text(encoding="utf-8")
    assert page == phone_page.as_markdown(summary, code=code_of_training())
