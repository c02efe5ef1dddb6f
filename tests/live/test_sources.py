"""Sources give the samples that files of the same bytes give, and say what is wrong with everything else."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sertag.audio.headerless import parse_raw
from sertag.live.events import Gap
from sertag.live.sources.audiosocket import AudioSocket, open_audiosocket, parse_address
from sertag.live.sources.microphone import Microphone, device_names
from sertag.live.sources.pcm import Decoder, PcmSource, open_descriptor, open_wav
from sertag.live.sources.placement import HOLD_S, Placement
from sertag.live.sources.source import Source, SourceError
from sertag.live.sources.twilio import TwilioSource
from tests.conftest import RATE_HZ, speech_like

Pipe = Callable[[bytes], int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Bytes that come through a descriptor, a few at a time."""
    opened: list[int] = []

    def make(data: bytes) -> int:
        reading, writing = os.pipe()
        opened.append(reading)

        def write() -> None:
            with os.fdopen(writing, "wb", buffering=0) as stream:
                for start in range(0, len(data), 997):
                    try:
                        stream.write(data[start : start + 997])
                    except BrokenPipeError:
                        return

        threading.Thread(target=write, daemon=True).start()
        return reading

    yield make
    for descriptor in opened:
        os.close(descriptor)


def everything(source: Source) -> tuple[np.ndarray, list[Gap]]:
    items = list(source.items())
    pieces = [item for item in items if not isinstance(item, Gap)]
    samples = np.concatenate(pieces) if pieces else np.zeros((0, source.channels), np.float32)
    return samples, [item for item in items if isinstance(item, Gap)]


# Samples without a header


@pytest.mark.parametrize(
    ("raw", "subtype"), [("s16le", "PCM_16"), ("ulaw", "ULAW"), ("alaw", "ALAW"), ("f32le", "FLOAT")]
)
def test_samples_are_those_of_a_file(pipe: Pipe, raw: str, subtype: str) -> None:
    samples = np.stack([speech_like(1, seed=1), speech_like(1, seed=2)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, format="RAW", subtype=subtype, endian="LITTLE")
    file.seek(0)
    kind = {"format": "RAW", "subtype": subtype, "channels": 2, "samplerate": RATE_HZ}
    expected = soundfile.read(file, dtype="float32", **kind)[0]
    source = PcmSource(pipe(file.getvalue()), parse_raw(f"{raw}:8000:2"), name="-")
    found, gaps = everything(source)
    assert np.array_equal(found, expected)
    assert (gaps, source.declared_samples, source.reason) == ([], None, "end_of_stream")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_cuts_between_bytes_mean_nothing(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    decoder, whole = Decoder(parse_raw("s16le:8000:2")), Decoder(parse_raw("s16le:8000:2"))
    pieces = [decoder.push(data[a:b]) for a, b in itertools.pairwise(edges)]
    assert np.array_equal(np.concatenate(pieces), whole.push(data))


@pytest.mark.parametrize(
    ("text", "said"), [("3", "no descriptor"), ("fd:-1", "no descriptor"), ("fd:987", "not open"), ("fd:²", "no desc")]
)
def test_descriptors_that_are_none_are_refused(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        open_descriptor(text)


def test_a_folder_is_no_descriptor(tmp_path: Path) -> None:
    number = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(SourceError, match="directory"):
            open_descriptor(f"fd:{number}")
    finally:
        os.close(number)


# WAV


def wav(samples: np.ndarray, subtype: str, *, rate_hz: int = RATE_HZ, data_bytes: int | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="WAVEX" if subtype == "PCM_24" else "WAV", subtype=subtype)
    content = bytearray(file.getvalue())
    place = content.index(b"data")
    if data_bytes is not None:
        content[place + 4 : place + 8] = struct.pack("<I", data_bytes)
    return bytes(content)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("data_bytes", [None, 0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_wav_of_any_length_is_heard(pipe: Pipe, subtype: str, data_bytes: int | None) -> None:
    samples = np.stack([speech_like(0.5, seed=1), speech_like(0.5, seed=2)], axis=1)
    content = wav(samples, subtype, data_bytes=data_bytes)
    expected = soundfile.read(io.BytesIO(wav(samples, subtype)), dtype="float32")[0]
    source = open_wav(pipe(content), name="-")
    found, _ = everything(source)
    assert (source.channels, source.rate_hz) == (2, RATE_HZ)
    assert np.array_equal(found[: len(expected)], expected)
    assert len(found) - len(expected) < 20  # what libsndfile writes behind the samples, where no size says so


@pytest.mark.parametrize(("subtype", "channels"), [("GSM610", 1), ("IMA_ADPCM", 2), ("MS_ADPCM", 1), ("MS_ADPCM", 2)])
@pytest.mark.parametrize("data_bytes", [None, 0, 0xFFFFFFFF])
def test_blocks_are_decoded_as_those_of_a_file(pipe: Pipe, subtype: str, channels: int, data_bytes: int | None) -> None:
    content = wav(np.stack([speech_like(9, seed=seed) for seed in range(channels)], axis=1), subtype)
    expected = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]
    if data_bytes is not None:
        place = content.index(b"data") + 4
        content = content[:place] + struct.pack("<I", data_bytes) + content[place + 4 :]
    found, _ = everything(open_wav(pipe(content), name="-"))
    assert np.array_equal(found[: len(expected)], expected)
    assert len(found) == len(expected) or data_bytes is not None  # else what libsndfile writes behind them counts


def test_what_follows_the_samples_is_none(pipe: Pipe) -> None:
    samples = speech_like(0.5, seed=1)
    source = open_wav(pipe(wav(samples, "PCM_16") + b"LIST\4\0\0\0INFO" + bytes(5000)), name="-")
    assert len(everything(source)[0]) == len(samples)
    assert source.declared_samples == len(samples)


def test_a_wav_that_breaks_off_declares_more(pipe: Pipe) -> None:
    content = wav(speech_like(2, seed=1), "PCM_16")
    source = open_wav(pipe(content[: len(content) // 2]), name="-")
    found, _ = everything(source)
    assert 7900 < len(found) < 8100
    assert source.declared_samples == 16_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ends before any audio"),
        (b"ID3\4" + bytes(50), "expected a WAV file; samples without a header need --raw"),
        (b"RIFF" + bytes(4) + b"WAVE", "ends inside its header"),
        (b"RIFF" + bytes(4) + b"WAVEdata" + bytes(40), "samples before their format"),
        (b"RIFF" + bytes(4) + b"WAVEfmt \4\0\0\0" + bytes(4), "has 4 bytes"),
        (b"RIFF" + bytes(4) + b"WAVEjunk\xff\xff\xff\x7f", "expected fewer"),
        (b"RIFF" + bytes(4) + b"WAVEfmt \x14\0\0\0" + struct.pack("<HHIIHHI", 0x45, 1, 8000, 4000, 1, 4, 0), "0x0045"),
        (
            b"RIFF....WAVEfmt \x14\0\0\0" + struct.pack("<HHIIHHI", 0x31, 1, 8000, 0, 0, 0, 0) + b"data....",
            "blocks of 0 bytes",
        ),
        (b"RIFF....WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 2, 8000, 32000, 9, 16) + b"data", "contradict"),
        (b"RIFF....WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 0, 8000, 0, 0, 16) + b"data....", "0 channels"),
        (b"RIFF....WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 1, 7, 14, 2, 16) + b"data....", "rate of 7 Hz"),
    ],
)
def test_what_is_no_wav_is_told(pipe: Pipe, content: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        open_wav(pipe(content), name="-")


# AudioSocket


def packet(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack(">BH", kind, len(payload)) + payload


CALL = uuid.UUID("40325ec2-5efd-4bd3-805f-53576e581d13")


def call_over(*parts: bytes, stall_s: float = 5.0, hold: bool = False) -> tuple[AudioSocket, socket.socket]:
    here, there = socket.socketpair()
    there.sendall(b"".join(parts))
    if not hold:
        there.shutdown(socket.SHUT_WR)
    address = f"fd:{here.detach()}"
    return open_audiosocket(address, stall_s=stall_s), there


@pytest.mark.parametrize(("kind", "rate_hz"), [(0x10, 8000), (0x12, 16000), (0x16, 48000)])
@pytest.mark.parametrize("end", [packet(0), b"", packet(0xFF, b"\1"), packet(0x10, b"xx")[:4]])
def test_a_call_is_heard_until_it_is_hung_up(kind: int, rate_hz: int, end: bytes) -> None:
    sound = (speech_like(0.2, seed=1) * 32767).astype("<i2")
    frames = [packet(kind, sound[start : start + 160].tobytes()) for start in range(0, len(sound), 160)]
    source, there = call_over(packet(1, CALL.bytes), packet(3, b"5"), *frames, end)
    found, _ = everything(source)
    assert (source.rate_hz, source.channels, source.call["uuid"]) == (rate_hz, 1, str(CALL))
    assert (source.name, source.reason) == (f"audiosocket:{CALL}", "hang_up")
    assert np.array_equal(found[:, 0], sound.astype(np.float32) / 32768)
    source.close()
    assert there.recv(10) == bytes(3)  # Asterisk is told
    source.close()


def test_a_call_that_is_hung_up_at_once_has_no_sound() -> None:
    source, _ = call_over(packet(1, CALL.bytes), packet(0))
    assert len(everything(source)[0]) == 0
    assert source.reason == "hang_up"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "type 0x47"),
        (packet(1, b"short"), "UUID of 5 bytes"),
        (packet(0xFF, b"\4"), r"error 0x04 \(Asterisk has no memory left\)"),
        (packet(0xFF), "error 0x00"),
        (packet(0x10, bytes(4)) + packet(0x12, bytes(4)), "one rate"),
    ],
)
def test_nonsense_from_a_socket_is_told(data: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        everything(call_over(data)[0])


def test_a_socket_that_stalls_is_given_up() -> None:
    with pytest.raises(SourceError, match="sends nothing any more") as error:
        call_over(packet(1, CALL.bytes)[:7], stall_s=0.1, hold=True)
    assert error.value.code == "stalled"


def test_closing_wakes_whoever_waits() -> None:
    source, there = call_over(packet(0x10, bytes(320)), hold=True)
    threading.Timer(0.1, source.close).start()
    assert len(everything(source)[0]) == 160
    there.close()


def test_a_call_comes_over_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    def dial() -> None:
        for _ in range(100):
            try:
                with socket.create_connection(("127.0.0.1", port)) as call:
                    call.sendall(packet(1, CALL.bytes) + packet(0x10, bytes(320)) + packet(0))
                    call.recv(3)
                return
            except ConnectionRefusedError:
                time.sleep(0.02)

    caller = threading.Thread(target=dial)
    caller.start()
    source = open_audiosocket(f":{port}", stall_s=5)
    assert len(everything(source)[0]) == 160
    source.close()
    caller.join()


@pytest.mark.parametrize("address", ["9092", "localhost", "a:b", "host:99999", "host:-1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SourceError, match="expected HOST:PORT"):
        parse_address(address)


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(SourceError, match="port is free"):
        open_audiosocket(f"127.0.0.1:{server.getsockname()[1]}", stall_s=1)


def test_a_pipe_is_no_connection(pipe: Pipe) -> None:
    with pytest.raises(SourceError, match="no socket"):
        open_audiosocket(f"fd:{pipe(b'')}", stall_s=1)


# Twilio


def started(*tracks: str, **more: object) -> dict[str, object]:
    form = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    start = {"streamSid": "MZ1", "callSid": "CA1", "tracks": list(tracks), "mediaFormat": form} | more
    return {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": "MZ1"}


def media(track: str, at_ms: int, payload: bytes) -> dict[str, object]:
    body = {"track": track, "chunk": "1", "timestamp": str(at_ms), "payload": base64.b64encode(payload).decode()}
    return {"event": "media", "media": body, "streamSid": "MZ1"}


def lines(*messages: dict[str, object]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def mulaw(seconds: float, seed: int) -> tuple[bytes, np.ndarray]:
    file = io.BytesIO()
    soundfile.write(file, speech_like(seconds, seed=seed), RATE_HZ, format="RAW", subtype="ULAW")
    coded = file.getvalue()
    return coded, Decoder(parse_raw("ulaw")).push(coded)[:, 0]


def test_tracks_are_placed_by_their_timestamps(pipe: Pipe) -> None:
    (inbound, left), (outbound, right) = mulaw(2, 1), mulaw(2, 2)
    packets = [media("inbound", 20 * i, inbound[160 * i : 160 * (i + 1)]) for i in range(100) if not 30 <= i < 55]
    packets += [media("outbound", 20 * i, outbound[160 * i : 160 * (i + 1)]) for i in range(100)]
    packets.sort(key=lambda one: (int(one["media"]["timestamp"]) // 100, one["media"]["track"]))  # type: ignore[index]
    messages = [{"event": "connected"}, started("inbound", "outbound"), *packets, {"event": "mark"}, {"event": "stop"}]
    source = TwilioSource(pipe(lines(*messages)), name="-")
    found, gaps = everything(source)
    left[30 * 160 : 55 * 160] = 0
    assert np.array_equal(found, np.stack([left, right], axis=1))
    assert gaps == [Gap("missing", 0, 0.6, 0.5, filled=True)]
    assert (source.name, source.call, source.reason) == (
        "twilio:CA1",
        {"callSid": "CA1", "streamSid": "MZ1"},
        "hang_up",
    )


def test_a_stream_without_an_end_ends(pipe: Pipe) -> None:
    source = TwilioSource(pipe(lines(started("outbound"), media("outbound", 0, b"\xff" * 160))[:-1]), name="-")
    assert everything(source)[0].shape == (160, 1)
    assert source.reason == "end_of_stream"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "ends before a message that starts"),
        (b"hello\n", "line 1 has 'hello', expected a JSON object"),
        (b"[]\n", "expected a JSON object"),
        (b"[" * 100_000 + b"\n", "expected a JSON object"),
        (lines(media("inbound", 0, b"x")), "has 'media' before"),
        (lines(started()), "tracks"),
        (lines(started("inbound", "third")), "third"),
        (lines(started("inbound", mediaFormat={"encoding": "audio/l16", "sampleRate": 16000})), "l16"),
        (lines(started("inbound"), media("outbound", 0, b"x")), "line 2 has media of the track 'outbound'"),
        (lines(started("inbound"), {"event": "media"}), "track None"),
        (lines(started("inbound"), {"event": "media", "media": {"track": "inbound", "timestamp": "x"}}), "timestamp"),
        (
            lines(started("inbound")) + b'{"event":"media","media":{"track":"inbound","timestamp":"1","payload":"*"}}',
            "64",
        ),
        (b"x" * (2 << 20), "a line of more than"),
    ],
)
def test_nonsense_from_a_bridge_is_told(pipe: Pipe, data: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said) as error:
        everything(TwilioSource(pipe(data), name="-"))
    assert error.value.code == "nonsense"


# Placement


def placed(*packets: tuple[int, int, int]) -> tuple[np.ndarray, list[Gap]]:
    """Packets of ones as (track, start, length) in samples of 1000 Hz."""
    placement, items = Placement(tracks=2, rate_hz=1000), []
    for track, start, length in packets:
        items += placement.add(track, start, np.ones(length, np.float32))
        items += placement.take()
    items += placement.take(last=True)
    pieces = [item for item in items if not isinstance(item, Gap)]
    return np.concatenate(pieces), [item for item in items if isinstance(item, Gap)]


def test_packets_out_of_order_find_their_place() -> None:
    found, gaps = placed(*((track, start, 20) for start in (0, 40, 20, 60, 100, 80) for track in (0, 1)))
    assert found.shape == (120, 2)
    assert found.all()
    assert gaps == []


def test_jitter_is_no_gap() -> None:
    found, gaps = placed(*((track, max(0, 20 * i + i % 7 - 3), 20) for i in range(100) for track in (0, 1)))
    assert len(found) == 2000
    assert found.all()
    assert gaps == []


def test_what_comes_too_late_is_counted() -> None:
    times = range(0, round(1000 * HOLD_S) + 200, 20)
    both = [(track, start, 20) for start in times for track in (0, 1) if track or not 20 <= start < 100]
    found, gaps = placed(*both, (0, 20, 80))
    assert not found[20:100, 0].any()
    assert [(gap.cause, gap.channel) for gap in gaps] == [("missing", 0), ("late", 0)]
    assert gaps[1].duration_s == pytest.approx(0.08)


@pytest.mark.parametrize("leap", [-50_000, 10_000_000])
def test_a_clock_that_jumps_makes_no_hole(leap: int) -> None:
    before = [(track, start, 100) for start in range(60_000, 61_000, 100) for track in (0, 1)]
    after = [(track, start + leap, 100) for start in range(61_000, 62_000, 100) for track in (0, 1)]
    found, gaps = placed(*before, *after)
    assert len(found) == 62_000
    assert found[60_000:].all()
    (jump,) = [gap for gap in gaps if gap.cause == "clock_jump"]
    assert jump.duration_s == pytest.approx(leap / 1000, abs=0.2)


def test_a_track_that_says_nothing_is_one_gap() -> None:
    found, gaps = placed(*((0, start, 100) for start in range(0, 25_000, 100)))
    assert found[:, 0].all()
    assert not found[:, 1].any()
    assert gaps == [Gap("missing", 1, 0.0, 25.0, filled=True)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-10_000, 2_000_000), st.integers(0, 50)), max_size=30))
def test_no_timestamps_break_it(packets: list[tuple[int, int, int]]) -> None:
    placement, items = Placement(tracks=2, rate_hz=1000), []
    for track, start, length in packets:
        items += [*placement.add(track, start, np.ones(length, np.float32)), *placement.take()]
    items += placement.take(last=True)
    total = sum(len(item) for item in items if not isinstance(item, Gap))
    assert total <= sum(length for _, _, length in packets) + 600_000 * len(packets)
    placed_s = sum(item[:, track].sum() for item in items if not isinstance(item, Gap) for track in (0, 1))
    assert placed_s <= sum(length for _, _, length in packets)


# Microphone


def test_a_microphone_is_heard() -> None:
    source = Microphone(rate_hz=16_000, channels=2, null=True)
    piece = next(iter(source.items()))
    assert isinstance(piece, np.ndarray)
    assert piece.shape[1] == 2
    assert 100 <= len(piece) <= 16_000
    source.close()
    source.close()
    assert len(everything(source)[0]) >= 0  # it ends


def test_a_microphone_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sertag.live.sources.microphone.GONE_S", 0.3)
    source = Microphone(rate_hz=8000, channels=1, null=True)
    source._device.stop()  # as when it is unplugged
    with pytest.raises(SourceError, match="unplugged") as error:
        everything(source)
    assert error.value.code == "microphone_gone"
    source.close()


def test_microphones_have_names() -> None:
    (name, *_) = device_names(null=True)
    assert Microphone(rate_hz=8000, channels=1, device=name[:4], null=True).call == {"device": name}
    with pytest.raises(SourceError, match="no microphone matches 'nosuch'"):
        Microphone(rate_hz=8000, channels=1, device="nosuch", null=True)


def test_without_the_extra_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "miniaudio", None)
    with pytest.raises(SourceError, match=r"pip install 'sertag\[listen\]'"):
        Microphone(rate_hz=8000, channels=1)
    with pytest.raises(SourceError, match="pip install"):
        device_names()
