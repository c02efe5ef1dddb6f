"""Calls are joined by a key in file names; what has no partner is counted on both sides, and doubt is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sertag.analysis.join import JoinError, join
from sertag.analysis.loading import Loaded
from sertag.records import FileResult
from sertag.tables.reading.sources import TableError
from tests.analysis.tables import call, loaded
from tests.results import unreadable

CALLS = "call_id,queue,agent\n0001,sales,7\n0002,billing,8\n0009,sales,9\n"


@pytest.fixture
def table(tmp_path: Path) -> Loaded:
    results: list[FileResult] = [
        call("r/a_0001.wav"),
        call("r/b_0002.wav"),
        call("r/c_0003.wav"),
        unreadable("r/x.wav"),
    ]
    return loaded(tmp_path, results)


def calls(folder: Path, text: str = CALLS, encoding: str = "utf-8") -> str:
    (folder / "calls.csv").write_bytes(text.encode(encoding))
    return str(folder / "calls.csv")


@pytest.mark.parametrize("key", [r"_(\d+)", r"_(?P<call_id>\d+)", r"r/._(\d+)\.wav"])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CALLS, "utf-8"),
        (CALLS.replace(",", ";").replace("\n", "\r\n"), "utf-8-sig"),
        (CALLS.replace(",", "\t"), "utf-8"),
    ],
)
def test_columns_are_added(table: Loaded, tmp_path: Path, key: str, text: str, encoding: str) -> None:
    join(table, calls(tmp_path, text, encoding), key=key)
    assert table.added == ("call_id", "queue", "agent")
    assert [(row["call_id"], row["queue"], row["agent"]) for row in table.rows] == [
        *[("0001", "sales", "7")] * 2,
        *[("0002", "billing", "8")] * 2,
        *[(None, None, None)] * 3,
    ]
    joined, unknown, without, left = table.remarks
    assert "calls.csv: joined to 2 of 4 recordings" in joined
    assert "has no line for 1 recording: 0003" in unknown
    assert without == "--key finds nothing in the names of 1 recording: r/x.wav"
    assert "1 line has no recording: 0009" in left


def test_keys_of_several_columns(table: Loaded, tmp_path: Path) -> None:
    text = "queue,id,site\nsales,0001,a\nsales,0002,b\n"
    join(table, calls(tmp_path, text), key=r"(?P<site>\w)_(?P<id>\d+)")
    assert [row["queue"] for row in table.rows[::2]] == ["sales", "sales", None, None]


def test_names_of_the_results_stay_theirs(table: Loaded, tmp_path: Path) -> None:
    join(table, calls(tmp_path, "id,status\n0001,closed\n"), key=r"_(\d+)")
    assert table.rows[0]["status"] == "ok"
    assert table.rows[0]["call_status"] == "closed"
    assert any("column status of" in remark and "is call_status here" in remark for remark in table.remarks)


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (CALLS + "0001,x,1\n0002,y,2\n", r"_(\d+)", "found 0001 in lines 2, 5; 0002 in lines 3, 6; remove the others"),
        (CALLS, r"(\w)_", "no recording has a line here; keys in names are a, b, c, keys in call_id are 0001, 0002"),
        (CALLS, r"nothing(\d+)", "--key 'nothing(\\\\d+)' finds nothing in r/a_0001.wav"),
        (CALLS, r"_(?P<callid>\d+)", "has no column 'callid', which --key names; did you mean 'call_id'?"),
        (CALLS, r"_\d+", "has no group; put parentheses"),
        (CALLS, r"(_)(\d+)", "has 2 groups; name each after its column"),
        (CALLS, r"(\d+", "is not a regular expression"),
        ("", r"(\d+)", "is empty"),
        ("a,a\n1,2\n", r"(\d+)", "each column needs a name of its own"),
        ("id,queue\n0001\n", r"(\d+)", "line 2 has 1 cells instead of 2"),
    ],
)
def test_doubt_is_refused(table: Loaded, tmp_path: Path, text: str, key: str, message: str) -> None:
    with pytest.raises(JoinError) as error:
        join(table, calls(tmp_path, text), key=key)
    assert message in str(error.value)


def test_other_encodings_and_missing_files_are_named(table: Loaded, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"calls\.csv: is not UTF-8 text.*save it as CSV UTF-8"):
        join(table, calls(tmp_path, "id,name\n0001,Grüße\n", "latin-1"), key=r"_(\d+)")
    with pytest.raises(TableError, match=r"gone\.csv: cannot be opened: No such file"):
        join(table, "gone.csv", key=r"_(\d+)")
