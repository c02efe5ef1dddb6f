from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sertag.errors import OutputError
from sertag.records import FileResult
from sertag.storage.atomic_output import Output
from sertag.tables.columns import ModelInfo
from sertag.tables.formats import Format
from sertag.tables.writers import open_table, results_view, segments_view, write_json
from sertag.text import decode_path, encode_path
from tests.results import ORIGIN, not_speech, ok, ok_channel, segment, unreadable

ODD_NAMES = [
    "new\nline.wav",
    "carriage\rreturn.wav",
    'quo"te,comma.wav',
    "emoji \U0001f4de.wav",
    os.fsdecode(b"bytes \xff\xfe.wav"),
    os.fsdecode(b"latin-1 caf\xe9.wav"),
    os.fsdecode(b"=\xe9.wav"),
    os.fsdecode(b"half a pair \xed\xa0\x80.wav"),
    r"no escape \xe9 \x5cxe9.wav",
    r"C:\calls\new.wav",
    "\x1b[31mred\x1b[0m\x07.wav",
    "=cmd|' /C calc'!A0.wav",
    "+1.wav",
    "-1.wav",
    "@a.wav",
    "\ttab.wav",
    "'=quoted.wav",
    "'plain quote.wav",
    " leading space.wav",
    "\x7f\x9b31m.wav",
]


def written(path: Path, results: list[FileResult], fmt: Format, *, segments: bool = False, bom: bool = False) -> bytes:
    view = segments_view(ORIGIN) if segments else results_view(ORIGIN)
    with Output(str(path)) as output, open_table(output, fmt=fmt, view=view, bom=bom) as table:
        for result in results:
            table.add(result)
    return path.read_bytes()


def csv_rows(data: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8", "strict"), newline=""), delimiter=delimiter))


def unguarded(cell: str) -> str:
    return cell[1:] if re.match(r"'+[=+\-@\t]", cell) else cell


def test_csv_is_rfc_4180_with_plain_line_ends(tmp_path: Path) -> None:
    data = written(tmp_path / "r.csv", [ok(), unreadable("b.wav")], "csv")
    assert data.count(b"\r") == 0
    assert data.endswith(b"\n")
    rows = csv_rows(data)
    assert [row["status"] for row in rows] == ["ok", "unreadable"]
    assert rows[0]["duration_s"] == "12.346"
    assert rows[0]["overtalk_s"] == "0.000"
    assert rows[0]["p_happy"] == "0.2000"
    assert rows[0]["talk_pct"] == "81.0"
    assert rows[0]["trend"] == "0.0000"
    assert rows[0]["loudness_dbfs"] == ""
    assert rows[1]["channel"] == ""


@pytest.mark.parametrize(("fmt", "delimiter"), [("csv", ","), ("tsv", "\t")])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_survive_delimited_text(tmp_path: Path, name: str, fmt: Format, delimiter: str) -> None:
    row = csv_rows(written(tmp_path / "r", [unreadable(name, "why")], fmt), delimiter)[0]
    assert decode_path(unguarded(row["path"])) == name
    assert not re.match(r"[=+\-@\t]", row["path"])


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_survive_json_and_cannot_reach_a_terminal(tmp_path: Path, name: str) -> None:
    data = written(tmp_path / "r.jsonl", [unreadable(name)], "jsonl")
    assert decode_path(json.loads(data)["path"]) == name
    assert re.fullmatch(rb"[\x20-\x7e]*\n", data)
    assert not re.search(rb"(?<!\\)(\\\\)*\\ud[c-f]", data.replace(b"\\ud83d\\udcde", b"")), "half of a pair"


def read(path: Path, fmt: Format) -> list[dict[str, Any]]:
    """A table as readers other than sertag read it, all of them strict about UTF-8."""
    if fmt == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")
        table = parquet.read_table(path)
        table.validate(full=True)
        found: list[dict[str, Any]] = table.to_pylist()
        return found
    data = path.read_bytes()
    if fmt in ("csv", "tsv"):
        return [dict(row) for row in csv_rows(data, "," if fmt == "csv" else "\t")]
    text = data.decode("utf-8", "strict")
    return list(json.loads(text)) if fmt == "json" else [json.loads(line) for line in text.splitlines()]


def paths_read(path: Path, fmt: Format) -> list[str]:
    guarded = fmt in ("csv", "tsv")
    return [unguarded(row["path"]) if guarded else row["path"] for row in read(path, fmt)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name), min_size=1, max_size=5))
@pytest.mark.parametrize("segments", [False, True], ids=["results", "segments"])
@pytest.mark.parametrize("fmt", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_any_name_survives_every_format(
    tmp_path_factory: pytest.TempPathFactory, fmt: Format, segments: bool, names: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("any") / "r"
    written(path, [ok(os.fsdecode(name)) for name in names], fmt, segments=segments)
    found = paths_read(path, fmt)[:: 2 if segments else 1]  # a result has two windows
    assert [os.fsencode(decode_path(text)) for text in found] == names
    assert found == [encode_path(os.fsdecode(name)) for name in names]


def test_numbers_are_not_guarded(tmp_path: Path) -> None:
    row = csv_rows(written(tmp_path / "s.csv", [ok()], "csv", segments=True))[0]
    assert row["loudness_dbfs"] == "-20.0"


@pytest.mark.parametrize("fmt", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_text_of_a_model_that_is_none_is_spelled_out_everywhere(tmp_path: Path, fmt: Format) -> None:
    """Also where it names columns; a model's metadata may hold anything that JSON can."""
    labels = ("angry", "h\udce9ppy", "\ud800")
    view = results_view(ModelInfo(labels=labels, model="odd \ud800", model_sha256=""))
    with Output(str(tmp_path / "r")) as output, open_table(output, fmt=fmt, view=view) as table:
        table.add(ok())
    (row,) = read(tmp_path / "r", fmt)
    assert row["model"] == r"odd \ud800"
    names = list(row["channels"][0]["probs"]) if "json" in fmt else [name[2:] for name in row if name.startswith("p_")]
    assert names == ["angry", r"h\xe9ppy", r"\ud800"]


def test_json_is_the_array_of_the_lines(tmp_path: Path) -> None:
    results = [ok(), unreadable("b.wav"), ok("c.wav", channels=2)]
    lines = written(tmp_path / "r.jsonl", results, "jsonl").splitlines()
    assert json.loads(written(tmp_path / "r.json", results, "json")) == [json.loads(line) for line in lines]
    assert json.loads(written(tmp_path / "none.json", [], "json")) == []


def test_segments_as_json_lines_are_one_object_a_window(tmp_path: Path) -> None:
    lines = written(tmp_path / "s.jsonl", [ok(channels=2), unreadable("b.wav")], "jsonl", segments=True).splitlines()
    assert [json.loads(line)["segment"] for line in lines] == [0, 1, 0, 1]


def test_byte_order_mark(tmp_path: Path) -> None:
    assert written(tmp_path / "r.csv", [ok()], "csv", bom=True).startswith(b"\xef\xbb\xbfpath,")
    assert written(tmp_path / "p.csv", [ok()], "csv").startswith(b"path,")


def test_parquet_has_the_same_values(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")
    results = [ok(f"{index}.wav", channels=2) for index in range(3000)] + [unreadable(os.fsdecode(b"odd \xff.wav"))]
    written(tmp_path / "r.parquet", results, "parquet")
    table = parquet.read_table(tmp_path / "r.parquet")
    assert table.num_rows == 6001
    assert parquet.ParquetFile(tmp_path / "r.parquet").num_row_groups > 1
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["duration_s"], first["channel"], first["sample_rate"]) == (12.346, "0", 8000)
    assert table.slice(6000).to_pylist()[0]["path"] == r"odd \xff.wav"
    assert list(first) == [column.name for column in results_view(ORIGIN).columns]


@pytest.mark.parametrize("fmt", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_new_columns_and_windows_of_music_are_in_every_format(tmp_path: Path, fmt: Format) -> None:
    result = FileResult("a.wav", (replace(ok_channel(), segments=(segment(0), not_speech(1))),))
    written(tmp_path / "r", [result], fmt)
    written(tmp_path / "s", [result], fmt, segments=True)
    (row,), (_, music) = read(tmp_path / "r", fmt), read(tmp_path / "s", fmt)
    if fmt in ("json", "jsonl"):
        (row,) = row["channels"]
        assert (row["arousal_quarters"], row["valence_quarters"][3]) == ([0.1, 0.2, None, 0.4], 0.3333)
    else:
        assert [float(row[f"arousal_q{number}"] or -1) for number in range(1, 5)] == [0.1, 0.2, -1, 0.4]
    names = ("attention", "arousal", "valence", "interruptions")
    assert [float(row[name]) for name in names] == [0.8123, 0.7, 0.0, 2]
    assert music["status"] == "no_speech"
    assert {music[name] or None for name in ("emotion", "confidence", "arousal", "valence")} == {None}
    assert {music.get(f"p_{label}") or None for label in ORIGIN.labels} == {None}


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match=r"sertag\[parquet\]"):
        written(tmp_path / "r.parquet", [ok()], "parquet")
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_the_old_table_and_no_traces(tmp_path: Path) -> None:
    target = tmp_path / "r.csv"
    target.write_text("old")
    result = FileResult("a.wav", (ok().channels[0], None))  # type: ignore[arg-type] # fails at the second row
    with pytest.raises(AttributeError):
        written(target, [ok(), result], "csv")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_table_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "r.csv"
    with Output(str(target)) as output, open_table(output, fmt="csv", view=results_view(ORIGIN)) as table:
        table.add(ok())
        assert not target.exists()
    assert target.exists()


def test_rights_of_the_old_table_are_kept_and_new_ones_follow_the_umask(tmp_path: Path) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("old")
    old.chmod(0o640)
    before = os.umask(0o027)
    try:
        written(old, [ok()], "csv")
        written(new, [ok()], "csv")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (old, new)] == [0o640, 0o640]


def test_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    written(tmp_path / "link.csv", [ok()], "csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes().startswith(b"path,")


@pytest.mark.parametrize("target", ["missing/r.csv", "folder"])
def test_target_that_cannot_be_written(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        written(tmp_path / target, [ok()], "csv")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_disk_is_an_output_error() -> None:
    with (
        pytest.raises(OutputError, match="No space left"),
        Output("/dev/full") as output,
        open_table(output, fmt="csv", view=results_view(ORIGIN)) as table,
    ):
        table.add(ok())


def test_errors_of_the_work_are_not_taken_for_output_errors(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError),
        Output(str(tmp_path / "r.csv")) as output,
        open_table(output, fmt="csv", view=results_view(ORIGIN)),
    ):
        raise FileNotFoundError("a recording vanished")


def test_write_json(tmp_path: Path) -> None:
    write_json(str(tmp_path / "run.json"), {"inputs": 1, "names": ["\udcff", "📞"], "\ud800": None})
    assert json.loads((tmp_path / "run.json").read_text()) == {"inputs": 1, "names": [r"\xff", "📞"], r"\ud800": None}
