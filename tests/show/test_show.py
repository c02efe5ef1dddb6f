"""Pictures, clips, playing, and the command as users run it."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from sertag.audio.devices.sound_system import DeviceError
from sertag.cli.show import show
from sertag.errors import DecodeError, Exit, OutputError
from sertag.model.session import load
from sertag.records import AudioFile, Options
from sertag.show.clip import Span, cut, parse_span, parse_time
from sertag.show.picture import COLUMNS, picture
from sertag.show.playback import play
from sertag.show.run import Request, ShowError, run
from sertag.show.sound import measure
from sertag.tagging.pipeline import tag_file
from tests.cli.tables.runner import invoke
from tests.conftest import RATE_HZ, speech_like

ROOT = Path(__file__).parents[2]
CALL = ROOT / "examples" / "calls" / "2026-03-02_0901_billing_complaint.wav"
PICTURE = ROOT / "docs" / "pictures" / "show.png"


# What is measured


def test_a_recording_is_measured_in_columns(tmp_path: Path, tiny_model: Path) -> None:
    path, spec = tmp_path / "x.wav", load(str(tiny_model)).spec
    left = np.concatenate([np.zeros(5 * RATE_HZ, np.float32), speech_like(5, seed=1)])
    right = np.concatenate([np.full(RATE_HZ, 0.5, np.float32), np.zeros(9 * RATE_HZ, np.float32)])
    soundfile.write(path, np.stack([left, right], axis=1), RATE_HZ, subtype="FLOAT")
    sound = measure(AudioFile(str(path)), spec=spec, options=Options(), duration_s=10.0, columns=100)
    assert sound.highest[1].tolist() == [0.5] * 10 + [0.0] * 90
    assert np.allclose(sound.highest[0], np.maximum(0, left.reshape(100, -1).max(axis=1)))
    assert np.allclose(sound.lowest[0], np.minimum(0, left.reshape(100, -1).min(axis=1)))
    assert sound.speech[0, :48].max() == 0
    assert sound.speech[0, 52:].mean() > 0.4
    assert sound.level_dbfs[0, :48].max() < -90
    assert sound.level_dbfs[0, 52:].max() > -25
    assert sound.mel_db[0, 60:].mean() > sound.mel_db[0, :40].mean() + 20


@pytest.mark.parametrize("columns", [7, 3000])
def test_few_or_many_columns_all_hold_something(call: Path, tiny_model: Path, columns: int) -> None:
    spec = load(str(tiny_model)).spec
    found = measure(AudioFile(str(call)), spec=spec, options=Options("mix"), duration_s=20.0, columns=columns)
    assert found.columns == columns
    assert found.mel_db.shape[:2] == (1, columns)
    assert (found.level_dbfs > -99).mean() > 0.9
    assert np.isfinite(found.mel_db).all()


# Pictures


@pytest.fixture
def drawing(tiny_model: Path, tmp_path: Path) -> tuple[Any, ...]:
    """A recording with a name that a formula or a terminal could be made of, measured and tagged."""
    path, model = tmp_path / "a$b_{$\x1b[31m.wav", load(str(tiny_model))
    samples = np.stack([speech_like(20, seed=1), speech_like(20, seed=2)], axis=1)
    soundfile.write(path, samples, RATE_HZ)
    result = tag_file(AudioFile(str(path)), model=model, options=Options(roles=("agent", "customer")))
    sound = measure(AudioFile(str(path)), spec=model.spec, options=Options(), duration_s=20.0, columns=COLUMNS)
    return result, sound, model.spec


@pytest.mark.parametrize(("suffix", "begin"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_picture_is_the_same_each_time(drawing: tuple[Any, ...], suffix: str, begin: bytes) -> None:
    result, sound, spec = drawing
    first = picture(result, sound, spec=spec, suffix=suffix)
    assert first.startswith(begin)
    assert picture(result, sound, spec=spec, suffix=suffix) == first
    if suffix == ".png":
        width, height = struct.unpack(">II", first[16:24])
        assert (width, height > 900) == (1320, True)


def test_a_picture_shows_what_is_heard(drawing: tuple[Any, ...]) -> None:
    result, sound, spec = drawing
    pixels = matplotlib.image.imread(io.BytesIO(picture(result, sound, spec=spec, suffix=".png")))
    quiet = sound.__class__(
        sound.duration_s,
        0 * sound.lowest,
        0 * sound.highest,
        *(getattr(sound, n) for n in ("level_dbfs", "speech")),
        np.zeros_like(sound.mel_db),
        sound.band_hz,
    )
    silent = matplotlib.image.imread(io.BytesIO(picture(result, quiet, spec=spec, suffix=".png")))
    assert (pixels != silent).any(axis=2).mean() > 0.05


def test_the_picture_of_the_page_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fonts differ by fractions of a pixel between versions of Matplotlib, so few pixels may differ."""
    monkeypatch.chdir(ROOT)
    target = tmp_path / "show.png"
    assert run(Request(str(CALL.relative_to(ROOT)), roles=("agent", "customer"), out=str(target))) == Exit.OK
    found, committed = (matplotlib.image.imread(path) for path in (target, PICTURE))
    assert found.shape == committed.shape
    assert (np.abs(found - committed).max(axis=2) > 0.2).mean() < 0.03, "run `python -m benchmarks.live_pages`"


def test_nothing_looks_for_a_screen(drawing: tuple[Any, ...]) -> None:
    code = "import sys, sertag.show.picture; print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False False\n"


def test_without_the_extra_the_command_is_told(drawing: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    result, sound, spec = drawing
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OutputError, match=r"pip install 'sertag\[show\]'"):
        picture(result, sound, spec=spec, suffix=".png")


# Clips


@pytest.mark.parametrize("suffix", ["wav", "flac", "WAV"])
def test_a_clip_is_the_very_samples(tmp_path: Path, suffix: str) -> None:
    whole = np.random.default_rng(0).integers(-32768, 32768, (3 * 44_100, 2), dtype=np.int16)
    path, target = tmp_path / "x.flac", tmp_path / f"clip.{suffix}"
    soundfile.write(path, whole, 44_100)
    assert cut(AudioFile(str(path)), Span(0.5, 2.25), str(target)) == 1.75
    found, rate_hz = soundfile.read(target, dtype="int16")
    assert rate_hz == 44_100
    assert np.array_equal(found, whole[22_050:99_225])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([path.name, target.name])


def test_a_clip_ends_with_the_recording(call: Path, tmp_path: Path) -> None:
    assert cut(AudioFile(str(call)), Span(19.5, 30), str(tmp_path / "c.wav")) == 0.5
    target = tmp_path / "none.wav"
    target.write_bytes(b"old")
    with pytest.raises(DecodeError, match=r"ends after 20\.000 s, before the clip at 21 s begins"):
        cut(AudioFile(str(call)), Span(21, 30), str(target))
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("text", ["", "1:2:3:4", "-1", "1e3", "nan", "1:", "abc", "٣"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time|is no span"):
        parse_time(text)
    with pytest.raises(ValueError, match=r"."):
        parse_span(f"{text}-5")


@pytest.mark.parametrize("text", ["5", "5-5", "7-5", "-"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no span|not behind|is no time"):
        parse_span(text)


# Playing


def test_a_recording_is_played_from_a_time_on(call: Path) -> None:
    places: list[float] = []
    assert play(AudioFile(str(call)), start_s=19.0, stop=threading.Event(), moved=places.append, null=True) == 20.0
    assert places == sorted(places)
    assert 19.0 <= places[0] < 19.6
    assert places[-1] == 20.0
    assert len(places) >= 4


def test_playing_stops_when_somebody_has_heard_enough(call: Path) -> None:
    stop, places = threading.Event(), []

    def moved(position_s: float) -> None:
        places.append(position_s)
        stop.set()

    assert play(AudioFile(str(call)), stop=stop, moved=moved, null=True) < 2


def test_many_channels_are_played_as_two(tmp_path: Path) -> None:
    path = tmp_path / "six.wav"
    soundfile.write(path, np.zeros((4000, 6)), RATE_HZ)
    assert play(AudioFile(str(path)), stop=threading.Event(), moved=lambda position_s: None, null=True) == 0.5


def test_what_cannot_be_played_is_told(tmp_path: Path, call: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DecodeError):
        play(AudioFile(str(tmp_path / "no.wav")), stop=threading.Event(), moved=lambda position_s: None, null=True)
    monkeypatch.setitem(sys.modules, "miniaudio", None)
    with pytest.raises(DeviceError, match=r"pip install 'sertag\[listen\]'"):
        play(AudioFile(str(call)), stop=threading.Event(), moved=lambda position_s: None, null=True)


# The command


def sertag(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "60", "PYTHONWARNINGS": "error", **environment}
    command = [sys.executable, "-m", "sertag", "show", *arguments]
    return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, check=False, timeout=60, encoding="utf-8")


@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "█"), ("ascii", "#")])
def test_a_terminal_of_any_encoding_is_served(call: Path, tiny_model: Path, encoding: str, bar: str) -> None:
    done = sertag(str(call), "--model", str(tiny_model), "--roles", "agent", PYTHONIOENCODING=encoding, FORCE_COLOR="")
    assert (done.returncode, done.stderr) == (0, "")
    assert bar in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert done.stdout.isascii() is (encoding == "ascii")


def test_a_picture_is_written_whole(call: Path, tiny_model: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "p.png"
    refused = invoke("show", str(call), "--model", str(tiny_model), "-o", str(target))
    assert (refused.exit_code, "cannot write" in refused.stderr) == (5, True)
    target.parent.mkdir()
    done = sertag(str(call), "--model", str(tiny_model), "-o", str(target))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert target.read_bytes().startswith(b"\x89PNG")
    assert [entry.name for entry in target.parent.iterdir()] == ["p.png"]


@pytest.mark.parametrize(
    ("wish", "code", "said"),
    [
        ({"path": "no.wav"}, Exit.NOTHING_TAGGED, "no such file"),
        ({"path": "no.wav", "clip": "0-1", "out": "x.wav"}, Exit.NOTHING_TAGGED, "no such file"),
        ({"path": "no.wav", "play": "0"}, Exit.NOTHING_TAGGED, "no such file"),
        ({"path": __file__}, Exit.NOTHING_TAGGED, "expected audio"),
        ({"path": "no.wav", "model": "nosuch"}, Exit.MODEL, "nosuch"),
    ],
)
def test_what_cannot_be_shown_is_told_with_a_code(
    wish: dict[str, str], code: int, said: str, capsys: pytest.CaptureFixture[str], tiny_model: Path
) -> None:
    assert run(Request(**({"model": str(tiny_model)} | wish))) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "wish",
    [
        {"path": "-"},
        {"only_role": "customer"},
        {"clip": "1-2"},
        {"clip": "1-2", "out": "x.png"},
        {"clip": "2-1", "out": "x.wav"},
        {"play": "call.wav"},
        {"play": "0", "out": "x.png"},
        {"play": "0", "clip": "0-1", "out": "x.wav"},
        {"out": "x.wav"},
        {"out": "x"},
        {"path": "a.wav", "clip": "0-1", "out": "./a.wav"},
    ],
)
def test_settings_that_contradict_each_other_are_usage_errors(wish: dict[str, str]) -> None:
    with pytest.raises(ShowError):
        run(Request(**({"path": "call.wav"} | wish)))


def test_settings_of_the_environment_hold_here_too(
    call: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"MODEL": str(tiny_model), "ROLES": "agent,customer", "ONLY_ROLE": "customer", "HOP": "1"}
    for name, value in names.items():
        monkeypatch.setenv(f"SERTAG_{name}", value)
    shown = CliRunner().invoke(show, [str(call)])
    assert shown.exit_code == 0
    assert "1 customer:" in shown.output
    assert "agent" not in shown.output


def test_a_clip_that_is_shorter_is_told(call: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Request(str(call), clip="0:19.5-0:25", out=str(tmp_path / "c.wav"))) == Exit.OK
    assert "ends 5.000 s before the clip does; 0.500 s were written" in capsys.readouterr().err


def test_a_cursor_moves_on_a_terminal(
    call: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert run(Request(str(call), play="19.2", model=str(tiny_model), device="null")) == Exit.OK
    screen = capsys.readouterr().out
    assert re.findall(r"\x1b\[(?:\d;)?3\dm", screen) == []  # which would be colours
    last = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", screen).rstrip().splitlines()[-1]
    assert last.split()[0] == "0:20"
    assert last.endswith(("▲", "^"))


def test_playing_without_a_terminal_is_quiet(call: Path) -> None:
    done = sertag(str(call), "--play", "19.5", "--device", "null")
    assert (done.returncode, done.stdout) == (0, "")
    refused = invoke("show", str(call), "--clip", "0-1", "--play", "--device", "null")
    assert (refused.exit_code, refused.stdout) == (2, "")
