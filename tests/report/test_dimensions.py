"""Numbers that a model estimates, as arousal, in the page: the overview, the days, the table and the call."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sertag.report.build import Request, build
from sertag.report.calls import Range, load
from sertag.tables.columns import ModelInfo
from tests.report.tables import ALONE, BOTH, call, estimated, mixed, write_csv, write_jsonl
from tests.report.test_build import DATES, Parsed, data_in
from tests.results import LABELS


def text_of(table: str, out: Path) -> str:
    build(Request((table,), str(out), date_regex=DATES), warn=lambda message: None)
    return re.sub(r"\s+", " ", " ".join(Parsed(out.read_text()).text))


def test_both_kinds_of_tables_bring_them_with_the_windows(tmp_path: Path) -> None:
    results = estimated(mixed(), labels=True)
    inside = load([write_jsonl(tmp_path / "r.jsonl", results, origin=BOTH)])
    rows = write_csv(tmp_path / "r.csv", results, origin=BOTH)
    windows = write_csv(tmp_path / "s.csv", results, segments=True, origin=BOTH)
    assert load([rows], segments=[windows]).calls == inside.calls
    assert inside.dimensions == [Range("arousal", 1.0, 5.0), Range("depth", 0.25, 1.25)]
    assert json.loads(inside.calls[0].channels[1].windows)["values"] == [[1, 2, 3, 4, 5], [0.25] * 5]


def test_runs_with_and_without_dimensions_are_one_page(tmp_path: Path) -> None:
    plain = write_jsonl(tmp_path / "plain.jsonl", [call("a.wav", attention=0.5)])
    later = estimated([call("b.wav", attention=0.5)], labels=True)
    both = load([plain, write_jsonl(tmp_path / "both.jsonl", later, origin=BOTH)])
    without, having = (json.loads(one.channels[0].windows)["values"] for one in both.calls)
    assert (without, having) == ([[None, None], [None, None]], [[1, 2], [0.25, 0.25]])


def test_a_column_that_a_user_added_is_no_dimension_of_the_page(tmp_path: Path) -> None:
    table = Path(write_csv(tmp_path / "r.csv", mixed()))
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([head + ",d_note", *(row + ",later" for row in rows)]))
    assert load([str(table)]).dimensions == []


def test_the_overview_has_means_by_role_and_by_day(tmp_path: Path) -> None:
    said = text_of(write_jsonl(tmp_path / "r.jsonl", estimated(mixed(), labels=True), origin=BOTH), tmp_path / "p.html")
    assert "arousal agent 1.50 1.50 1.50 1.00 2.00 - 4.00" in said
    assert "arousal customer 1.83 1.00 3.00 1.00 2.00 - 4.00" in said
    assert "Day Recordings Negative Attention arousal depth Failed" in said
    assert "2026-03-02 1 50 % 0.56 2.25 0.25 0" in said
    page = (tmp_path / "p.html").read_text()
    assert re.findall(r'aria-label="(arousal[^"]*)"', page) == ["arousal from 2.25 to 1.50"]


def test_a_model_without_labels_has_a_page_without_what_needs_them(tmp_path: Path) -> None:
    table = write_jsonl(tmp_path / "r.jsonl", estimated(mixed(), labels=False), origin=ALONE)
    said = text_of(table, tmp_path / "p.html")
    for part in (
        "Scored 8 80 % of the channels",
        "Arousal 1.56 on average",
        "no call comes first",
        "ok 8 80 % was scored",
        "Day Recordings arousal depth Failed",
    ):
        assert part in said, part
    heads = re.findall(r'data-key="(\w+)"', (tmp_path / "p.html").read_text())
    assert heads[:5] == ["name", "who", "day", "result", "d_arousal"]
    assert not {"attention", "confidence", "trend", "peak_start_s"} & set(heads)
    assert json.loads(data_in((tmp_path / "p.html").read_text())["rows"]["windows"][0])["code"] == [-1, -1]


def test_a_name_of_a_dimension_is_text(tmp_path: Path) -> None:
    hostile = ModelInfo(LABELS, "m", "ab" * 32, ("<i>&", "depth"))
    table = write_jsonl(tmp_path / "r.jsonl", estimated([call("a.wav", attention=0.5)], labels=True), origin=hostile)
    assert "<i>& agent 1.50" in text_of(table, tmp_path / "p.html")
    assert "i" not in Parsed((tmp_path / "p.html").read_text()).tags
