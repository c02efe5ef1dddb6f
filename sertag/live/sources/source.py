"""The interface of sources of live audio, and their errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from sertag.errors import SertagError
from sertag.live.events import Gap, Reason
from sertag.records import FloatArray

READ_BYTES = 1 << 14  # at once, at most; a pipe gives what it has


class SourceError(SertagError):
    """A source cannot be opened, or what it sends makes no sense."""


class Source(Protocol):
    """Live audio; it is read on a separate thread.

    Attributes:
        name: default path of the rows.
        channels, rate_hz: of the samples, known once it is open.
        call: information about the call, such as its UUID.
        reason: why it ended, once `items` has ended without an error.
        declared_samples: of each channel, as a header says it, once it ended; None where none does.
    """

    name: str
    channels: int
    rate_hz: int
    call: dict[str, str]
    reason: Reason
    declared_samples: int | None

    def items(self) -> Iterator[FloatArray | Gap]:
        """Samples, float32 (n, channels), never changed again; and gaps for which there are samples already.

        Raises:
            SourceError: what comes makes no sense, or the device is gone.
        """

    def close(self) -> None:
        """Release it, also while another thread waits in `items`."""


class Bytes:
    """Bytes of a descriptor as they come, also an exact number of them."""

    def __init__(self, descriptor: int, name: str) -> None:
        """Read from `descriptor`, which messages call `name`."""
        self._descriptor, self._name = descriptor, name

    def some(self, most: int = READ_BYTES) -> bytes:
        """What there is, at most so many bytes; waits for the first one, and gives none at the end.

        Raises:
            SourceError: it cannot be read.
        """
        try:
            return os.read(self._descriptor, most)
        except ConnectionError:
            return b""  # the connection was closed by the other side, a usual end of a call
        except OSError as error:
            raise SourceError(f"{self._name}: reading failed ({error.strerror})", code="unreadable") from error

    def exactly(self, count: int) -> bytes:
        """So many bytes; fewer where it ends before."""
        data = b""
        while len(data) < count and (more := self.some(count - len(data))):
            data += more
        return data
