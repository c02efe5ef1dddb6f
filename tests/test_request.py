from __future__ import annotations

from pathlib import Path

import pytest

from sertag.request import Request, RequestError, check, segments_format, table_format


@pytest.mark.parametrize(
    ("out", "given", "terminal", "expected"),
    [
        ("-", None, True, "table"),
        ("-", None, False, "csv"),
        ("-", "jsonl", True, "jsonl"),
        ("r.TSV", None, False, "tsv"),
        ("r.csv", "json", False, "json"),
        ("r.txt", "table", False, "table"),
    ],
)
def test_format_of_the_table(out: str, given: str | None, terminal: bool, expected: str) -> None:
    request = Request(paths=("a",), out=out, format=given)  # type: ignore[arg-type]
    assert table_format(request, terminal=terminal) == expected


@pytest.mark.parametrize("out", ["r.xlsx", "results", "r.csv.gz"])
def test_unknown_suffix_names_the_known_ones(out: str) -> None:
    with pytest.raises(RequestError, match=r"\.csv, \.tsv, \.json, \.jsonl, \.parquet"):
        table_format(Request(paths=("a",), out=out), terminal=False)
    with pytest.raises(RequestError, match=r"--segments .*\.csv, \.tsv"):
        segments_format(out)


def test_binary_is_not_for_a_terminal() -> None:
    request = Request(paths=("a",), format="parquet")
    assert table_format(request, terminal=False) == "parquet"
    with pytest.raises(RequestError, match="terminal"):
        table_format(request, terminal=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"paths": ()}, "nothing to tag"),
        ({"paths": ("-",), "files_from": "-"}, "standard input cannot be both"),
        ({"quiet": True, "verbose": True}, "exclude each other"),
        ({"roles": ("a", "b", "a")}, "more than once"),
        ({"only_role": "a"}, "which is not given"),
        ({"roles": ("a", "b"), "only_role": "c"}, "which is a, b"),
        ({"roles": ("a", "b"), "only_role": "a", "channels": "mix"}, "mix"),
        ({"roles": ("a", "b"), "only_role": "b", "channels": 0}, "channel 1, but --channels is 0"),
        ({"out": "x.csv", "segments": "./x.csv"}, "--out and --segments are the same file"),
        ({"out": "x.csv", "summary": "x.csv"}, "the same file"),
        ({"summary": "-"}, "--out and --summary are the same file, -"),
        ({"out": "x.csv", "log_file": "x.csv"}, "the same file"),
        ({"out": "a.wav", "format": "csv"}, r"--out would overwrite a\.wav, which is read \(PATHS\)"),
        ({"files_from": "l.csv", "out": "l.csv"}, "--files-from"),
        ({"model": "m.onnx", "summary": "m.onnx"}, "--model"),
    ],
)
def test_contradictions(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        check(Request(**{"paths": ("a.wav",), **settings}))  # type: ignore[arg-type]


def test_sound_requests_pass(tmp_path: Path) -> None:
    check(Request(paths=("-",), out="r.csv", segments="s.csv", summary="run.json", log_file="log"))
    check(Request(paths=(str(tmp_path),), roles=("agent", "customer"), only_role="customer", channels=1))
    check(Request(paths=(), files_from="-"))


def test_old_output_that_would_be_walked_is_found(tmp_path: Path) -> None:
    (tmp_path / "r.wav").write_text("an old table under an odd name")
    (tmp_path / "r.csv").write_text("an old table")
    check(Request(paths=(str(tmp_path),), out=str(tmp_path / "r.csv")))
    with pytest.raises(RequestError, match="would overwrite"):
        check(Request(paths=(str(tmp_path),), out=str(tmp_path / "r.wav"), format="csv"))
    with pytest.raises(RequestError, match="would overwrite"):
        check(Request(paths=(str(tmp_path),), out=str(tmp_path / "r.csv"), include=("*",)))
