"""Any tables become calls, each once, with their windows; what does not fit is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sertag.report.calls import Calls, load
from sertag.report.page.sections.listen_first import worst_calls
from sertag.tables.reading.sources import TableError
from tests.report.tables import call, mixed, write_csv, write_jsonl
from tests.results import LABELS


def test_a_table_of_windows_says_the_same_as_windows_inside(tmp_path: Path) -> None:
    inside = load([write_jsonl(tmp_path / "r.jsonl", mixed())])
    results, windows = write_csv(tmp_path / "r.csv", mixed()), write_csv(tmp_path / "s.csv", mixed(), segments=True)
    for beside in (load([results], segments=[windows]), load([windows, results])):
        assert beside.calls == inside.calls
        assert beside.notes == []
    packed = json.loads(inside.calls[0].channels[1].windows)
    assert packed["start"] == [0, 2000, 4000, 6000, 8000]
    assert packed["code"] == [0, 2, -4, 0, 2]
    assert (inside.labels, inside.sentiments["angry"]) == (list(LABELS), "negative")


def test_of_several_nights_the_last_table_counts(tmp_path: Path) -> None:
    first = write_csv(tmp_path / "1.csv", [call("a.wav", attention=0.1), call("b.wav", attention=0.2)])
    second = write_csv(tmp_path / "2.csv", [call("b.wav", attention=0.9), call("c.wav", attention=0.3)])
    both = load([first, second])
    assert [one.path for one in both.calls] == ["a.wav", "b.wav", "c.wav"]
    assert [one.path for one in worst_calls(both.calls)] == ["b.wav", "c.wav", "a.wav"]
    assert both.notes == ["1 recording in more than one table; the rows of the table that was named last count"]


def old_schema(path: Path) -> str:
    """A table as schema 1 wrote it, without what came later."""
    text = Path(write_csv(path, [call("a.wav", attention=0.9)])).read_text().splitlines()
    cells = [line.split(",") for line in text]
    end = cells[0].index("schema") + 1
    path.write_text("\n".join(",".join([*line[: end - 1], "schema" if not n else "1"]) for n, line in enumerate(cells)))
    return str(path)


def test_tables_of_schema_1_have_calls_to_listen_to_as_well(tmp_path: Path) -> None:
    old = load([old_schema(tmp_path / "old.csv")])
    assert [model.schema for model in old.models] == [1]
    worst = worst_calls(old.calls)[0].worst
    assert worst is not None
    assert (worst.number("attention"), worst.urgency) == (None, 0.7)


def test_a_cut_table_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    table = tmp_path / "r.jsonl"
    write_jsonl(table, mixed())
    table.write_text(table.read_text()[:-40])
    cut = load([str(table)])
    assert len(cut.calls) == len(mixed()) - 1
    assert "last line was cut" in cut.notes[0]


def test_windows_of_another_run_are_left_out(tmp_path: Path) -> None:
    windows = write_csv(tmp_path / "s.csv", [call("other.wav", attention=0.5)], segments=True)
    calls = load([write_csv(tmp_path / "r.csv", [call("a.wav", attention=0.5)])], segments=[windows])
    assert calls.notes == ["windows of 2 channels belong to no row and are left out; are the tables of the same run?"]


@pytest.mark.parametrize(
    ("results", "segments", "message"),
    [
        (["s.csv"], [], "windows alone make no report"),
        (["r.csv"], ["r.csv"], "expected one of windows"),
        (["r.csv", "none.csv"], [], "none.csv: cannot be opened"),
        (["text.csv"], [], "is not a table of sertag"),
    ],
)
def test_what_is_no_table_of_results_is_refused(
    tmp_path: Path, results: list[str], segments: list[str], message: str
) -> None:
    write_csv(tmp_path / "r.csv", mixed())
    write_csv(tmp_path / "s.csv", mixed(), segments=True)
    (tmp_path / "text.csv").write_text("Dear Sir,\nno\n")
    with pytest.raises(TableError, match=message):
        load([str(tmp_path / name) for name in results], segments=[str(tmp_path / name) for name in segments])


def test_a_path_that_stands_twice_in_a_table_is_one_call(tmp_path: Path) -> None:
    twice = [call("a.wav", attention=0.5), call("a.wav", attention=0.6)]
    (one,) = load([write_csv(tmp_path / "r.csv", twice)]).calls
    assert [channel.number("attention") for channel in one.channels] == [0.15, 0.6]


def test_a_mixed_channel_keeps_its_windows(tmp_path: Path) -> None:
    result = call("a.wav", attention=0.5)
    mix = replace(result, channels=(replace(result.channels[1], channel="mix"),))
    results, windows = write_csv(tmp_path / "r.csv", [mix]), write_csv(tmp_path / "s.csv", [mix], segments=True)
    calls: Calls = load([results, windows])
    assert calls.calls[0].channels[0].windows
