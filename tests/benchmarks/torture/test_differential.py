"""`benchmarks.torture.differential`: cases can be made again, the judge knows right from wrong, the run counts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.torture import page
from benchmarks.torture.differential import __main__ as differential
from benchmarks.torture.differential.explanations import EXPLANATIONS
from benchmarks.torture.differential.ffmpeg import Played, Track, play
from benchmarks.torture.differential.outlines import OUTLINE_S, differences, differences_in_parts
from benchmarks.torture.differential.recordings import cases, faults, rewritten
from benchmarks.torture.differential.recordings.fields import changed, fields, value
from benchmarks.torture.differential.recordings.formats import Format, formats
from benchmarks.torture.differential.recordings.recording import Fault, Recording, Workshop, recorded
from benchmarks.torture.differential.recordings.speech import clips
from benchmarks.torture.differential.verdict import Read, judge

needs_ffmpeg = pytest.mark.skipif(
    not all(map(shutil.which, ("ffmpeg", "ffprobe", "sox"))), reason="ffmpeg, ffprobe and sox are not installed"
)
ALL = {one.name: one for one in formats()}
SPEECH = clips(Path("no such folder"))  # the example calls
WITHOUT_FFMPEG = ("wavex/pcm_16", "rf64/pcm_24", "w64/pcm_16", "au-little/pcm_16", "caf/pcm_24", "aifc/alaw")
BY_FFMPEG = (
    "wav/pcm_s16le",
    "ogg/opus",
    "mkv/aac*2",
    "mov/pcm_s16le",
    "asf/wmav2",
    "avi/mp3lame",
    "mp3/mp3-cbr",
    "flv/aac",
)


def shop(folder: Path, seed: int = 0) -> Workshop:
    return Workshop(folder, SPEECH, np.random.default_rng(seed))


def made(name: str, folder: Path) -> Recording:
    return recorded(ALL[name], shop(folder))


# What is made


def test_there_are_all_containers_each_format_once() -> None:
    assert len(ALL) == len(formats()) > 110
    containers = {one.container for one in ALL.values()}
    assert {
        "wav",
        "rf64",
        "bw64",
        "w64",
        "au",
        "caf",
        "aiff",
        "flac",
        "mp3",
        "ogg",
        "m4a",
        "mkv",
        "amr",
        "3gp",
    } <= containers
    assert sum(one.tracks > 1 for one in ALL.values()) >= 10


@pytest.mark.parametrize(
    "name", [*WITHOUT_FFMPEG, *(pytest.param(name, marks=needs_ffmpeg) for name in BY_FFMPEG)]
)  # fmt: skip
def test_sizes_are_found_and_changed_and_nothing_else_is(name: str, tmp_path: Path) -> None:
    content = made(name, tmp_path).content
    found = fields(content)
    assert found
    for field in found:
        new = changed(content, field, 100)
        assert value(new, field) == 100
        assert len(new) == len(content)
        assert sum(a != b for a, b in zip(content, new, strict=True)) <= 12  # the field, and a checksum


def test_the_sizes_of_a_wav_file_are_those_of_its_bytes(tmp_path: Path) -> None:
    content = made("wavex/pcm_16", tmp_path).content
    sizes = {field.name: value(content, field) for field in fields(content)}
    assert sizes["RIFF"] == len(content) - 8
    assert sizes["data"] == len(content) - content.index(b"data") - 8


@pytest.mark.parametrize("fault", dict.fromkeys(cases.FIRST), ids=lambda fault: fault.__name__)
def test_each_fault_changes_a_file_or_says_that_it_cannot(fault: Fault, tmp_path: Path) -> None:
    sound = made("wavex/pcm_16", tmp_path)
    broken = fault(sound, shop(tmp_path, seed=3))
    if broken is None:
        unfit = (
            "joined_other",
            "junk_before",
            "packets_lost",
            "time_hole",
            "piped",
            "killed",
            "no_index",
            "index_first",
        )
        assert fault.__name__ in unfit
    elif fault is not faults.none:
        assert broken.content != sound.content
        assert broken.faults


def test_what_a_file_holds_is_known_as_long_as_no_sound_is_damaged(tmp_path: Path) -> None:
    sound = made("wavex/pcm_16", tmp_path)
    assert sound.held_s is not None
    assert sound.truth is not None
    assert sound.truth.shape == (sound.channels, int(sound.held_s / OUTLINE_S))
    joined = faults.joined(sound, shop(tmp_path, seed=1))
    assert joined.held_s is not None
    assert joined.held_s > sound.held_s + 4
    assert faults.tag_behind(joined, shop(tmp_path)).held_s == joined.held_s
    assert faults.cut(joined, shop(tmp_path)).held_s is None


@needs_ffmpeg
@pytest.mark.parametrize("seed", [1_000_003, 1_000_036, 1_000_070])
def test_a_seed_is_always_the_same_file(seed: int, tmp_path: Path) -> None:
    twice = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        twice.append(cases.case(seed, folder=tmp_path / name, clips=SPEECH, among=formats()))
    assert twice[0].content == twice[1].content
    assert twice[0].faults == twice[1].faults
    assert twice[0].kinds


@needs_ffmpeg
def test_ffmpeg_plays_every_track_at_its_place(tmp_path: Path) -> None:
    recording = made("mkv/pcm_s16le*2", tmp_path)
    path = tmp_path / "two.mkv"
    path.write_bytes(recording.content)
    played = play(path, muxer="matroska")
    assert [track.channels for track in played.tracks] == [recording.channels] * 2
    assert played.clock_s == pytest.approx(recording.held_s, abs=0.1)
    assert recording.truth is not None
    assert not differences(played.tracks[-1].clock_outline[-1], recording.truth[-1])


@needs_ffmpeg
def test_lost_packets_are_no_speech_that_could_be_read(tmp_path: Path) -> None:
    recording = made("mp3/mp3-cbr", tmp_path)
    lost = rewritten.packets_lost(recording, shop(tmp_path))
    assert lost is not None
    assert 0.5 * recording.spoken_s < lost.spoken_s < recording.spoken_s - 0.05


# Outlines


def voice(seconds: float, seed: int = 0) -> Any:
    """An outline with syllables and pauses."""
    rng = np.random.default_rng(seed)
    return (0.1 * np.repeat(rng.random(round(seconds)) > 0.3, 20) * rng.random(20 * round(seconds))).astype(np.float32)


def test_outlines_may_begin_at_other_times_but_hold_the_same() -> None:
    assert not differences(voice(20)[5:], voice(20))
    assert differences(voice(20, seed=1), voice(20))
    silenced = voice(20)
    silenced[100:140] = 0
    assert "silence instead of speech" in differences(silenced, voice(20))


def test_parts_of_damaged_recordings_may_move() -> None:
    assert not differences_in_parts(np.delete(voice(40), slice(300, 330)), voice(40))
    assert "other sound" in differences_in_parts(voice(40, seed=1), voice(40))


# The judge

FORMAT = Format("wav", "pcm_s16le", ".wav", "wav", lambda sound, folder, piped: b"")
SOUND = Recording(FORMAT, b"", 8000, 1, held_s=10.0, spoken_s=10.0, most_s=10.0)
DAMAGED = replace(SOUND, held_s=None, kinds=("cut",))
JOINED = replace(SOUND, held_s=20.0, spoken_s=20.0, most_s=20.0, kinds=("joined",))
TIMED = replace(DAMAGED, format=replace(FORMAT, container="mkv"), kinds=("time_hole",), spoken_s=20.0, most_s=20.0)
PAIR = replace(SOUND, format=replace(FORMAT, tracks=2))
OLD_PAIR = replace(JOINED, format=replace(FORMAT, container="voc"))
OPUS = replace(DAMAGED, format=replace(FORMAT, container="mp4-fragmented", codec="opus"))
MPG123 = "[src/libmpg123/layer3.c:INT123_do_layer3():1804] error: dequantization failed!\n"


def ffmpeg(
    seconds: float, clock_s: float | None = None, tracks: int = 1, errors: int = 0, packets_s: float = 0
) -> Played:
    clock_s = seconds if clock_s is None else clock_s
    sides = [(voice(seconds, seed=track)[None], voice(clock_s, seed=track)[None]) for track in range(tracks)]
    return Played(tuple(Track(1, 8000, "pcm", seconds, clock_s, packets_s, *side) for side in sides), errors, "")


def sertag(seconds: float, note: str = "", code: str = "truncated", channels: int = 1, **other: Any) -> Read:
    outline = [voice(seconds, seed=channel) for channel in range(channels)]
    return Read(seconds, channels, 8000, note=note, note_code=code if note else "", **{"outline": outline, **other})


NOTE = "a.wav: its header announces 10.000 s; 4.000 s could be read and were used"
CASES = [
    ("agrees", SOUND, ffmpeg(10), sertag(10), "same", "the lengths agree"),
    ("both refuse", DAMAGED, ffmpeg(0, tracks=0), Read(code="damaged", message="is damaged"), "same", "neither reads"),
    ("refused alone", DAMAGED, ffmpeg(5), Read(code="damaged", message="a.wav: is damaged"), "unexplained", "refused"),
    ("crash", SOUND, ffmpeg(10), Read(ended="crashes (-11)"), "unexplained", "crashes"),
    ("bug", SOUND, ffmpeg(10), Read(code="raised", message="KeyError"), "unexplained", "raised"),
    ("lost", SOUND, ffmpeg(10), sertag(4), "unexplained", "lost in silence"),
    ("lost by both", JOINED, ffmpeg(10), sertag(10), "unexplained", "lost in silence"),
    ("announced", DAMAGED, ffmpeg(10), sertag(4, NOTE), "announced", "ffmpeg plays more"),
    ("one length only", DAMAGED, ffmpeg(10), sertag(4, "a.wav: is damaged; 4.000 s were used"), "unexplained", "lost"),
    ("something behind", JOINED, ffmpeg(10), sertag(10, "9 bytes behind", "trailing_data"), "announced", "something"),
    ("whole file", JOINED, ffmpeg(10), sertag(20), "explained", "content"),
    ("clock", TIMED, ffmpeg(10, 12), sertag(12), "explained", "clock"),
    ("no clock", TIMED, ffmpeg(10, 12), sertag(10), "unexplained", "clock not kept"),
    ("concealed", DAMAGED, ffmpeg(9, errors=5, packets_s=10), sertag(10), "explained", "concealed"),
    ("more after damage", DAMAGED, ffmpeg(6), sertag(10), "explained", "damage"),
    ("a tag is played", DAMAGED, ffmpeg(14), sertag(10), "explained", "junk"),
    ("too much", DAMAGED, ffmpeg(6), sertag(30), "unexplained", "too much"),
    ("header was stale", SOUND, ffmpeg(10), sertag(10, "gives 3.000 s", "stale_header"), "same", "the lengths"),
    ("false note", SOUND, ffmpeg(10), sertag(10, NOTE), "unexplained", "false note"),
    ("false length", DAMAGED, ffmpeg(4), sertag(4, "announces 99.000 s; 4.000 s"), "unexplained", "false length"),
    ("one of two tracks", PAIR, ffmpeg(10, tracks=2), sertag(10), "unexplained", "channels"),
    ("both tracks", PAIR, ffmpeg(10, tracks=2), sertag(10, channels=2), "same", "the lengths agree"),
    ("swapped", PAIR, ffmpeg(10, tracks=2), sertag(10, channels=2, outline=[voice(10, 1), voice(10)]), "unexplained",
     "channel order"),
    ("silence", SOUND, ffmpeg(10), sertag(10, outline=[0 * voice(10)]), "unexplained", "other content"),
    ("rate", SOUND, ffmpeg(10), replace(sertag(10), rate_hz=16_000), "unexplained", "rate"),
    ("Opus in its own rate", OPUS, ffmpeg(0, tracks=0), replace(sertag(10), rate_hz=48_000), "explained", "damage"),
    ("Opus in another", OPUS, ffmpeg(0, tracks=0), replace(sertag(10), rate_hz=16_000), "unexplained", "rate"),
    ("printed", SOUND, ffmpeg(10), sertag(10, said="[layer3.c] error"), "unexplained", "a library prints"),
    ("printed by libmpg123", SOUND, ffmpeg(10), sertag(10, said=MPG123 * 3), "explained", "libmpg123"),
    ("printed beside it", SOUND, ffmpeg(10), sertag(10, said=MPG123 + "warning\n"), "unexplained", "a library prints"),
    ("VOC at its own rate", OLD_PAIR, ffmpeg(10), sertag(20.25), "explained", "rate"),
    ("VOC with too much", OLD_PAIR, ffmpeg(10), sertag(20.6), "unexplained", "too much"),
    ("foreign words", DAMAGED, ffmpeg(0, tracks=0), Read(code="damaged", message="SF_INFO"), "unexplained", "foreign"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("recording", "played", "read", "kind", "reason"), [one[1:] for one in CASES], ids=[one[0] for one in CASES]
)
def test_the_judge(recording: Recording, played: Played, read: Read, kind: str, reason: str) -> None:
    verdict = judge(recording, played, read)
    assert verdict.kind == kind, verdict
    assert verdict.reason.startswith(reason)


def test_every_explanation_has_its_reason_and_is_named_once() -> None:
    assert len({one.name for one in EXPLANATIONS}) == len(EXPLANATIONS)
    assert all(len(one.reason) > 30 for one in EXPLANATIONS)


# The run

FAKE = """
import os, sys, time
from sertag.errors import DecodeError
def open_audio(path):
    path = os.path.basename(path)
    if "hang" in path: time.sleep(60)
    if "crash" in path: os._exit(3)
    print("noise", file=sys.stderr)
    raise DecodeError("x", code="damaged") if "bad" in path else KeyError("bug")
"""
FAKE_ERRORS = """
class DecodeError(Exception):
    def __init__(self, text, code):
        super().__init__(text)
        self.code = code
"""


def test_a_decoder_that_crashes_hangs_or_prints_is_seen_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sertag of another tree is tried, here one that does all that."""
    (tmp_path / "sertag" / "audio").mkdir(parents=True)
    for name, text in {"__init__": "", "errors": FAKE_ERRORS, "audio/__init__": "", "audio/decode": FAKE}.items():
        (tmp_path / "sertag" / f"{name}.py").write_text(text)
    monkeypatch.setattr(differential, "_LIMIT_S", 3.0)
    with differential.Reader(tmp_path) as reader:
        read = {name: reader.read(tmp_path / name) for name in ("bad1", "crash", "hang", "bug", "bad2")}
    assert (read["bad1"].code, read["bad2"].code) == ("damaged", "damaged")
    assert read["bug"].code == "raised"
    assert "noise" in read["bug"].said
    assert read["crash"].ended == "crashes (3)"
    assert read["hang"].ended == "hangs"


@needs_ffmpeg
def test_a_run_counts_every_case_and_one_of_them_can_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av", reason="the formats of the run take the extra av")
    out = tmp_path / "r.json"
    differential.main(["--data", "no such folder", "--count", "2", "--first", "60", "--out", str(out)])
    report = json.loads(out.read_text())
    assert report["cases"] == sum(report["verdicts"].values()) == 2
    for table in ("by_container", "by_fault"):
        assert sum(sum(row.values()) for row in report[table].values()) >= 2
    assert sum(sum(reasons.values()) for reasons in report["reasons"].values()) == 2
    assert len(report["unexplained"]) == report["verdicts"]["unexplained"]

    stopped = report | {"cases": 1, "verdicts": dict.fromkeys(report["verdicts"], 0)}
    out.write_text(json.dumps(stopped))
    differential.main(["--data", "no such folder", "--count", "2", "--first", "60", "--out", str(out)])
    assert sum(json.loads(out.read_text())["verdicts"].values()) == 1  # the second case
    out.write_text(json.dumps(stopped | {"code": "another"}))
    differential.main(["--data", "no such folder", "--count", "2", "--first", "60", "--out", str(out)])
    assert json.loads(out.read_text())["verdicts"] == report["verdicts"]
    monkeypatch.chdir(tmp_path)
    differential.main(["--data", "no such folder", "--only", "1000061"])
    shown = json.loads(capsys.readouterr().out)
    assert Path(shown["file"]).stat().st_size > 100
    assert shown["sertag"]["code"] or shown["sertag"]["seconds"] > 0
    assert shown["verdict"]["kind"] in report["verdicts"]


def test_the_page_has_the_figures_once_they_are_measured(tmp_path: Path) -> None:
    assert "not measured yet" in page.differential(tmp_path / "no.json")
    row = dict.fromkeys(differential.VERDICTS, 0) | {"same": 1500, "explained": 4}
    report = {
        "cases": 1504,
        "verdicts": row,
        "by_container": {"wav": row},
        "explanations": {"clock": "holes"},
        "ffmpeg": "5.1",
    }
    (tmp_path / "r.json").write_text(json.dumps(report))
    shown = page.differential(tmp_path / "r.json")
    assert "1,504" in shown
    assert "| WAV and its kin | 1504 | 1500 | 4 | 0 | 0 |" in shown


def test_every_container_has_a_row_on_the_page() -> None:
    named = {container for containers in page.FAMILIES.values() for container in containers}
    assert {one.container for one in formats()} == named
