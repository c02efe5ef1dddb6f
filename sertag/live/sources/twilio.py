"""Twilio's Media Streams as JSON lines: what its WebSocket sends, one message a line, through a bridge of any kind.

Messages: `connected`; `start` with the tracks and the format, always mu-law at 8 kHz; `media` with a track, a timestamp
in milliseconds from the start of the stream and base64; `stop`; others mean nothing here (twilio.com/docs/voice,
"Media Streams - WebSocket Messages"). Channel 0 is the audio from the caller (`inbound`), channel 1 the audio to the
caller (`outbound`).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from sertag.audio.headerless import FORMATS
from sertag.live.events import Gap, Reason
from sertag.live.sources.pcm import Decoder
from sertag.live.sources.placement import Placement
from sertag.live.sources.source import Bytes, SourceError
from sertag.records import FloatArray
from sertag.text import shown_bytes

_TRACKS = ("inbound", "outbound")
_LONGEST_LINE_BYTES = 1 << 20
_ENCODING, _RATE_HZ = "audio/x-mulaw", 8000


class TwilioSource:
    """One stream; see `source.Source`."""

    def __init__(self, descriptor: int, *, name: str) -> None:
        """Read up to the message that starts the stream.

        Raises:
            SourceError: there is none, or it says what is not supported.
        """
        self._bytes, self._line, self._rest, self._source_name = Bytes(descriptor, name), 0, b"", name
        self.reason: Reason = "end_of_stream"
        self.declared_samples: int | None = None
        start = self._start()
        found = start.get("tracks")
        tracks = found if isinstance(found, list) else []
        self._tracks = [track for track in _TRACKS if track in tracks]
        if not self._tracks or len(self._tracks) != len(tracks):
            raise self._nonsense(f"a stream with the tracks {json.dumps(found)}, expected {' and '.join(_TRACKS)}")
        form = start.get("mediaFormat")
        if isinstance(form, dict) and (form.get("encoding"), form.get("sampleRate")) != (_ENCODING, _RATE_HZ):
            raise self._nonsense(f"the format {json.dumps(form)}, expected {_ENCODING} at {_RATE_HZ} Hz")
        self.call: dict[str, str] = {key: str(start[key]) for key in ("callSid", "streamSid") if key in start}
        self.name = f"twilio:{self.call['callSid']}" if "callSid" in self.call else "twilio"
        self.channels, self.rate_hz = len(self._tracks), _RATE_HZ
        self._decoder = Decoder(FORMATS["ulaw"])

    def items(self) -> Iterator[FloatArray | Gap]:
        """Pieces of all tracks, float32 (n, tracks), and what is missing of each."""
        placement = Placement(tracks=self.channels, rate_hz=self.rate_hz)
        while (message := self._message()) is not None:
            kind = message.get("event")
            if kind == "stop":
                self.reason = "hang_up"
                break
            if kind == "media":
                yield from placement.add(*self._packet(message))
                yield from placement.take()
        yield from placement.take(last=True)

    def close(self) -> None:
        """Does nothing: the descriptor was opened by the parent process."""

    def _start(self) -> dict[str, Any]:
        while (message := self._message()) is not None:
            if message.get("event") == "start" and isinstance(message.get("start"), dict):
                return dict(message["start"])
            if message.get("event") in ("media", "stop", "start"):
                break
        found = "ends" if message is None else f"has {message.get('event')!r}"
        raise SourceError(f"{self._source_name}: {found} before a message that starts a stream", code="nonsense")

    def _packet(self, message: dict[str, Any]) -> tuple[int, int, FloatArray]:
        """Track, position and samples (n,) of one message."""
        media = message.get("media")
        track = media.get("track") if isinstance(media, dict) else None
        if not isinstance(media, dict) or track not in self._tracks:
            raise self._nonsense(f"media of the track {track!r}, expected {' or '.join(self._tracks)}")
        try:
            milliseconds = int(media["timestamp"])
            payload = base64.b64decode(media["payload"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise self._nonsense("media without a timestamp in milliseconds and a payload in base64") from error
        position = milliseconds * self.rate_hz // 1000
        return self._tracks.index(track), position, self._decoder.push(payload)[:, 0]

    def _message(self) -> dict[str, Any] | None:
        """The next message; None at the end."""
        line = self._next_line()
        if line is None:
            return None
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise self._nonsense(f"{shown_bytes(line[:40])}, expected a JSON object")
        return message

    def _next_line(self) -> bytes | None:
        """The next line that holds anything; None at the end."""
        while True:
            line, newline, rest = self._rest.partition(b"\n")
            if newline:
                self._line += 1
                self._rest = rest
                if line.strip():
                    return line
                continue
            if len(self._rest) > _LONGEST_LINE_BYTES:
                self._line += 1
                raise self._nonsense(f"a line of more than {_LONGEST_LINE_BYTES} bytes, expected one message")
            data = self._bytes.some()
            if not data:
                self._line += 1
                line, self._rest = self._rest, b""
                return line if line.strip() else None
            self._rest += data

    def _nonsense(self, found: str) -> SourceError:
        return SourceError(f"{self._source_name}: line {self._line} has {found}", code="nonsense")
