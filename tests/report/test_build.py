"""From the command line to a page: what it holds, what it warns of, how it ends."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import soundfile
from click.testing import CliRunner, Result

import sertag
from sertag.cli.commands import cli
from sertag.report import build as building
from sertag.report.build import Request, build
from tests.audio_files import tones
from tests.report.pictures import FOLDER, LARGEST_BYTES, PICTURES
from tests.report.tables import DURATION_S, HOSTILE, call, mixed, write_csv, write_jsonl

ROOT = Path(sertag.__file__).parents[1]
DATES = r"\d{4}-\d\d-\d\d"


def page_of(table: str, out: Path, **changes: Any) -> str:
    build(Request((table,), str(out), **changes), warn=lambda message: None)
    return out.read_text(encoding="utf-8")


def data_in(page: str) -> dict[str, Any]:
    (block,) = re.findall(r'<script type="text/plain" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(gzip.decompress(base64.b64decode(block)))


class Parsed(HTMLParser):
    """Elements of a page and the text of its tables."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def table(tmp_path: Path) -> str:
    return write_jsonl(tmp_path / "r.jsonl", mixed())


def test_names_that_mean_harm_are_text(tmp_path: Path) -> None:
    names = [
        HOSTILE,
        "\u2028\u2029.wav",
        "&lt;b&gt;.wav",
        "a\u202egpj.wav",
        "x\n<b>.wav",
        "${script}$data.wav",
        "'\"`.wav",
    ]
    page = page_of(
        write_jsonl(tmp_path / "r.jsonl", [call(name, attention=0.5) for name in names]), tmp_path / "p.html"
    )
    parsed = Parsed(page)
    assert "img" not in parsed.tags
    assert [name for name in parsed.attributes if name.startswith("on") or name == "style"] == []
    assert HOSTILE.rpartition("/")[2] in parsed.text
    assert not set("\u2028\u2029\u202e") & set(page)
    assert data_in(page)["calls"]["path"] == names
    raw = gzip.decompress(base64.b64decode(re.findall(r'id="data">(.*?)<', page)[0])).decode()
    assert not set("<>&\u2028\u2029") & set(raw)


def test_the_policy_lets_in_this_script_and_these_styles_alone(table: str, tmp_path: Path) -> None:
    page = page_of(table, tmp_path / "p.html")
    policy = html.unescape(re.findall(r'Security-Policy" content="(.*?)"', page)[0])
    sizes: list[int] = []
    for tag, start in (("script", 'script type="module"'), ("style", "style")):
        (content,) = re.findall(rf"<{start}>(.*?)</{tag}>", page, re.DOTALL)
        sizes.append(len(content.encode()))
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert sum(sizes) < 31_000  # for people on slow lines; what grows should be worth it
    assert {"default-src 'none'", "connect-src 'none'", "base-uri 'none'"} <= set(policy.split("; "))
    assert re.findall(r"(?:https?:)?//\w+\.\w+", page.replace("http://www.w3.org/2000/svg", "")) == []


def test_the_overview_says_what_there_is(table: str, tmp_path: Path) -> None:
    text = re.sub(r"\s+", " ", " ".join(Parsed(page_of(table, tmp_path / "p.html", date_regex=DATES)).text))
    for said in (
        "Recordings 7 10 channels",
        "Failed 1",
        "unreadable not_audio 1 is text, expected audio bad.wav",
        "ok truncated 1 its header lies cut.wav",
        "uncertain 1 not sure enough to name an emotion unsure.wav",
        "2026-03-02 1 50 %",
        "by --date-regex",
        "5 recordings without a day are left out here.",
        "Made by tiny",
        "hint where to listen",
    ):
        assert said in text, said


def test_days_of_files_are_used_and_said_where_no_pattern_was_given(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tones(1.0), 8000)
    page = page_of(
        write_jsonl(tmp_path / "r.jsonl", [call("a.wav", attention=0.5)]), tmp_path / "p.html", root=str(tmp_path)
    )
    assert "the time of the last change of each file" in page
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", data_in(page)["calls"]["day"][0])


def test_trends_are_curves_that_need_no_script(tmp_path: Path) -> None:
    calls = [
        call(f"2026-03-{day:02}.wav", attention=day / 40, emotions=("angry" if day > 8 else "neutral",))
        for day in (2, 3, 9, 10)
    ]
    page = page_of(write_jsonl(tmp_path / "r.jsonl", calls), tmp_path / "p.html", date_regex=DATES)
    curves = re.findall(r'aria-label="(\w+ from [^"]*)".*?class="curve" d="M([^"]*)"', page)
    assert [curve[0] for curve in curves] == ["Negative from 0 % to 50 %", "Attention from 0.03 to 0.16"]
    places = [tuple(map(float, place.split(","))) for place in curves[0][1].split("L")]
    assert places == [(0, 60), (75, 60), (525, 0), (600, 0)]  # days as far apart as they are
    assert "<title>2026-03-09: 50 %</title>" in page
    assert "2026-03-02 1 0 % 0.03 0" in re.sub(r"\s+", " ", " ".join(Parsed(page).text))


def test_months_are_named_as_months(tmp_path: Path) -> None:
    days = [f"2026-{month:02}-{day:02}" for month in range(1, 11) for day in (1, 8, 15, 22)]
    table = write_jsonl(tmp_path / "r.jsonl", [call(f"{day}.wav", attention=0.5) for day in days])
    page = page_of(table, tmp_path / "p.html", date_regex=DATES)
    assert "<p><span>2026-01</span><span>2026-10</span></p>" in page
    assert "<title>2026-02: 0 %</title>" in page


def test_the_worst_seconds_and_waveforms_of_as_many_calls_as_were_asked_for(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, tones(DURATION_S, channels=2), 8000)
    calls = [call("a.wav", attention=0.2), call("b.wav", attention=0.9), call("gone.wav", attention=0.95)]
    table = write_jsonl(tmp_path / "r.jsonl", calls)
    page = page_of(table, tmp_path / "p.html", root=str(tmp_path), embed_audio=2, waveforms=3)
    data = data_in(page)["calls"]
    assert data["sound"] == [None, {"from": 0.0, "to": 16.0}, None]
    assert [peaks and len(peaks) for peaks in data["peaks"]] == [2, 2, None]
    assert re.findall(r'<script type="text/plain" id="(sound-\d+)">T2dnUw', page) == ["sound-1"]


def test_why_a_recording_does_not_play_is_said_with_what_helps(table: str, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("Dear Sir or Madam")
    soundfile.write(tmp_path / "cut.wav", tones(1.0), 8000, subtype="IMA_ADPCM")
    calls = data_in(page_of(table, tmp_path / "p.html", root=str(tmp_path)))["calls"]
    problems = dict(zip(calls["path"], calls["problem"], strict=True))
    assert problems["bad.wav"] == "There is no sound to play: it is text that begins with 'Dear Sir or Madam'."
    assert problems["cut.wav"].startswith(
        "Browsers do not play this recording: it is a WAV file with IMA ADPCM. sertag"
    )
    assert problems["quiet.wav"] == "The recording was not found when the page was made: quiet.wav"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["report", *arguments])


def test_the_command_warns_of_what_is_missing(table: str, tmp_path: Path) -> None:
    done = run(table, "-o", str(tmp_path / "p.html"))
    assert done.exit_code == 0
    assert "warning: 7 recordings cannot be found, and the page cannot play them; the first is" in done.stderr
    assert done.stdout == ""
    assert (tmp_path / "p.html").read_text().startswith("<!DOCTYPE html>")


def test_the_page_goes_to_standard_output_too(table: str) -> None:
    assert run(table, "-o", "-").stdout.startswith("<!DOCTYPE html>")


def test_a_page_that_browsers_find_slow_is_warned_of(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "LARGE_BYTES", 50_000)
    assert "MB, which is slow in browsers" in run(table, "-o", str(tmp_path / "p.html")).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.csv", "-o", "p.html"], 2, "error: none.csv: cannot be opened"),
        (["r.jsonl", "-o", "no/such/p.html"], 5, "error: cannot write no/such/p.html"),
        (["r.jsonl", "-o", "p.html", "--date-regex", "("], 2, "error: --date-regex '(' is no regular expression"),
        (["r.jsonl", "-o", "p.html", "--embed-audio", "best:3"], 2, "'best:3' is not worst:N"),
        (["r.jsonl"], 2, "Missing option '-o'"),
        (["r.jsonl", "-o", "./r.jsonl"], 2, "error: ./r.jsonl: is a table that is read"),
        (["r.jsonl", "-o", "cut.wav"], 2, "error: cut.wav: is a recording, and the page would replace it"),
        (["-o", "p.html"], 2, "Missing argument"),
    ],
)
def test_mistakes_are_named_and_an_old_page_stays(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.html").write_text("old")
    (tmp_path / "cut.wav").write_bytes(b"sound")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    done = run(*arguments)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert done.exit_code == code
    assert message in done.stderr


def test_the_report_of_a_real_run_needs_no_options(tmp_path: Path, tiny_model: Path, call: Path) -> None:
    out = tmp_path / "r.csv"
    for command in (
        [str(call), "--out", str(out), "--segments", str(tmp_path / "s.csv"), "--model", str(tiny_model)],
        ["report", str(out), "--segments", str(tmp_path / "s.csv"), "-o", str(tmp_path / "p.html")],
    ):
        subprocess.run([sys.executable, "-m", "sertag", *command], check=True, capture_output=True, cwd=ROOT)
    data = data_in((tmp_path / "p.html").read_text())
    assert data["calls"]["url"] == ["call.wav"]
    assert all(data["rows"]["windows"])


def test_the_wheel_has_the_parts_of_the_page(tmp_path: Path) -> None:
    hatchling = pytest.importorskip("hatchling.builders.wheel")
    (built,) = hatchling.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(built).namelist())
    assert {f"sertag/report/page/assets/{name}" for name in ("page.html", "report.css", "report.js")} <= names


def test_a_csv_table_makes_the_same_page_as_one_with_windows_inside_but_for_those(tmp_path: Path) -> None:
    pages = [write_csv(tmp_path / "r.csv", mixed()), write_jsonl(tmp_path / "r.jsonl", mixed())]
    flat, nested = (data_in(page_of(table, tmp_path / "p.html")) for table in pages)
    assert any(nested["rows"].pop("windows"))
    assert not any(flat["rows"].pop("windows"))
    assert flat == nested


def test_the_pictures_in_the_documents_are_those_that_are_made_and_small() -> None:
    shown = {Path(name).name for page in ("README.md", "docs/report.md") for name in pictures_in(ROOT / page)}
    sizes = {file.name: file.stat().st_size for file in FOLDER.iterdir()}
    made = {picture.name for picture in PICTURES}
    assert made | shown <= set(sizes)
    assert {name for name in made if sizes[name] > LARGEST_BYTES} == set()


def pictures_in(page: Path) -> list[str]:
    return re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
