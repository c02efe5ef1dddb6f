"""Verdicts find their windows; what they cannot be about is counted and named, and never an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sertag.analysis.agreement.verdicts import Judged, Matched, Sample, VerdictError, match, read_verdicts
from sertag.analysis.loading import Loaded
from sertag.records import FileResult
from sertag.tables.reading.sources import TableError
from tests.analysis.tables import call, judged, loaded
from tests.results import ok_channel

HEAD = "path,channel,start_s,end_s,verdict,label\n"


@pytest.fixture
def table(tmp_path: Path) -> Loaded:
    odd = FileResult("=b,\n.wav", (replace(ok_channel(0), segments=judged("", (0.7, "happy")).channels[0].segments),))
    return loaded(tmp_path, [judged("a.wav", (0.9, "angry"), (0.4, None), (0.8, "neutral")), odd, call("c.wav")])


def matched(table: Loaded, folder: Path, text: str) -> Matched:
    (folder / "v.csv").write_text(text, encoding="utf-8")
    verdicts, skipped = read_verdicts(str(folder / "v.csv"))
    found = match(verdicts, table)
    found.skipped = skipped
    return found


def test_verdicts_of_the_report(table: Loaded, tmp_path: Path) -> None:
    found = matched(
        table,
        tmp_path,
        HEAD + "a.wav,0,0.000,4.000,right,angry\na.wav,0,4.000,8.000,wrong,neutral\n"
        '"\'=b,\n.wav",0,0.000,4.000,right,happy\nc.wav,1,,,wrong,angry\na.wav,0,0.000,4.000,skip,angry\n',
    )
    assert found.windows == [
        Judged("a.wav", "angry", 0.9, "angry"),
        Judged("a.wav", "neutral", 0.8, None),
        Judged("=b,\n.wav", "happy", 0.7, "happy"),
    ]
    assert [one.right for one in found.windows] == [True, False, True]
    assert found.rows == [Judged("c.wav", "angry", 0.6123, None)]
    assert (found.skipped, found.missing) == (1, [])


def test_verdicts_on_a_random_sample(table: Loaded, tmp_path: Path) -> None:
    line = "a.wav,0,0.000,4.000,right,angry,seed=2&role=customer&q=a+b&place=12\nc.wav,1,,,wrong,angry,\n"
    found = matched(table, tmp_path, HEAD.replace("label", "label,sample") + line)
    assert [one.sample for one in found.windows] == [Sample("role customer, q a b", "2", 12)]
    assert [one.sample for one in found.rows] == [None]


def test_labels_that_a_listener_wrote_down(table: Loaded, tmp_path: Path) -> None:
    found = matched(table, tmp_path, "start_s;path;channel;label\n0;a.wav;;angry\n4,0;a.wav;0;sad\n;c.wav;1;angry\n")
    assert [(one.emotion, one.truth, one.right) for one in found.windows] == [
        ("angry", "angry", True),
        ("neutral", "sad", False),
    ]
    assert [one.right for one in found.rows] == [True]


def test_what_is_not_there_is_counted_and_named(table: Loaded, tmp_path: Path) -> None:
    found = matched(
        table,
        tmp_path,
        HEAD + "a.wav,0,1.000,5.000,right,angry\nz.wav,0,0.000,4.000,right,angry\nc.wav,7,,,right,angry\n"
        "c.wav,,0.000,,right,angry\na.wav,0,2.000,6.000,right,\n",
    )
    assert found.windows == []
    assert found.missing == [
        "a.wav channel 0 at 1.000 s",
        "z.wav channel 0 at 0.000 s",
        "c.wav channel 7",
        "c.wav at 0.000 s",  # it has two channels
    ]
    assert found.silent == 1  # that window is uncertain


def test_old_labels_and_contradictions(table: Loaded, tmp_path: Path) -> None:
    found = matched(
        table,
        tmp_path,
        HEAD + "a.wav,0,0.000,,wrong,happy\n"  # happy is no longer said
        "a.wav,0,4.000,,right,sad\n"  # the listener confirmed sad, so neutral is wrong
        '"=b,\n.wav",0,0.000,,right,happy\n"=b,\n.wav",0,0.000,,wrong,happy\n'
        "c.wav,1,0.000,,y,angry\nc.wav,1,0.000,,yes,\n",
    )
    assert [(one.call, one.truth, one.right) for one in found.windows] == [
        ("a.wav", "sad", False),
        ("c.wav", "angry", True),
    ]
    assert (found.stale, found.disputed) == (1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,start_s,verdict\n", "its columns are path, start_s, verdict; expected path, channel, start_s, and"),
        ("path,channel,start_s\n", "expected path, channel, start_s, and verdict or label"),
        ("", "its columns are nothing"),
        (HEAD + "a.wav,0,0,4,maybe,angry\n", "line 2 has the verdict 'maybe'; expected right, wrong or skip"),
        (HEAD + "a.wav,0,soon,4,right,angry\n", "line 2 has start_s 'soon'; expected seconds"),
        (
            HEAD[:-1] + ",sample\na.wav,0,0,4,right,angry,mine\n",
            "line 2 has the sample 'mine'; expected seed and place",
        ),
        (HEAD + "a.wav,0,0\n", "line 2 has 3 cells, the header has 6; mend that line"),
    ],
)
def test_files_that_are_no_verdicts(table: Loaded, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(VerdictError) as error:
        matched(table, tmp_path, text)
    assert message in str(error.value)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(TableError, match=r"gone\.csv: cannot be opened: No such file"):
        read_verdicts("gone.csv")
