"""From a source to the last event: pace, stalls, overflow, stops, exit codes; and the command as users run it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from sertag.errors import Exit, SertagError
from sertag.live.display import Display
from sertag.live.events import End, Event, Gap, Reason, SpeechEnd, Start
from sertag.live.listen import Limits, exit_code, listen
from sertag.live.run import ListenError, Request, run
from sertag.live.sources.feed import Arrived, Feed, Lost, Over
from sertag.live.sources.source import SourceError
from sertag.model.session import load
from sertag.records import ChannelResult, FileResult, Options, Status
from tests.cli.tables.runner import invoke
from tests.conftest import RATE_HZ, speech_like
from tests.live.test_sources import CALL, lines, media, mulaw, packet, started

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "calls" / "2026-03-02_0914_order_arrived.wav"


class Script:
    """A source that does what it is told: samples, gaps, errors, and waiting (seconds, or for an event)."""

    def __init__(self, *steps: Any, reason: Reason = "hang_up") -> None:
        self.name, self.channels, self.rate_hz = "script", 1, RATE_HZ
        self.call: dict[str, str] = {}
        self.reason, self.declared_samples = reason, None
        self.closed = threading.Event()
        self._steps = steps

    def items(self) -> Iterator[np.ndarray | Gap]:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, threading.Event):
                step.wait(10)
            elif isinstance(step, float):
                self.closed.wait(step)
            else:
                yield step

    def close(self) -> None:
        self.closed.set()


def told(source: Script, tiny_model: Path, *, stall_s: float = 10, most_s: float = 1e9) -> list[Event]:
    events: list[Event] = []
    limits = Limits(stall_s, most_s)
    stop = threading.Event()
    end = listen(
        source, events.extend, model=load(str(tiny_model)), options=Options(), path="x", limits=limits, stop=stop
    )
    assert source.closed.is_set()
    assert events[-1] is end
    return events


SPEECH = speech_like(8, seed=1)[:, None]


def test_a_hang_up_ends_with_the_row(tiny_model: Path) -> None:
    events = told(Script(SPEECH), tiny_model)
    end = events[-1]
    assert isinstance(end, End)
    assert (end.reason, end.error, exit_code(end)) == ("hang_up", "", Exit.OK)
    assert end.result.channels[0].segments


def test_a_stall_is_told_when_it_begins_and_when_it_ends(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sertag.live.listen.STALL_S", 0.3)
    events = told(Script(SPEECH[:8000], 1.2, SPEECH[8000:]), tiny_model)
    first, second = [event for event in events if isinstance(event, Gap)]
    assert (first.cause, first.open, first.start_s) == ("stall", True, 1.0)
    assert (second.cause, second.open, second.start_s) == ("stall", False, 1.0)
    assert 0.3 <= first.duration_s < 1.2 <= second.duration_s < 3
    assert events[-1].result.duration_s == 8.0


def test_a_source_that_stalls_for_too_long_is_given_up(tiny_model: Path) -> None:
    end = told(Script(SPEECH, 30.0), tiny_model, stall_s=0.5)[-1]
    assert (end.reason, exit_code(end)) == ("stalled", Exit.SOME_FAILED)
    assert "nothing came for" in end.error
    assert end.result.channels[0].segments  # what was heard is not lost


def test_a_source_that_breaks_keeps_what_was_heard(tiny_model: Path) -> None:
    end = told(Script(SPEECH, SourceError("it is gone", code="microphone_gone")), tiny_model)[-1]
    assert (end.reason, end.error, exit_code(end)) == ("failed", "it is gone", Exit.SOME_FAILED)
    assert end.result.channels[0].segments


def test_a_fault_in_a_source_is_told(tiny_model: Path) -> None:
    end = told(Script(SPEECH, ZeroDivisionError("oh")), tiny_model)[-1]
    assert "ZeroDivisionError: oh; this is a fault of sertag" in end.error


def test_it_ends_after_the_longest_duration(tiny_model: Path) -> None:
    end = told(Script(*[SPEECH] * 5, 5.0), tiny_model, most_s=10.5)[-1]
    assert (end.reason, end.result.duration_s, exit_code(end)) == ("max_duration", 10.5, Exit.OK)


def test_whoever_wants_to_stop_gets_the_row(tiny_model: Path) -> None:
    stop, model = threading.Event(), load(str(tiny_model))
    source, events = Script(SPEECH, 30.0), []

    def emit(found: list[Event]) -> None:
        events.extend(found)
        if not isinstance(events[-1], Start):
            stop.set()

    limits = Limits(100, 1e9)
    end = listen(source, emit, model=model, options=Options(), path="x", limits=limits, stop=stop)
    assert (end.reason, end.result.duration_s, exit_code(end)) == ("interrupted", 8.0, Exit.OK)


def test_a_reader_that_left_ends_everything(tiny_model: Path) -> None:
    source = Script(SPEECH, 30.0)

    def emit(found: list[Event]) -> None:
        if not isinstance(found[0], Start):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        listen(
            source,
            emit,
            model=load(str(tiny_model)),
            options=Options(),
            path="x",
            limits=Limits(9, 9),
            stop=threading.Event(),
        )
    assert source.closed.is_set()
    assert [thread.name for thread in threading.enumerate() if thread.name == "sertag-final"] == []


def test_nothing_heard_is_no_success() -> None:
    nothing = FileResult("x", (ChannelResult(None, Status.UNREADABLE),))
    failed = FileResult("x", (ChannelResult(0, Status.FAILED, duration_s=4.0),))
    found = {
        (reason, result.duration_s): exit_code(End(reason, "", 0, 0, result))  # type: ignore[arg-type]
        for reason in ("end_of_stream", "hang_up", "interrupted", "stalled")
        for result in (nothing, failed)
    }
    assert found == {
        ("end_of_stream", 0.0): Exit.NOTHING_TAGGED,
        ("end_of_stream", 4.0): Exit.SOME_FAILED,
        ("hang_up", 0.0): Exit.OK,
        ("hang_up", 4.0): Exit.OK,
        ("interrupted", 0.0): Exit.OK,
        ("interrupted", 4.0): Exit.OK,
        ("stalled", 0.0): Exit.SOME_FAILED,
        ("stalled", 4.0): Exit.SOME_FAILED,
    }


# The feed


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


SECOND = np.zeros((RATE_HZ, 1), np.float32)


def test_a_source_that_keeps_the_pace_loses_what_does_not_fit_and_counts_it() -> None:
    clock, go = Clock(), [threading.Event() for _ in range(100)]
    steps: list[Any] = []
    for event in go:
        steps += [event, SECOND]
    feed = Feed(Script(*steps), limit_s=30, clock=clock)
    for event in go:  # nobody takes anything for 100 s
        clock.now_s += 1
        event.set()
    items = []
    while not isinstance(item := feed.get(timeout_s=5), Over):
        assert item is not None
        items.append(item)
    assert [type(item) for item in items[:-1]] == [Arrived] * (len(items) - 1)
    assert isinstance(items[-1], Lost)
    assert sum(len(item.samples) if isinstance(item, Arrived) else item.samples for item in items) == 100 * RATE_HZ
    assert 29 * RATE_HZ <= sum(len(item.samples) for item in items[:-1]) <= 41 * RATE_HZ


def test_a_source_that_runs_ahead_waits_and_loses_nothing() -> None:
    clock = Clock()
    feed = Feed(Script(*[SECOND] * 200), limit_s=30, clock=clock)
    count = 0
    while not isinstance(item := feed.get(timeout_s=5), Over):
        assert isinstance(item, Arrived)
        count += 1
        clock.now_s += 7  # whoever listens is slow, too
    assert count == 200


def test_a_feed_that_is_closed_lets_its_reader_go() -> None:
    source = Script(*[SECOND] * 200)
    feed = Feed(source, limit_s=5)
    feed.get(timeout_s=5)
    feed.close()
    for _ in range(100):
        if not [thread for thread in threading.enumerate() if thread.name == "sertag-feed"]:
            break
        time.sleep(0.05)
    assert [thread.name for thread in threading.enumerate() if thread.name == "sertag-feed"] == []


# The terminal


@pytest.mark.parametrize("width", [20, 40, 100])
def test_a_timeline_fits_its_terminal(tiny_model: Path, width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None, legacy_windows=False)
    with Display(load(str(tiny_model)).spec, console=console) as display:
        listen(
            Script(SPEECH, Gap("stall", None, 8.0, 1.0, filled=False), SPEECH),
            display.show,
            model=load(str(tiny_model)),
            options=Options(roles=("customer",)),
            path="evil\x1b[2J.wav",
            limits=Limits(9, 99),
            stop=threading.Event(),
        )
    drawn = file.getvalue()
    assert "\x1b[2J" not in drawn
    shown = "".join(part for part in drawn.split("\x1b")[-1:])
    assert max(len(line) for line in shown.splitlines()) <= width
    assert "customer" in drawn.replace("\n", "")


def test_a_timeline_in_a_file_ends_with_a_line_end(tiny_model: Path) -> None:
    file = io.StringIO()
    with Display(load(str(tiny_model)).spec, console=Console(file=file, width=80)) as display:
        display.show([SpeechEnd(0, "customer", 0.0, 1.0, 0)])
    assert file.getvalue().endswith("\n")


# The command


def sertag(*arguments: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "sertag", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, timeout=60, **more)


def events_of(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_wav_through_a_pipe_ends_as_the_batch_byte_for_byte() -> None:
    (path,) = EXAMPLE.parent.glob("*lost_connection.wav")  # which is cut short
    content = path.read_bytes()
    roles = ("--roles", "agent,customer", "--model", "phone")
    live, batch = sertag("listen", "-", *roles, input=content), sertag("-", "--format", "jsonl", *roles, input=content)
    assert (live.returncode, live.stderr) == (0, b"")
    last = live.stdout.splitlines()[-1]
    assert last.startswith(b'{"event":"end"')
    assert last.endswith(b',"result":' + batch.stdout.strip() + b"}")
    kinds = [event["event"] for event in events_of(live.stdout)]
    assert (kinds[0], kinds[-1], kinds.count("start"), kinds.count("end")) == ("start", "end", 1, 1)
    assert "window" in kinds


@pytest.mark.parametrize("cut_bytes", [0, 30])
@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM"])
def test_codings_in_blocks_end_as_the_batch_byte_for_byte(subtype: str, cut_bytes: int, tiny_model: Path) -> None:
    file = io.BytesIO()
    soundfile.write(file, speech_like(9, seed=4), 8000, format="WAV", subtype=subtype)
    content = file.getvalue()[: len(file.getvalue()) - cut_bytes]
    model = ("--model", str(tiny_model))
    live, batch = sertag("listen", "-", *model, input=content), sertag("-", "--format", "jsonl", *model, input=content)
    assert batch.returncode == live.returncode == 0
    assert live.stdout.splitlines()[-1].endswith(b',"result":' + batch.stdout.strip() + b"}")


def test_nothing_through_a_descriptor_is_no_header(tiny_model: Path) -> None:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    done = sertag("listen", "--in", f"fd:{descriptor}", "--model", str(tiny_model), pass_fds=(descriptor,))
    os.close(descriptor)
    (row,) = events_of(done.stdout)[-1]["result"]["channels"]
    assert (done.returncode, row["error_code"]) == (3, "empty_file")
    assert row["error"] == f"fd:{descriptor}: ended before any audio came; does the other side send any?"


def test_samples_through_a_descriptor_end_as_those_of_a_file(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "call.sln"
    path.write_bytes((speech_like(9, seed=4) * 32767).astype("<i2").tobytes())
    descriptor = os.open(path, os.O_RDONLY)
    try:
        live = sertag(
            "listen",
            "--in",
            f"fd:{descriptor}",
            "--model",
            str(tiny_model),
            "--name",
            str(path),
            pass_fds=(descriptor,),
        )
    finally:
        os.close(descriptor)
    batch = sertag(str(path), "--model", str(tiny_model), "--format", "jsonl")
    assert live.stdout.splitlines()[-1].endswith(b',"result":' + batch.stdout.strip() + b"}")


def test_twilio_tracks_end_as_a_stereo_file(tmp_path: Path, tiny_model: Path) -> None:
    (inbound, _), (outbound, _) = mulaw(9, 1), mulaw(9, 2)
    path = tmp_path / "call.wav"
    both = np.stack([np.frombuffer(inbound, np.uint8), np.frombuffer(outbound, np.uint8)], axis=1)
    both = both[: len(both) // 160 * 160].copy()
    both[16_000:24_000, 1] = 0xFF
    messages = [started("inbound", "outbound")]
    for start in range(0, len(both), 160):
        messages.append(media("inbound", start // 8, both[start : start + 160, 0].tobytes()))
        if not 16_000 <= start < 24_000:
            messages.append(media("outbound", start // 8, both[start : start + 160, 1].tobytes()))
    kind = {"format": "RAW", "subtype": "ULAW", "channels": 2, "samplerate": RATE_HZ}
    soundfile.write(path, soundfile.read(io.BytesIO(both.tobytes()), **kind)[0], RATE_HZ, subtype="ULAW")
    wish = ("--model", str(tiny_model), "--roles", "customer,agent")
    live = sertag("listen", "--stream-format", "twilio", *wish, "--name", str(path), input=lines(*messages))
    batch = sertag(str(path), *wish, "--format", "jsonl")
    assert live.stdout.splitlines()[-1].endswith(b',"result":' + batch.stdout.strip() + b"}")
    gaps = [event for event in events_of(live.stdout) if event["event"] == "gap"]
    assert [(gap["cause"], gap["channel"], gap["start_s"], gap["duration_ms"]) for gap in gaps] == [
        ("missing", 1, 2.0, 1000)
    ]


def test_a_call_over_a_connection_ends_with_its_uuid(tiny_model: Path) -> None:
    here, there = socket.socketpair()
    frames = (speech_like(5, seed=1) * 32767).astype("<i2").tobytes()
    sound = b"".join(packet(0x10, frames[start : start + 320]) for start in range(0, len(frames), 320))
    threading.Thread(target=there.sendall, args=(packet(1, CALL.bytes) + sound + packet(0),)).start()
    number = here.fileno()
    done = sertag("listen", "--audiosocket", f"fd:{number}", "--model", str(tiny_model), pass_fds=(number,))
    here.close()
    start, *_, end = events_of(done.stdout)
    assert (done.returncode, end["reason"]) == (0, "hang_up")
    assert start["call"] == {"uuid": str(CALL)}
    assert end["result"]["path"] == f"audiosocket:{CALL}"


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 0), (signal.SIGHUP, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_the_row(tiny_model: Path, signum: signal.Signals, code: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "sertag", "listen", "--raw", "s16le", "--model", str(tiny_model)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write((speech_like(8, seed=1) * 32767).astype("<i2").tobytes())
        process.stdin.flush()
        lines_seen = [process.stdout.readline(), process.stdout.readline()]
        process.send_signal(signum)
        rest = process.stdout.read()  # the other side stays connected
        process.wait(30)
    events = events_of(b"".join(lines_seen) + rest)
    assert process.returncode == code
    assert (events[0]["event"], events[-1]["event"], events[-1]["reason"]) == ("start", "end", "interrupted")
    assert 0 < events[-1]["result"]["channels"][0]["duration_s"] <= 8.0  # what had come when it was read


def test_whoever_waits_for_a_call_may_stop_waiting(tiny_model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "sertag", "listen", "--audiosocket", f":{port}", "--model", str(tiny_model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        waiting = f"0100007F:{port:04X} 00000000:0000 0A"  # 0A: somebody waits for a connection
        for _ in range(1200):
            if waiting in Path("/proc/net/tcp").read_text(encoding="ascii"):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            assert process.communicate(timeout=30) == (b"", b"")
        finally:
            process.kill()  # else a failure would wait for it for ever
        assert process.returncode == 0


def test_a_full_disk_is_told(tiny_model: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "sertag", "listen", "--raw", "s16le", "--model", str(tiny_model)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command, input=bytes(16_000), stdout=full, stderr=subprocess.PIPE, env=environment, timeout=60, check=False
        )
    assert (done.returncode, b"No space left" in done.stderr) == (5, True)


def test_a_reader_that_leaves_ends_it_quietly(tiny_model: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "sertag", "listen", "--raw", "s16le", "--model", str(tiny_model)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):  # it may be over before
            process.stdin.write(bytes(160_000))
            process.stdin.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("arguments", "content", "code", "said"),
    [
        (["-"], b"hello, this is no audio", 3, "expected a WAV file"),
        (["-"], b"", 3, "ends before any audio"),
        (["--raw", "mulaw"], b"", 3, ""),
        (["-"], b"ID3\4\0\xff", 3, r"begins with 'ID3\x04\x00\xff', expected a WAV file"),
        (["--stream-format", "twilio"], b"{}\n", 3, "before a message that starts a stream"),
        (["--raw", "s16le", "--roles", "a,b", "--only-role", "b"], b"", 1, "cannot be separated"),
    ],
)
def test_what_cannot_be_listened_to_is_told_with_a_code(
    arguments: list[str], content: bytes, code: int, said: str
) -> None:
    done = sertag("listen", "--format", "jsonl", *arguments, input=content)
    assert done.returncode == code
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--in", "fd:77"], 3, "is not open"),
        (["--raw", "s16le", "--model", "nosuch"], 4, "nosuch"),
        (["--raw", "s16le", "--only-role", "x"], 2, "must be one of --roles"),
        (["--device", "1", "--in", "fd:3"], 2, "different sources"),
    ],
)
def test_what_is_wrong_before_anything_is_heard(arguments: list[str], code: int, said: str) -> None:
    done = invoke("listen", "--format", "jsonl", *arguments)
    assert done.exit_code == code
    assert said in done.stderr
    assert isinstance(done.exception, SystemExit)  # no traceback


@pytest.mark.parametrize(
    "request_",
    [
        Request(source="call.wav"),
        Request(source="-", rate=8000),
        Request(source="-", audiosocket=":1"),
        Request(stream_format="twilio", raw="s16le"),
        Request(raw="s16le", device="1"),
        Request(audiosocket=":1", channels=2),
    ],
)
def test_settings_that_contradict_each_other_are_usage_errors(request_: Request) -> None:
    with pytest.raises(ListenError):
        run(request_)


def test_a_microphone_is_heard_until_somebody_has_enough(
    capfdbinary: pytest.CaptureFixture[bytes], tiny_model: Path
) -> None:
    assert run(Request(device="null", model=str(tiny_model), max_duration=0.5, rate=8000, format="jsonl")) == 0
    start, end = events_of(capfdbinary.readouterr().out)
    assert (start["path"], start["sample_rate"]) == ("microphone", 8000)
    assert (end["reason"], end["result"]["channels"][0]["duration_s"]) == ("max_duration", 0.5)


def test_errors_of_a_session_are_told(tiny_model: Path) -> None:
    source = Script(SPEECH)
    with pytest.raises(SertagError, match="cannot be separated"):
        listen(
            source,
            lambda events: None,
            model=load(str(tiny_model)),
            options=Options(roles=("a", "b"), only_role="b"),
            path="x",
            limits=Limits(9, 9),
            stop=threading.Event(),
        )
    assert source.closed.is_set()
