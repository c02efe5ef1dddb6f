"""The figures of the model card, as sections in Markdown: UAR, recall of each label, calibration.

A condition of `spec.metrics["conditions"]` has shares from 0 to 1: `uar`, `accuracy`, `ece`, `recall` by label and
perhaps `chance`; the model `phone` has more, and UAR and recall by corpus.
"""

from __future__ import annotations

from typing import Any

from export.card.markdown import table
from sertag.spec import ModelSpec

# What tells of the confidence, in the order of the table.
_COLUMNS = {
    "accuracy": "accuracy %",
    "ece": "ECE",
    "coverage": "answered %",
    "accuracy_of_answers": "accuracy of the answers %",
}
_LEAKING = """\
**Leaking split: speakers of the tested clips are among those that the network learnt from. The figures below are not
what it reaches on strangers, which is what it is used for.**"""


def uar(spec: ModelSpec) -> str:
    """What share of each class is recognised, on the whole and by corpus.

    Args:
        spec: from the model file.
    """
    conditions = spec.metrics.get("conditions", {})
    corpora = list(dict.fromkeys(name for found in conditions.values() for name in found.get("corpora", {})))
    head = ["condition", *corpora, "mean" if corpora else "all clips"]
    rows = [
        [name, *(_percent(found, "corpora", corpus, "uar") for corpus in corpora), _percent(found, "uar")]
        for name, found in conditions.items()
    ]
    rows += [_chance(next(iter(conditions.values())), corpora)] if conditions else []
    return f"""
## Figures

{_LEAKING if spec.training.get("leaking") else ""}

UAR in percent (mean recall over the classes). Protocol: {spec.metrics.get("protocol", "unknown")}.

{table(head, rows) if conditions else "Nothing was measured."}

{_legend(tuple(conditions))}
"""


def _chance(found: dict[str, Any], corpora: list[str]) -> list[str]:
    """What guessing reaches: one over the classes that occur."""
    if corpora:
        return ["chance", *(_percent(found, "corpora", name, "chance") for name in corpora), ""]
    share = found.get("chance", 1 / len(found["recall"]) if found.get("recall") else None)
    return ["chance", "" if share is None else f"{100 * share:.1f}"]


def _legend(conditions: tuple[str, ...]) -> str:
    told = []
    if any("mixed call" in name for name in conditions):
        told.append(
            '"One clip": the channel\'s statistics come from the clip alone, as for a short file. "Mixed call": they '
            "come from about 24 clips of the same speaker, all emotions mixed, over the same line."
        )
    if any(name.startswith("phone") for name in conditions):
        told.append('"Phone" is the simulated line, not a real one.')
    return " ".join(told)


def recalls(spec: ModelSpec) -> str:
    """The same for each label; nothing where nothing was measured.

    Args:
        spec: from the model file.
    """
    conditions = spec.metrics.get("conditions", {})
    if not conditions:
        return ""
    rows = [[name, *(_recall(found, label) for label in spec.labels)] for name, found in conditions.items()]
    over = ", mean over the corpora that have it" if any("corpora" in found for found in conditions.values()) else ""
    return f"""
Recall of each label in percent{over}:

{table(["condition", *spec.labels], rows)}
"""


def _recall(found: dict[str, Any], label: str) -> str:
    """Empty where no clip had the label."""
    parts = [own["recall"] for own in found["corpora"].values()] if "corpora" in found else [found.get("recall", {})]
    shares = [float(part[label]) for part in parts if label in part]
    return f"{100 * sum(shares) / len(shares):.1f}" if shares else ""


def confidence(spec: ModelSpec) -> str:
    """How the confidence was fitted, and what it is worth.

    Args:
        spec: from the model file.
    """
    conditions = spec.metrics.get("conditions", {})
    columns = {key: head for key, head in _COLUMNS.items() if any(key in found for found in conditions.values())}
    rows = [[name, *(_calibrated(found, key) for key in columns)] for name, found in conditions.items()]
    return f"""
## Confidence

{_temperature(spec)} {_threshold(spec)}

{table(["condition", *columns.values()], rows) if conditions else ""}

{_rows(spec.metrics.get("rows")) if spec.features.framing == "channel" else ""}
"""


def _temperature(spec: ModelSpec) -> str:
    if spec.temperature == 1 and "calibrated_on" not in spec.training:
        return "No temperature was fitted: the confidence is what the network itself claims, mostly too much."
    fitted_on = spec.training.get("calibrated_on", "clips that no weight was fitted on")
    return f"Temperature {spec.temperature:g}, fitted on {fitted_on}."


def _threshold(spec: ModelSpec) -> str:
    if not spec.min_confidence:
        return "`min_confidence` is 0, so no row is `uncertain`."
    chosen = spec.metrics.get("min_confidence")
    why = f": {chosen}" if chosen else ""
    return f"`min_confidence` is {spec.min_confidence:g}{why}. Under it a row is `uncertain`."


def _calibrated(found: dict[str, Any], key: str) -> str:
    return f"{found[key]:.3f}" if key == "ece" and key in found else _percent(found, key)


def _rows(found: dict[str, Any] | None) -> str:
    if found is None:
        return "Rows of whole calls were not measured."
    return (
        "A row's confidence is too low rather than too high, because it comes from the mean over windows of "
        f"log-probabilities: of {found['rows']} rows, each from all clips of one emotion in a call, it claims "
        f"{_percent(found, 'mean_confidence')} % and {_percent(found, 'accuracy')} % are right; "
        f"{_percent(found, 'coverage')} % are answered, {_percent(found, 'accuracy_of_answers')} % of those rightly. "
        "A call that changes its mood, or has none, is summed up in one label all the same: its windows and quarters "
        "tell more."
    )


def _percent(found: dict[str, Any], *keys: str) -> str:
    """A share that lies under some keys, in percent; empty where it is not there."""
    value: Any = found
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else f"{100 * value:.1f}"
