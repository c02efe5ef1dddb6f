"""A summary of a model file for the terminal."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from sertag.spec import ModelSpec
from sertag.text import display_name, display_text

_HEAD = 16  # characters


def card(spec: ModelSpec, *, path: str, sha256: str, width: int) -> str:
    """The summary of a model, as lines that fit a terminal.

    Args:
        spec: specification in the file.
        path: path of the file.
        sha256: SHA-256 of the file.
        width: width of the terminal, characters.
    """
    lines = []
    for name, value in _facts(spec, path, sha256):
        wrapped = textwrap.wrap(display_text(value), max(20, width - _HEAD), break_on_hyphens=False) or [""]
        lines += [f"{name if not number else '':<{_HEAD}}{line}" for number, line in enumerate(wrapped)]
    return "\n".join(lines)


def _facts(spec: ModelSpec, path: str, sha256: str) -> Iterator[tuple[str, str]]:
    yield "model", f"{spec.name} {spec.version}"
    yield "file", f"{display_name(path)} ({os.path.getsize(path) / 1e6:.1f} MB)"
    yield "SHA-256", sha256
    if spec.labels:
        yield "emotions", ", ".join(f"{label} ({spec.sentiment[label]})" for label in spec.labels)
    if spec.outputs:
        scales = (
            f"{one.name} ({one.least:g} to {one.most:g}{f' {one.unit}' if one.unit else ''})" for one in spec.outputs
        )
        yield "dimensions", ", ".join(scales)
    features = spec.features
    yield "input", f"{features.rate_hz} Hz, {features.kind}"
    yield "windows", f"{spec.window_s:g} s every {spec.hop_s:g} s, with {spec.min_speech_s:g} s of speech or more"
    window, row = spec.thresholds(None)
    if spec.labels:
        yield "min_confidence", f"{window:g} for windows, {row:g} for rows"
    by_model = spec.probe is not None and spec.probe.speech is not None
    yield "no speech", "detected by the model too" if by_model else "detected by level and modulation alone"
    yield "licence", spec.licence or "not stated"
    yield "trained on", _corpora(spec.training) or "not stated"
    if protocol := spec.metrics.get("protocol"):
        yield "figures", str(protocol)
    page = os.path.splitext(path)[0] + ".md"
    if os.path.exists(page):
        yield "full card", display_name(page)
    yield "as JSON", "sertag models info --json"


def _corpora(training: Mapping[str, Any]) -> str:
    corpora = training.get("corpora")
    if not isinstance(corpora, list | tuple):
        return ""
    return "; ".join(_corpus(one) for one in corpora if isinstance(one, Mapping))


def _corpus(one: Mapping[str, Any]) -> str:
    facts = [f"{one[key]} {key}" for key in ("clips", "speakers") if key in one]
    return f"{one.get('name', 'unnamed')} ({', '.join([*facts, str(one.get('licence', 'licence not stated'))])})"
