"""Blocks of GSM 6.10 and ADPCM as they come, which are decoded whole, by what decodes them in files.

Codings: ETSI EN 300 961 as Microsoft packs it (65 bytes are 320 samples), IMA ADPCM, Microsoft's ADPCM.
"""

from __future__ import annotations

import numpy as np

from sertag.audio.decoders.reader import BrokenError
from sertag.audio.decoders.sndfile import BlockReader
from sertag.live.sources.source import SourceError
from sertag.records import FloatArray

CODINGS = {0x02: "Microsoft's ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10"}  # by format tag
_MS_ADPCM = 0x02  # a cut block of it is none in files


class BlockDecoder:
    """Bytes to samples, in pieces of any size."""

    def __init__(self, form: bytes, *, name: str) -> None:
        """Begin.

        Args:
            form: the body of the format chunk, of one of `CODINGS`.
            name: of the source, for messages.

        Raises:
            SourceError: it says nothing sensible of its blocks.
        """
        tag, self._channels, self._block_bytes = (int.from_bytes(form[at : at + 2], "little") for at in (0, 2, 12))
        self._name, self._coding, self._rest = f"{name}: is a WAV file with {CODINGS[tag]}", tag, b""
        if not 4 < self._block_bytes / max(1, self._channels):
            message = f"{self._name} in blocks of {self._block_bytes} bytes, expected more for each channel"
            raise SourceError(message, code="bad_wav")
        self._reader = BlockReader(form, self._block_bytes)

    def push(self, data: bytes) -> FloatArray:
        """The samples, float32 (n, channels), of the blocks that are whole now."""
        data = self._rest + data
        blocks = len(data) // self._block_bytes
        self._rest = data[blocks * self._block_bytes :]
        return self._decoded(data[: blocks * self._block_bytes], blocks)

    def finish(self) -> FloatArray:
        """What a block that was cut at the end still holds, as in a file: float32 (n, channels)."""
        rest, self._rest = self._rest, b""
        return self._decoded(rest, 0 if not rest or self._coding == _MS_ADPCM else 1)

    def _decoded(self, data: bytes, blocks: int) -> FloatArray:
        if not blocks:
            return np.zeros((0, self._channels), dtype=np.float32)
        try:
            return self._reader.push(data, blocks=blocks)
        except BrokenError as error:
            raise SourceError(f"{self._name}, but {error}; `sertag tag` may read its file", code="bad_wav") from error
