"""The model card, written from the model file's own metadata and nothing else."""

from __future__ import annotations

import textwrap
from typing import Any

from sertag.spec import ModelSpec


def card(spec: ModelSpec) -> str:
    """Describe a model for the people who use it or are judged by it.

    Args:
        spec: from the model file.

    Returns:
        Markdown.
    """
    sections = (_what(spec), _data(spec), _results(spec), _recalls(spec), _calibration(spec), _LIMITS, _LAWFUL_USE)
    return "\n".join(_wrap(part) for part in sections)


def _what(spec: ModelSpec) -> str:
    features = spec.features
    sentiments = [
        f"{value}: {', '.join(label for label in spec.labels if spec.sentiment[label] == value)}"
        for value in ("positive", "neutral", "negative")
    ]
    return f"""
# Model `{spec.name}` {spec.version}

Written by `python -m export card` from the metadata of `{spec.name}.onnx`.

Tags windows of {spec.window_s:g} s of one telephone channel, every {spec.hop_s:g} s, with one of {len(spec.labels)}
emotions: {", ".join(spec.labels)}. Input is {features.n_coefficients} cepstral coefficients of {features.n_mels} mel
bands from {features.fmin_hz:g} to {features.fmax_hz:g} Hz at {features.rate_hz} Hz, {features.frame_rate_hz:g} frames
a second, normalised inside the graph by the statistics of the channel's speech. Convolutions, a bidirectional LSTM,
attention; trained from nothing, no pretrained part.

Sentiment: {"; ".join(sentiments)}. Surprise is neutral because it says nothing of valence: a caller who is astonished
at a bill is not a satisfied one.
"""


def _data(spec: ModelSpec) -> str:
    training = spec.training
    rows = [
        [corpus["name"], corpus["speakers"], corpus["clips"], _skipped(corpus["skipped"]), corpus["licence"]]
        for corpus in training.get("corpora", [])
    ]
    return f"""
## Training data and licences

{_table(["corpus", "speakers", "clips", "left out", "licence"], rows)}

Weights: {spec.licence}. RAVDESS' `calm` counts as neutral. {training.get("share_through_telephone", 0):.0%} of the
training windows went through a simulated telephone line: band, G.711 of both laws or GSM 06.10, level, noise, hum.
"""


def _results(spec: ModelSpec) -> str:
    conditions = spec.metrics.get("conditions", {})
    corpora = list(next(iter(conditions.values()))["corpora"]) if conditions else []
    rows = [
        [
            name,
            *(_percent(found["corpora"][corpus]["uar"]) for corpus in corpora),
            _percent(found["uar"]),
            _percent(found["uar_undeveloped"]),
        ]
        for name, found in conditions.items()
    ]
    chance = next(iter(conditions.values()))["corpora"] if conditions else {}
    rows.append(["chance", *(_percent(chance[corpus]["chance"]) for corpus in corpora), "", ""])
    return f"""
## Figures

UAR in percent (mean recall over the classes). Protocol: {spec.metrics.get("protocol", "not measured")}.

{_table(["condition", *corpora, "mean", "mean, first fold left out"], rows)}

"One clip": the channel's statistics come from the clip alone, as for a short file. "In a call": they come from about 24
clips of the same speaker, all emotions mixed, over the same line. "Phone" is the simulated line, not a real one.
"""


def _recalls(spec: ModelSpec) -> str:
    conditions = spec.metrics.get("conditions", {})
    rows = [
        [name, *(_percent(_mean_recall(found["corpora"], label)) for label in spec.labels)]
        for name, found in conditions.items()
    ]
    return f"""
Recall of each emotion in percent, mean over the corpora that have it:

{_table(["condition", *spec.labels], rows)}
"""


def _calibration(spec: ModelSpec) -> str:
    rows = [
        [
            name,
            _percent(found["accuracy"]),
            f"{found['ece']:.3f}",
            _percent(found["coverage"]),
            _percent(found["accuracy_of_answers"]),
        ]
        for name, found in spec.metrics.get("conditions", {}).items()
    ]
    return f"""
## Confidence

Temperature {spec.temperature:g}, fitted on speakers the network did not train on. `min_confidence` is
{spec.min_confidence:g}: {spec.metrics.get("min_confidence", "not measured")}. Under it a row is `uncertain`. All
figures are cross-fitted.

{_table(["condition", "accuracy %", "ECE", "answered %", "accuracy of the answers %"], rows)}

{_rows(spec.metrics.get("rows"))}
"""


def _rows(found: dict[str, Any] | None) -> str:
    if found is None:
        return "Rows of whole calls were not measured."
    return (
        "A row's confidence is too low rather than too high, because it comes from the mean over windows of "
        f"log-probabilities: of {found['rows']} rows, each from all clips of one emotion in a call, it claims "
        f"{_percent(found['mean_confidence'])} % and {_percent(found['accuracy'])} % are right; "
        f"{_percent(found['coverage'])} % are answered, {_percent(found['accuracy_of_answers'])} % of those rightly. "
        "A call that changes its mood, or has none, mostly ends as `uncertain`: its windows and quarters tell more."
    )


def _wrap(text: str) -> str:
    """Fill paragraphs to 120 columns; headings, tables and lists stay."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(part if part[0] in "#|-" else textwrap.fill(part, 120) for part in paragraphs) + "\n"


def _mean_recall(corpora: dict[str, Any], label: str) -> float:
    found = [float(corpus["recall"][label]) for corpus in corpora.values() if label in corpus["recall"]]
    return sum(found) / max(1, len(found))


def _skipped(reasons: dict[str, int]) -> str:
    return "; ".join(f"{count} ({reason})" for reason, count in reasons.items()) or "none"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


_LIMITS = """
## Limits

- All training speech is acted or elicited, read from a script, in English, German, Italian and Polish. People on the
  phone rarely act. The figures above compare models; they do not predict figures on real calls.
- Each corpus has one set of sentences, and every test speaker speaks the sentences that the training speakers spoke.
  Other languages, ages, accents, rooms and sentences will do worse, and the confidence, which
  was calibrated on these corpora, will then be too high.
- A call of one single mood gives the channel's statistics nothing to compare with: somebody who is angry from the
  first word to the last is harder to tell than somebody who becomes angry.
- Two people in one channel, music, and noise less than 8 dB under the speech were not in the training.
"""

_LAWFUL_USE = """
## Lawful use

- The weights inherit non-commercial licences from their training data. Commercial use needs a model that was trained on
  recordings which allow it; `--model` takes any.
- In the European Union, Article 5(1)(f) of the AI Act (Regulation (EU) 2024/1689) prohibits inferring the emotions of
  people at their place of work and in education, medical and safety reasons apart. Do not score your agents: use
  `--only-role customer`. Other emotion recognition is a high-risk use, and people have to be told (Article 50).
- A tag is a guess about the sound of a voice, not knowledge of what somebody feels. Do not decide about a person on it.
"""
