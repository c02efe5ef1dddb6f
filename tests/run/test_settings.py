from __future__ import annotations

from pathlib import Path

import pytest

from sertag.run.checks import check, output_files
from sertag.run.settings import Request, RequestError, segments_format, table_format


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
        ({"roles": ("agent", "k\udce4ufer")}, r"k\\xe4ufer is not valid UTF-8"),
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


@pytest.mark.parametrize("option", ["out", "segments", "summary", "log_file"])
@pytest.mark.parametrize(
    ("name", "content"), [("old.wav", b"a table"), ("old.csv", b"RIFF\0\0\0\0WAVEfmt "), ("x", b"fLaC")]
)
def test_a_recording_is_never_overwritten(tmp_path: Path, option: str, name: str, content: bytes) -> None:
    """By its name or by its content, whether or not it is among the inputs."""
    (tmp_path / name).write_bytes(content)
    settings = {"out": str(tmp_path / "r.csv"), "format": "csv", option: str(tmp_path / name)}
    with pytest.raises(RequestError, match=r"would overwrite .*, which is a recording"):
        check(Request(paths=("calls",), **settings))  # type: ignore[arg-type]
    assert (tmp_path / name).read_bytes() == content


def test_an_old_output_in_a_folder_of_recordings_is_no_contradiction(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("an old table")
    check(Request(paths=(str(tmp_path),), out=str(tmp_path / "r.csv"), include=("*",)))


def test_output_files_are_known_by_whichever_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    request = Request(paths=("a",), out=str(tmp_path / "linked/r+.csv"), segments=str(tmp_path / "s.csv"))
    is_output = output_files(request)
    own = ["real/r+.csv", "real/r+.csv.lock", "real/r+.csv.journal", "real/r+.csv.journal.foreign-2", "s.csv"]
    for name in (*own, "x/.sertag-0123456789abcdef.tmp"):
        assert is_output(str(tmp_path / name)), name
    for name in ("real/a.wav", "r+.csv", "real/r+.csv.journal.foreign-x", "real/rr.csv.journal.foreign-2", ".sertag"):
        assert not is_output(str(tmp_path / name)), name


def test_standard_output_is_no_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not output_files(Request(paths=("a",)))(str(tmp_path / "-"))


def test_a_cluster_needs_its_extra_and_its_own_kind_of_input(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError, match="--scheduler is the address of a cluster; give --backend"):
        check(Request(paths=("a",), scheduler="tcp://10.0.0.5:8786"))
    with pytest.raises(RequestError, match="--backend ray cannot tag `-`"):
        check(Request(paths=("a", "-"), backend="ray"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        RequestError, match=r"needs distributed, which is not installed; run: pip install 'sertag\[dask"
    ):
        check(Request(paths=("a",), backend="dask"))
    check(Request(paths=("a", "-")))
