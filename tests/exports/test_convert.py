"""Other programs read what is written: spreadsheets without formulas, labels, tiers, cues, turns, and JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sertag.analysis.loading import Loaded, load
from sertag.errors import OutputError
from sertag.exports.convert import convert
from sertag.records import FileResult
from sertag.tables.reading.sources import TableError
from tests.analysis.tables import call, judged, loaded, night, write
from tests.results import ok_channel

ODD = 'r/</script> "q" \u202e&.wav'


@pytest.fixture
def table(tmp_path: Path) -> Loaded:
    one = judged("r/one.wav", (0.9, "angry"), (0.8, "angry"), (0.4, None), (0.7, "neutral"))
    odd = FileResult(ODD, (replace(ok_channel(0, "agent & co"), segments=one.channels[0].segments[:1]),))
    return loaded(tmp_path, [one, call("r/sub/two.wav"), odd])


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_audacity(table: Loaded, tmp_path: Path) -> None:
    said = convert(table, "audacity", str(tmp_path / "labels"))
    assert said.startswith("4 files for 3 recordings in ")
    found = files(tmp_path / "labels")
    assert found["one.0-customer.txt"] == (
        "0.000000\t5.000000\tangry 86 %\n5.000000\t7.000000\tuncertain 40 %\n7.000000\t10.000000\tneutral 70 %\n"
    )
    assert set(found) >= {"sub/two.0-agent.txt", "sub/two.1-customer.txt"}


def test_textgrid(table: Loaded, tmp_path: Path) -> None:
    convert(table, "textgrid", str(tmp_path / "grids"))
    text = files(tmp_path / "grids")["one.TextGrid"]
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 12.346\n')
    spans = re.findall(r'xmin = (\S+)\n +xmax = (\S+)\n +text = "(.*)"', text)
    assert spans == [
        ("0", "5", "angry 86 %"),
        ("5", "7", "uncertain 40 %"),
        ("7", "10", "neutral 70 %"),
        ("10", "12.346", ""),
    ]
    assert "intervals: size = 4\n" in text


def test_webvtt(table: Loaded, tmp_path: Path) -> None:
    convert(table, "webvtt", str(tmp_path / "cues"))
    found = files(tmp_path / "cues")
    assert found["one.vtt"] == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:05.000\n<v customer>angry 86 %\n\n"
        "00:00:05.000 --> 00:00:07.000\n<v customer>uncertain 40 %\n\n"
        "00:00:07.000 --> 00:00:10.000\n<v customer>neutral 70 %\n"
    )
    (odd,) = (text for text in found.values() if "co>" in text)
    assert "<v agent &amp; co>angry 90 %" in odd


def test_rttm(table: Loaded, tmp_path: Path) -> None:
    convert(table, "rttm", str(tmp_path / "x.rttm"))
    lines = (tmp_path / "x.rttm").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "SPEAKER r/one.wav 1 0.000 5.000 <NA> <NA> customer:angry 0.8600 <NA>"
    assert lines[3].startswith("SPEAKER r/sub/two.wav 2 0.000 6.000 <NA> <NA> customer:angry")
    assert {len(line.split(" ")) for line in lines} == {10}
    assert not any("uncertain" in line for line in lines)


def test_contact_lens(table: Loaded, tmp_path: Path) -> None:
    convert(table, "contact-lens", str(tmp_path / "json"))
    document = json.loads(files(tmp_path / "json")["sub/two.json"])
    assert [one["ParticipantRole"] for one in document["Participants"]] == ["AGENT", "CUSTOMER"]
    facts = document["ConversationCharacteristics"]
    assert facts["TotalConversationDurationMillis"] == 12346
    assert facts["TalkTime"]["DetailsByParticipant"]["CUSTOMER"]["TotalTimeMillis"] == 10000
    quarters = facts["Sentiment"]["SentimentByPeriod"]["QUARTER"]["CUSTOMER"]
    assert [(one["BeginOffsetMillis"], one["Score"]) for one in quarters] == [(0, -0.5), (3086, 1.0), (9260, 1.67)]
    assert facts["Interruptions"] == {"TotalCount": 4, "CountByInterrupter": {"AGENT": 2, "CUSTOMER": 2}}
    turns = document["Transcript"]
    assert [(one["Content"], one["Sentiment"], one["BeginOffsetMillis"]) for one in turns] == [
        ("angry", "NEGATIVE", 0)
    ] * 2


def test_spreadsheets_hold_text_and_numbers_and_no_formulas(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    names = ["=HYPERLINK(A1).wav", "http://x.wav", "00123", "a\x1bb.wav", "+1.wav"]
    table = loaded(tmp_path, [call(name) for name in names])
    for name in ("one", "two"):
        convert(table, "xlsx", str(tmp_path / f"{name}.xlsx"))
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    book = openpyxl.load_workbook(tmp_path / "one.xlsx")
    assert book.sheetnames == ["results", "windows"]
    sheet = book["results"]
    assert [cell.value for cell in sheet[1]] == list(table.columns)
    paths = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in paths} == {"s"}
    assert [cell.value for cell in paths[::2]] == [
        "=HYPERLINK(A1).wav",
        "http://x.wav",
        "00123",
        "a\\x1bb.wav",
        "+1.wav",
    ]
    assert not any(cell.hyperlink for cell in paths)
    attention = list(table.columns).index("attention")
    assert sheet.cell(3, attention + 1).value == 0.8123
    assert sheet.cell(3, attention + 1).number_format == "0.0000"


def test_a_disk_that_is_full_is_one_error(tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter")
    write(tmp_path / "r.jsonl", night(1))
    command = [sys.executable, "-m", "sertag", "convert", "r.jsonl", "--to", "xlsx", "-o"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    settings: dict[str, Any] = {"cwd": tmp_path, "env": env, "timeout": 60}
    full = subprocess.run([*command, "/dev/full"], capture_output=True, **settings)
    assert full.returncode == 5
    assert full.stderr.startswith(b"error: cannot write /dev/full: No space left on device; ")
    assert full.stderr.count(b"\n") == 1
    reader, writer = os.pipe()
    os.close(reader)
    left = subprocess.run([*command, "-"], stdout=writer, stderr=subprocess.PIPE, **settings)
    os.close(writer)
    assert b"Traceback" not in left.stderr


def test_a_sheet_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xlsxwriter")
    monkeypatch.setattr("sertag.exports.spreadsheet.MOST_ROWS", 3)
    with pytest.raises(OutputError, match="a sheet has at most 3 rows, results has 4; choose some with --where"):
        convert(loaded(tmp_path, night(1)), "xlsx", str(tmp_path / "x.xlsx"))
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(OutputError, match=r"pip install 'sertag\[xlsx\]'"):
        convert(loaded(tmp_path, night(1)), "xlsx", str(tmp_path / "x.xlsx"))


def test_names_stay_in_their_folder_and_apart(tmp_path: Path) -> None:
    paths = ["../../a.wav", "../../a.mp3", "../../b/../c.wav", "../../d\n.wav"]
    table = loaded(tmp_path, [judged(path, (0.9, "angry")) for path in paths])
    out = tmp_path / "deep" / "out"
    convert(table, "webvtt", str(out))
    assert set(files(out)) == {"a.wav.vtt", "a.mp3.vtt", "b/__/c.vtt", "d_n.vtt"}
    assert set(files(tmp_path)) == {"r.jsonl", *(f"deep/out/{name}" for name in files(out))}


@pytest.mark.parametrize("target", ["audacity", "rttm"])
def test_timelines_need_windows(tmp_path: Path, target: str) -> None:
    table = load([write(tmp_path / "r.csv", night())])
    with pytest.raises(TableError, match=r"r\.csv: has no windows; tag with --segments"):
        convert(table, target, str(tmp_path / "x"))


def test_places_that_cannot_be_written_are_named(table: Loaded, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot make the folder .*file.*: "):
        convert(table, "webvtt", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="name a folder with --out"):
        convert(table, "webvtt", "-")
