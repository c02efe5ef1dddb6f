"""The committed example calls are what examples/README.md says, and the script makes the same ones again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from sertag.audio.discover import discover
from sertag.model.session import load
from sertag.records import ChannelResult, Options, Status
from sertag.tagging.pipeline import tag_file

EXAMPLES = Path(__file__).parents[1] / "examples"
CALLS = EXAMPLES / "calls"
NOT_AUDIO = "2026-03-02_1011_upload_failed.wav"
ONE_CHANNEL = "2026-03-02_1020_one_channel.wav"


def audio_names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.wav") if path.name != NOT_AUDIO)


def channels_of(name: str) -> int:
    return 1 if name == ONE_CHANNEL else 2


def make_calls(folder: Path) -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed, it speaks the example calls")
    subprocess.run([sys.executable, EXAMPLES / "make_calls.py", folder], check=True, timeout=60)


@pytest.fixture(scope="module")
def channels(tiny_model: Path) -> dict[tuple[str, int | str | None], ChannelResult]:
    model = load(str(tiny_model))
    results = [tag_file(file, model=model, options=Options(min_confidence=0.0)) for file in discover([str(CALLS)])]
    return {(Path(result.path).name[11:-4], one.channel): one for result in results for one in result.channels}


@pytest.mark.parametrize("name", audio_names(CALLS))
def test_every_call_is_8_khz_mu_law_and_all_but_one_are_stereo(name: str) -> None:
    info = soundfile.info(CALLS / name)
    assert (info.samplerate, info.channels, info.format, info.subtype) == (8000, channels_of(name), "WAV", "ULAW")


def test_the_calls_are_small_and_one_lies_in_a_subfolder() -> None:
    assert sum(path.stat().st_size for path in CALLS.rglob("*") if path.is_file()) < 1_500_000
    assert len(audio_names(CALLS)) == 8
    assert [name for name in audio_names(CALLS) if "/" in name] == ["voicemail/2026-03-02_1803_nobody_spoke.wav"]


def test_rows_of_every_kind_that_no_model_decides(channels: dict[tuple[str, int | str | None], ChannelResult]) -> None:
    found = {key: one.status for key, one in channels.items() if one.status is not Status.OK}
    assert found == {
        ("0940_on_hold", 0): Status.NO_SPEECH,
        ("0940_on_hold", 1): Status.NO_SPEECH,
        ("1005_hung_up", 0): Status.TOO_SHORT,
        ("1005_hung_up", 1): Status.TOO_SHORT,
        ("1011_upload_failed", None): Status.UNREADABLE,
        ("1803_nobody_spoke", 1): Status.NO_SPEECH,
    }


def test_the_customer_alone_cannot_be_told_apart_on_one_channel(tiny_model: Path) -> None:
    options = Options(roles=("agent", "customer"), only_role="customer")
    (file,) = discover([str(CALLS / ONE_CHANNEL)])
    (row,) = tag_file(file, model=load(str(tiny_model)), options=options).channels
    assert (row.status, row.emotion) == (Status.FAILED, None)


def test_one_call_is_cut_short_and_scored_as_far_as_it_goes(
    channels: dict[tuple[str, int | str | None], ChannelResult],
) -> None:
    problems = {key: one.problem.code for key, one in channels.items() if one.status is Status.OK and one.problem}
    assert problems == {("0958_lost_connection", 0): "truncated", ("0958_lost_connection", 1): "truncated"}


def test_the_complaint_has_overtalk_clipping_and_a_trend(
    channels: dict[tuple[str, int | str | None], ChannelResult],
) -> None:
    customer = channels["0901_billing_complaint", 1]
    assert customer.overtalk_s is not None
    assert 0.3 < customer.overtalk_s < 2
    assert customer.clipped_pct is not None
    assert customer.clipped_pct > 0
    assert customer.trend_label is not None


@pytest.fixture(scope="module")
def made_calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The calls that the script makes here."""
    folder = tmp_path_factory.mktemp("made")
    make_calls(folder)
    return folder


def test_the_script_makes_the_same_calls_every_time(made_calls: Path, tmp_path: Path) -> None:
    make_calls(tmp_path)
    first = {name: (made_calls / name).read_bytes() for name in audio_names(made_calls)}
    assert first == {name: (tmp_path / name).read_bytes() for name in audio_names(tmp_path)}


def test_the_script_makes_what_is_committed(made_calls: Path) -> None:
    assert audio_names(made_calls) == audio_names(CALLS)
    assert (made_calls / NOT_AUDIO).read_bytes() == (CALLS / NOT_AUDIO).read_bytes()
    for name in audio_names(CALLS):
        made, committed = soundfile.info(made_calls / name), soundfile.info(CALLS / name)
        # Another release of espeak-ng may speak a little faster or slower.
        assert made.duration == pytest.approx(committed.duration, rel=0.1), name
        assert (made.samplerate, made.channels, made.subtype) == (8000, channels_of(name), "ULAW")


def test_the_script_says_what_it_lacks(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "make_calls.py", tmp_path / "calls"]
    done = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("espeak-ng is not on PATH")
    assert not (tmp_path / "calls").exists()
