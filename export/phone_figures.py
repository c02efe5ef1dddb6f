"""Figures of the default model's protocol, as they go into the metadata of a model that the same code has trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.phone_protocol import code_of_training
from export.phone_questions import QUESTIONS

_KEPT = (
    "tests",
    "choice",
    "labels_that_survive",
    "dates",
    "commits",
    "codes",
)
_OF_CALLS = ("labels_that_survive_in_calls", "behaviour_in_calls")


def read_figures(place: Path, *, tags: str = "") -> dict[str, Any]:
    """Read what `phone_summary` wrote.

    Args:
        place: of `phone.json`.
        tags: the behaviour of a model file, if there is one; see `export.behaviour`.

    Returns:
        What of it is true of every model that this code trains, and what was seen in real calls if that file tags so.

    Raises:
        ExportError: not such a file, not all is measured, or it was measured with other code.
    """
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        same = bool(tags) and found["behaviour_in_calls"] == tags
        kept = {name: found[name] for name in (*_KEPT, *(_OF_CALLS if same else ()))}
        done = {name for name, test in kept["tests"].items() if test["complete"] and test["alike"]}
        touched = [name for name, test in kept["tests"].items() if not test["untouched"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{place}: expected the phone.json of `protocol phone`, found none ({error})"
        raise ExportError(message, code="bad_figures") from error
    if unfinished := [question.name for question in QUESTIONS if question.name not in done]:
        message = f"{place}: not all folds are measured of {', '.join(unfinished)}"
        raise ExportError(f"{message}; run `protocol phone` to its end", code="bad_figures")
    if touched:
        message = f"{place}: the recipe was chosen on what is tested in {', '.join(touched)}"
        raise ExportError(f"{message}; run `choose phone` to its end", code="bad_figures")
    if kept["codes"] != [code_of_training()]:
        message = f"{place}: these figures were measured with other code or settings than this model is trained with"
        raise ExportError(f"{message}; run `protocol phone` again", code="bad_figures")
    for name, test in kept["tests"].items():
        if name != "corpora":  # whose folds say which corpus is how hard
            test.pop("folds", None)
    return kept
