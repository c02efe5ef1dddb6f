"""Rows are chosen by filters and by SQL, which can touch no files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sertag.analysis.groups import LAW
from sertag.analysis.loading import Loaded
from sertag.analysis.selection import SelectionError, kinds, query, restrict, restrict_both, worst
from tests.analysis.tables import call, loaded, night


@pytest.fixture
def table(tmp_path: Path) -> Loaded:
    return loaded(tmp_path, night())


def test_a_filter_keeps_rows_and_their_windows(table: Loaded) -> None:
    restrict(table, "role = customer and day = 2026-03-03")
    assert [row["path"][-8:-4] for row in table.rows] == ["0001", "0003", "0005"]
    assert {(one["path"], one["channel"]) for one in table.windows} == {(row["path"], 1) for row in table.rows}
    assert any("days are from the names of 6 recordings" in remark for remark in table.remarks)


def test_windows_alone_can_be_filtered(table: Loaded) -> None:
    table.rows.clear()
    table.with_rows = False
    restrict(table, "role = customer and start_s >= 2")
    assert len(table.windows) == 6


def test_a_role_that_nobody_has_is_said(table: Loaded) -> None:
    restrict(table, "role = custommer")
    assert table.rows == []
    assert "no row has the role 'custommer'; there is agent, customer" in table.remarks


def test_a_row_that_is_chosen_in_one_table_is_looked_at_in_both(tmp_path: Path) -> None:
    old = loaded(tmp_path, [call("a.wav", {"attention": 0.9}), call("b.wav", {"attention": 0.1})], "a.jsonl")
    new = loaded(tmp_path, [call("a.wav", {"attention": 0.2}), call("b.wav", {"attention": 0.2})], "b.jsonl")
    restrict_both(old, new, "attention > 0.5")
    assert [row["attention"] for row in old.rows + new.rows] == [0.9, 0.2]


def test_the_worst_come_first_and_rows_without_a_value_last(table: Loaded) -> None:
    found = worst(table, "attention", 100)
    assert [row["attention"] for row in found[:2]] == [0.9, 0.89]
    assert [row["path"] for row in found[-2:]] == ["r/quiet.wav", "r/text.wav"]
    with pytest.raises(SelectionError, match="no column of numbers 'atention' to sort by; did you mean 'attention'"):
        worst(table, "atention", 1)
    with pytest.raises(SelectionError, match="no column of numbers 'role'"):
        worst(table, "role", 1)


def test_a_column_without_a_value_is_said(table: Loaded) -> None:
    for row in table.rows:
        row["attention"] = None
    assert worst(table, "attention", 2) == table.rows[:2]
    assert table.remarks[-1] == "no row has a value in attention; the rows are in the order of the table"
    said = len(table.remarks)
    table.rows = [row for row in table.rows if row["emotion"] is None]
    assert worst(table, "attention", 9) == table.rows
    assert len(table.remarks) == said, "rows without an emotion never have one"


def test_columns_are_those_that_are_named(table: Loaded) -> None:
    assert kinds(table, ("file", "attention")) == {"file": "text", "attention": "probability"}
    assert table.rows[0]["file"] == "2026-03-02_0000.wav"
    with pytest.raises(SelectionError, match="no column 'rol'; did you mean 'role'"):
        kinds(table, ("rol",))


def test_sql(table: Loaded) -> None:
    pytest.importorskip("duckdb")
    names, rows = query(
        table,
        "SELECT day, count(*) AS n, max(attention) AS worst FROM results WHERE role = 'customer' "
        "GROUP BY day ORDER BY day",
    )
    assert names == ["day", "n", "worst"]
    assert rows == [("2026-03-02", 3, 0.9), ("2026-03-03", 3, 0.89)]
    assert query(table, "SELECT count(*) FROM results WHERE attention IS NULL AND segments IS NULL")[1] == [(1,)]
    assert query(table, "SELECT count(*) FROM windows")[1] == [(24,)]
    table.rows.clear()
    assert query(table, "SELECT count(*), count(attention) FROM results")[1] == [(0, 0)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY results TO 'x.csv'",
        "SET enable_external_access = true",
        "ATTACH 'x.db'",
        "SELECT rol FROM results",
    ],
)
def test_sql_touches_no_files(table: Loaded, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SelectionError, match="--sql: "):
        query(table, sql)
    assert sorted(tmp_path.iterdir()) == before


def test_names_that_sql_cannot_tell_apart_are_an_error_of_one_line(table: Loaded) -> None:
    pytest.importorskip("duckdb")
    table.added = ("Status",)
    with pytest.raises(SelectionError, match=r"(?i)--sql: .*status"):
        query(table, "SELECT 1")


def test_sql_over_agents_has_the_law_beside_it(table: Loaded) -> None:
    pytest.importorskip("duckdb")
    for row in table.rows:
        row["agent"] = "7"
    table.added = ("agent",)
    query(table, "SELECT count(*) FROM results")
    said = len(table.remarks)
    query(table, "SELECT Agent, avg(attention) FROM results WHERE role = 'customer' GROUP BY agent")
    assert table.remarks[said:] == [f"columns of persons at work: choose the channels of customers alone. {LAW}"]


def test_sql_without_the_extra_says_what_to_install(table: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(SelectionError, match=r"pip install 'sertag\[sql\]'"):
        query(table, "SELECT 1")
