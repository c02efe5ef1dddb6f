"""The section about the models and their limits."""

from __future__ import annotations

from collections.abc import Sequence

from sertag.errors import ModelError
from sertag.model.model_file import bundled, describe
from sertag.report.calls import Model
from sertag.report.page.markup import text
from sertag.spec import ModelSpec

_LIMITS = (
    "An ordinary call is neutral, and most calls are ordinary. The emotion of a row is what prevails in the whole "
    "call. One outburst in a long call shows in its attention.",
    "Arousal (calm or excited) is more reliable than valence (pleasant or unpleasant). Joy and anger are often "
    "confused.",
    "It listens to the voice, not to the words. Sarcasm and content are lost. Two people on one channel are scored as "
    "one.",
    "The bundled models learnt emotions from acted speech. Real callers show them less clearly, so expect it to miss "
    "some, and to raise false alarms.",
    "A label is a hint where to listen, not a fact about a person. Do not use it to judge people. In the European "
    "Union, Article 5(1)(f) of the AI Act prohibits systems that infer emotions of people at work. Scoring agents is "
    "such a use.",
)


def bundled_spec(model: Model) -> ModelSpec | None:
    """Specification of the bundled model that made the rows; None if another file made them."""
    if model.name not in bundled():
        return None
    try:
        file = describe(model.name)
    except ModelError:  # a damaged installation is no reason to refuse a report
        return None
    return file.spec if file.sha256 == model.sha256 else None


def about(models: Sequence[Model]) -> str:
    """The section about the models and their limits, as HTML."""
    said = "".join(f"<p>{_model(model)}</p>" for model in models) or "<p>The tables name no model.</p>"
    if len(models) > 1:
        said += "<p>Rows of different models stand side by side here; their confidences are not of one scale.</p>"
    limits = "".join(f"<li>{limit}</li>" for limit in _LIMITS)
    return f'<section id="about"><h2>Model and limits</h2>{said}<ul>{limits}</ul></section>'


def _model(model: Model) -> str:
    schema = f", columns of schema {model.schema}" if model.schema is not None else ""
    name = f"Made by <b>{text(model.name)}</b>"
    file = f"(SHA-256 <code>{text(model.sha256[:12])}</code>{schema})"
    spec = bundled_spec(model)
    if spec is None:
        return f"{name} {file}, not a model of this installation; <code>sertag models info</code> describes files."
    row = spec.min_confidence if spec.row_min_confidence is None else spec.row_min_confidence
    corpora = ", ".join(text(str(corpus.get("name"))) for corpus in spec.training.get("corpora", ()))
    return (
        f"{name} {text(spec.version)} {file}. It scores windows of {spec.window_s:g} s every {spec.hop_s:g} s and "
        f"tells {text(', '.join(spec.labels))} apart. Unless the run said otherwise, a window under "
        f"{100 * spec.min_confidence:.0f} % and a channel under {100 * row:.0f} % are uncertain. "
        f"Trained on {corpora or 'unnamed recordings'}. Licence of the weights: {text(spec.licence)}."
    )
