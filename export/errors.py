"""What training, evaluation and conversion refuse on purpose."""

from __future__ import annotations

from sertag.errors import SertagError


class ExportError(SertagError):
    """A corpus, a protocol or a conversion is not as it must be."""
