"""The model card, written from the model file's own metadata and from the figures that were measured of it.

`card.md.j2` has the words. What a file does not say is left out or called unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader

from export.card.markdown import filled, table
from export.corpora.own_data import ORDINARY, UNACTED
from export.errors import ExportError
from sertag.model.model_file import ModelFile
from sertag.spec import SENTIMENTS, ModelSpec

# Corpora whose speech is known to be acted or elicited, and read from a script; the languages they are in.
_ENGLISH = dict.fromkeys(("tess", "ravdess", "crema_d", "savee"), "English")
_ACTED = _ENGLISH | {"emodb": "German", "emovo": "Italian", "nemo": "Polish"}
_RESTRICTED = ("NC", "non-commercial", "research")  # in the licence of a corpus


def card(spec: ModelSpec, *, figures: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Describe a model, as Markdown, for the people who use it or are judged by it.

    `figures` are those of `read_figures`.

    >>> from sertag.model.model_file import describe
    >>> card(describe("phone").spec).splitlines()[0].rpartition(" ")[0]
    '# Model `phone`'
    """
    metrics = {**spec.metrics, **figures}
    conditions = metrics.get("conditions", {})
    by_sentiment = {value: [label for label in spec.labels if spec.sentiment[label] == value] for value in SENTIMENTS}
    environment = Environment(  # noqa: S701 - Markdown, no HTML
        loader=FileSystemLoader(Path(__file__).parent), trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["listed"] = _listed
    environment.tests["search"] = lambda text, pattern: re.search(pattern, text) is not None
    text = environment.get_template("card.md.j2").render(
        spec=spec,
        metrics=metrics,
        sentiments=SENTIMENTS,
        by_sentiment={value: labels for value, labels in by_sentiment.items() if labels},
        **_training(spec.training),
        conditions=list(conditions),
        **(_tables(conditions, spec.labels) if conditions else {}),
    )
    return filled(text)


def read_figures(model: ModelFile) -> dict[str, Any]:
    """What was measured of a model file: of `MODEL.metrics.json` or `metrics.json` beside it.

    Nothing where there is no such file, or none about these very bytes; an ExportError where it is no JSON object.
    """
    path = Path(model.path)
    for place in (path.with_suffix(".metrics.json"), path.with_name("metrics.json")):
        try:
            found = dict(json.loads(place.read_text(encoding="utf-8"))) if place.is_file() else {}
        except ValueError as error:
            message = f"{place}: no JSON of figures ({error}); train again, or take the file away"
            raise ExportError(message, code="bad_figures") from error
        if found.get("model_sha256") == model.sha256:
            return found
    return {}


def _training(training: Mapping[str, Any]) -> dict[str, Any]:
    """What the card says of the training, and what follows from the corpora for limits and licences."""
    corpora = training.get("corpora", ())
    names = [corpus["name"] for corpus in corpora]
    licences = [str(corpus["licence"]) for corpus in corpora]
    rows = [
        [corpus["name"], corpus["speakers"], corpus["clips"], _skipped(corpus.get("skipped", {})), corpus["licence"]]
        for corpus in corpora
    ]
    how = [f"{word} `{training[word]}`" for word in ("recipe", "protocol") if word in training]
    return {
        "corpora": table(["corpus", "speakers", "clips", "left out", "licence"], rows) if rows else "",
        "how": how + ([f"seed {training['seed']}"] if "seed" in training else []),
        "languages": list(dict.fromkeys(_ACTED[name] for name in names if name in _ACTED)),
        "acted": bool(names) and set(names) <= set(_ACTED),
        "unacted": ORDINARY in names,
        "unknown": [name for name in names if name not in (*_ACTED, *UNACTED)],
        "licences": licences,
        "restricted": any(word in licence for licence in licences for word in _RESTRICTED),
    }


def _tables(conditions: Mapping[str, Any], labels: Sequence[str]) -> dict[str, str]:
    """UAR, recall of each label, and what the confidence is worth, by condition."""
    first, *_ = conditions.values()
    uar = [[name, _percent(found["uar"])] for name, found in conditions.items()]
    recall = [[name, *(_percent(found["recall"].get(label)) for label in labels)] for name, found in conditions.items()]
    worth = [[name, _percent(found["accuracy"]), f"{found['ece']:.3f}"] for name, found in conditions.items()]
    return {
        "uar": table(["condition", "all clips"], [*uar, ["chance", _percent(first.get("chance"))]]),
        "recall": table(["condition", *labels], recall),
        "confidence": table(["condition", "accuracy %", "ECE"], worth),
    }


def _percent(share: float | None) -> str:
    """A share in percent; empty where it is not known."""
    return "" if share is None else f"{100 * share:.1f}"


def _skipped(reasons: Mapping[str, Any]) -> str:
    """How many for which reason; known mistakes of a corpus are named."""
    told = []
    for reason, found in reasons.items():
        count, names = (found, "") if isinstance(found, int) else (len(found), f": {', '.join(found)}")
        told += [f"{count} ({reason}{names})"] if count else []
    return "; ".join(told) or "none"


def _listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: English, German and Polish."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
