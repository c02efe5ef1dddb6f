"""`sertag listen` as users run it: what comes in, what goes out, and how it ends."""

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
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import Result

from sertag.live.run import ListenError, Request, run
from tests.cli.tables.runner import invoke
from tests.conftest import RATE_HZ, speech_like
from tests.in_process import standard_input, without_workers
from tests.live.test_sources import CALL, lines, media, mulaw, packet, started
from tests.processes import ROOT

EXAMPLE = ROOT / "examples" / "calls" / "2026-03-02_0914_order_arrived.wav"


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    without_workers(monkeypatch)


def listened(*arguments: str, content: bytes = b"") -> Result:
    """Run `sertag listen` here, with standard input from a pipe."""
    with standard_input(content):
        return invoke("listen", *arguments)


def sertag(*arguments: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-W", "error", "-m", "sertag", *arguments]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False, timeout=60, **more)


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
    live, batch = listened("-", *model, content=content), invoke("-", "-f", "jsonl", *model, input=content)
    assert batch.exit_code == live.exit_code == 0
    assert_same_row(live, batch)


def assert_same_row(live: Result, batch: Result) -> None:
    """What was heard ends with the line of the batch."""
    assert live.stdout_bytes.splitlines()[-1].endswith(b',"result":' + batch.stdout_bytes.strip() + b"}")


def test_nothing_through_a_descriptor_is_no_header(tiny_model: Path) -> None:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    done = invoke("listen", "--in", f"fd:{descriptor}", "--model", str(tiny_model))
    os.close(descriptor)
    (row,) = events_of(done.stdout_bytes)[-1]["result"]["channels"]
    assert (done.exit_code, row["error_code"]) == (3, "empty_file")
    assert row["error"] == f"fd:{descriptor}: ended before any audio came; does the other side send any?"


def test_samples_through_a_descriptor_end_as_those_of_a_file(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "call.sln"
    path.write_bytes((speech_like(9, seed=4) * 32767).astype("<i2").tobytes())
    descriptor = os.open(path, os.O_RDONLY)
    try:
        live = invoke("listen", "--in", f"fd:{descriptor}", "--model", str(tiny_model), "--name", str(path))
    finally:
        os.close(descriptor)
    assert_same_row(live, invoke(str(path), "--model", str(tiny_model), "--format", "jsonl"))


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
    live = listened("--stream-format", "twilio", *wish, "--name", str(path), content=lines(*messages))
    assert_same_row(live, invoke(str(path), *wish, "--format", "jsonl"))
    gaps = [event for event in events_of(live.stdout_bytes) if event["event"] == "gap"]
    assert [(gap["cause"], gap["channel"], gap["start_s"], gap["duration_ms"]) for gap in gaps] == [
        ("missing", 1, 2.0, 1000)
    ]


def test_a_call_over_a_connection_ends_with_its_uuid(tiny_model: Path) -> None:
    here, there = socket.socketpair()
    frames = (speech_like(5, seed=1) * 32767).astype("<i2").tobytes()
    sound = b"".join(packet(0x10, frames[start : start + 320]) for start in range(0, len(frames), 320))
    threading.Thread(target=there.sendall, args=(packet(1, CALL.bytes) + sound + packet(0),)).start()
    done = invoke("listen", "--audiosocket", f"fd:{here.detach()}", "--model", str(tiny_model))
    start, *_, end = events_of(done.stdout_bytes)
    assert (done.exit_code, end["reason"]) == (0, "hang_up")
    assert start["call"] == {"uuid": str(CALL)}
    assert end["result"]["path"] == f"audiosocket:{CALL}"


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 0), (signal.SIGHUP, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_the_row(tiny_model: Path, signum: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "sertag", "listen", "--raw", "s16le", "--model", str(tiny_model)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
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
    command = [sys.executable, "-m", "sertag", "listen", "--audiosocket", f":{port}", "--model", str(tiny_model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
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
    command = [sys.executable, "-m", "sertag", "listen", "--raw", "s16le", "--model", str(tiny_model)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command, input=bytes(16_000), stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, timeout=60, check=False
        )
    assert (done.returncode, b"No space left" in done.stderr) == (5, True)


def test_a_reader_that_leaves_ends_it_quietly(tiny_model: Path) -> None:
    command = [sys.executable, "-m", "sertag", "listen", "--raw", "s16le", "--model", str(tiny_model)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
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
    done = listened("--format", "jsonl", *arguments, content=content)
    assert done.exit_code == code
    assert said in done.stderr
    assert isinstance(done.exception, SystemExit)  # no traceback


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
