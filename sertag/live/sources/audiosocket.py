"""Asterisk's AudioSocket: one call over one connection.

Each packet has one byte of type, two of length (big-endian) and a payload. Types: 0x00 the call is over, 0x01 UUID of
16 bytes, 0x03 a DTMF digit, 0x10 audio, 16 bits little-endian at 8 kHz, 0x11 to 0x18 the same at higher rates (since
2025, asterisk#1492), 0xff an error with a code (docs.asterisk.org, "AudioSocket").
"""

from __future__ import annotations

import os
import socket
import stat
import uuid
from collections.abc import Iterator
from dataclasses import replace

from sertag.audio.headerless import FORMATS
from sertag.live.events import Gap, Reason
from sertag.live.sources.pcm import Decoder, open_descriptor
from sertag.live.sources.source import SourceError
from sertag.records import FloatArray

_HANG_UP, _UUID, _DTMF, _ERROR = 0x00, 0x01, 0x03, 0xFF
_RATES_HZ = {
    kind: rate_hz
    for kind, rate_hz in enumerate((8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000), start=0x10)
}
_ERRORS = {0x01: "the caller hung up", 0x02: "Asterisk could not forward a frame", 0x04: "Asterisk has no memory left"}
_CALLER_HUNG_UP = 0x01
_DEFAULT_HOST, _LONGEST_TIMEOUT_S = "127.0.0.1", 1e6

Packet = tuple[int, bytes]


class AudioSocket:
    """One call; see `source.Source`."""

    def __init__(self, connection: socket.socket, *, peer: str) -> None:
        """Read up to the first audio, which says the rate.

        Args:
            connection: of one call; it is closed in the end.
            peer: for messages.

        Raises:
            SourceError: what comes is not this protocol, or nothing comes.
        """
        self._connection, self._peer = connection, peer
        self.name, self.channels = "audiosocket", 1
        self.call: dict[str, str] = {}
        self.reason: Reason = "hang_up"
        self.declared_samples: int | None = None
        self._first = self._before_audio()
        self._kind = 0x10 if self._first is None else self._first[0]
        self.rate_hz = _RATES_HZ[self._kind]
        self._decoder = Decoder(replace(FORMATS["s16le"], rate_hz=self.rate_hz))

    def items(self) -> Iterator[FloatArray | Gap]:
        """The samples, float32 (n, 1), until the call is over."""
        packet = self._first
        while packet is not None:
            kind, payload = packet
            if kind in _RATES_HZ:
                if kind != self._kind:
                    found = f"audio of type 0x{kind:02x} after 0x{self._kind:02x}"
                    raise self._nonsense(f"{found}, expected one rate for one call")
                if len(piece := self._decoder.push(payload)):
                    yield piece
            packet = self._packet()

    def close(self) -> None:
        """Tell Asterisk that it is over, and hang up the connection."""
        try:
            self._connection.sendall(bytes(3))
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has hung up before
        self._connection.close()

    def _before_audio(self) -> Packet | None:
        """The first packet of audio; None where the call is over before."""
        while (packet := self._packet()) is not None and packet[0] not in _RATES_HZ:
            kind, payload = packet
            if kind == _UUID:
                if len(payload) != 16:
                    raise self._nonsense(f"a UUID of {len(payload)} bytes, expected 16")
                self.call["uuid"] = str(uuid.UUID(bytes=payload))
                self.name = f"audiosocket:{self.call['uuid']}"
        return packet

    def _packet(self) -> Packet | None:
        """The next packet; None once the call is over."""
        head = self._exactly(3)
        if len(head) < 3:
            return None
        kind, size = head[0], int.from_bytes(head[1:], "big")
        if kind not in (_HANG_UP, _UUID, _DTMF, _ERROR, *_RATES_HZ):
            raise self._nonsense(f"a packet of type 0x{kind:02x}, expected those of AudioSocket (0x00, 0x01, 0x10, …)")
        payload = self._exactly(size)
        if kind == _HANG_UP or len(payload) < size:
            return None
        if kind == _ERROR:
            code = payload[0] if payload else 0
            if code == _CALLER_HUNG_UP:
                return None
            raise SourceError(
                f"{self._peer}: reports error 0x{code:02x} ({_ERRORS.get(code, 'unknown')})", code="peer_error"
            )
        return kind, payload

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                more = self._connection.recv(count - len(data))
            except TimeoutError as error:
                raise SourceError(f"{self._peer}: sends nothing any more", code="stalled") from error
            except OSError:  # reset, or closed here: the call is over
                more = b""
            if not more:
                break
            data += more
        return data

    def _nonsense(self, found: str) -> SourceError:
        return SourceError(f"{self._peer}: sends {found}; is it Asterisk's AudioSocket?", code="nonsense")


def open_audiosocket(address: str, *, stall_s: float) -> AudioSocket:
    """Wait for one call.

    Args:
        address: `HOST:PORT` or `:PORT` to wait at, the host 127.0.0.1 where none is given; or `fd:N`, a connection that
            inetd, socat or systemd have accepted.
        stall_s: how long the other side may send nothing, once it is connected.

    Raises:
        SourceError: the address cannot be used, or what comes is not this protocol.
    """
    connection, peer = _inherited(address) if address.startswith("fd:") else _accepted(*parse_address(address))
    connection.settimeout(min(stall_s, _LONGEST_TIMEOUT_S))
    try:
        return AudioSocket(connection, peer=peer)
    except SourceError:
        connection.close()
        raise


def parse_address(address: str) -> tuple[str, int]:
    """Host and port.

    Raises:
        SourceError: they are none.

    >>> parse_address(":9092"), parse_address("[::1]:9092")
    (('127.0.0.1', 9092), ('::1', 9092))
    """
    host, colon, port = address.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
        raise SourceError(f"{address!r} is no address, expected HOST:PORT, as in 127.0.0.1:9092", code="bad_address")
    return host.strip("[]") or _DEFAULT_HOST, int(port)


def _accepted(host: str, port: int) -> tuple[socket.socket, str]:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family) as server:
            connection, peer = server.accept()
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"cannot wait for a call at {host}:{port}: {reason}; check the address and that the port is free"
        raise SourceError(message, code="bad_address") from error
    return connection, f"{peer[0]}:{peer[1]}"


def _inherited(address: str) -> tuple[socket.socket, str]:
    number = open_descriptor(address)
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        raise SourceError(f"{address}: is no socket, expected a connection that was accepted", code="bad_descriptor")
    return socket.socket(fileno=number), address
