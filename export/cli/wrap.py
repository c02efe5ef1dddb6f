"""`wrap`: other people's classifiers as model files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from export.cli import console
from export.cli.console import map_option, parse_label_map
from export.corpora.labels import SENTIMENTS, canonical
from export.corpora.loading import find_corpora

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Make a model file of somebody else's ONNX classifier.")
@click.argument("graph", type=_FILE)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The .onnx file to write.")
@click.option("--labels", metavar="A,B,…", help="Emotions in the order of the graph's output.")
@click.option(
    "--from-hf",
    "from_hf",
    nargs=2,
    type=_FILE,
    metavar="CONFIG.json PREPROCESSOR.json",
    help="Labels, rate and normalisation from transformers' config.json and preprocessor_config.json.",
)
@click.option(
    "--features",
    type=_FILE,
    metavar="FILE.json",
    help="How its input is made, as the object `features` that `sertag models info NAME --json` shows.  "
    "[default: samples]",
)
@click.option("--rate", type=click.IntRange(1000, 192_000), help="Sample rate of a graph of samples.  [default: 16000]")
@click.option("--window", type=float, metavar="SECONDS", help="Length of a window, where the graph leaves it open.")
@click.option("--hop", type=float, metavar="SECONDS", help="Step between windows.")
@click.option("--normalize/--no-normalize", default=None, help="Bring each window to mean 0 and variance 1.")
@click.option("--layout", metavar="AXES", help="Order of the axes of the input, as in w,1,t or w,c,t.")
@click.option("--sentiment", multiple=True, metavar="LABEL=…", help="positive, neutral or negative. Repeatable.")
@click.option("--name", help="For the column `model`.  [default: from the file's name]")
@click.option("--licence", help="Of the weights.")
@click.option(
    "--calibrate",
    "places",
    multiple=True,
    metavar="NAME=DIR|NAME=FILE.csv",
    help="Labelled recordings that the model was not trained on, as --data of `train` takes them: temperature and "
    "least confidence are fitted on them.",
)
@map_option
def wrap(
    graph: Path,
    out: Path,
    places: tuple[str, ...],
    label_map: tuple[str, ...],
    sentiment: tuple[str, ...],
    **given: Any,
) -> None:
    """Make a model file of GRAPH, an ONNX classifier of other people's making.

    GRAPH takes samples, or MFCC or log-mel frames (--features), and returns a score or a probability for each label.
    Attention masks are filled with ones. Nothing is written unless the file answers as GRAPH does. Without --calibrate
    the confidences are those of GRAPH, and every run says that they are not calibrated.

    \b
    Examples:
      python -m export wrap model.onnx --from-hf config.json preprocessor_config.json --out ser.onnx
      python -m export wrap model.onnx --labels angry,happy,neutral,sad --calibrate mine=labelled.csv --out ser.onnx
    """
    from export.conversion.wrap import wrap as write_model
    from export.evaluation.calibrate_model import calibrate_model

    with console.errors(), console.progress() as report:
        described = _classifier(given, name=out.stem)
        write_model(graph, dataclasses.replace(described, sentiment=_sentiments(sentiment)), out=out)
        if places:
            corpora = find_corpora(places)
            spec = calibrate_model(str(out), corpora, report=report, label_map=parse_label_map(label_map))
            console.say(f"temperature {spec.temperature:.2f}, least confidence {spec.min_confidence:.2f}")
    click.echo(str(out))


def _sentiments(words: tuple[str, ...]) -> dict[str, str]:
    """The values of `--sentiment` as label -> sentiment."""
    parts = {word: word.partition("=") for word in words}
    for word, (label, _, value) in parts.items():
        if not label or value not in SENTIMENTS:
            message = f"{word!r} is not LABEL=positive, LABEL=neutral or LABEL=negative"
            raise click.BadParameter(message, param_hint="--sentiment")
    return {canonical(label): value for label, _, value in parts.values()}


def _classifier(given: dict[str, Any], *, name: str) -> Any:
    """What the options say of the graph."""
    from export.conversion.transformers_config import read_transformers
    from export.conversion.wrap import WAVEFORM, Classifier
    from sertag.spec import FeatureSpec
    from sertag.spec.json_codec import build

    if not given["labels"] and not given["from_hf"]:
        raise click.UsageError("the graph's labels are not known; give --labels or --from-hf")
    found = read_transformers(*given["from_hf"]) if given["from_hf"] else Classifier((), name=name)
    changes: dict[str, Any] = {}
    if given["labels"]:
        changes["labels"] = tuple(part.strip() for part in given["labels"].split(","))
    if given["features"] is not None:
        changes["features"] = build(FeatureSpec, json.loads(given["features"].read_text("utf-8")), "features")
    elif given["rate"] is not None:
        changes["features"] = dataclasses.replace(WAVEFORM, rate_hz=given["rate"], fmax_hz=given["rate"] / 2)
    named = {"window": "window_s", "hop": "hop_s"}
    for option in ("window", "hop", "normalize", "layout", "name", "licence"):
        if given[option] is not None:
            changes[named.get(option, option)] = given[option]
    return dataclasses.replace(found, **changes)
