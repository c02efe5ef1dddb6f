"""Defaults of the limits of time. Standard library only and apart from `records`, because `--help` shows them."""

from __future__ import annotations

TIMEOUT_S = 3600.0  # for one file
MAX_DURATION_S = 86_400.0  # of a recording, or of live audio
