"""`wrap`: other people's classifiers as model files."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from export.cli import console
from export.cli.console import map_option, parse_label_map
from export.corpora.labels import SENTIMENTS, canonical
from export.corpora.loading import find_corpora

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Make a model file of somebody else's network.")
@click.argument("graph", type=_FILE)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The .onnx file to write.")
@click.option(
    "--labels",
    metavar="A,B,…",
    help="Emotions in the order of the graph's output. If that is one number, it is of the second of two.",
)
@click.option(
    "--dimensions",
    metavar="A[:LEAST:MOST[:UNIT]],…",
    help="What the graph estimates instead of labels, or beside them, as in arousal:1:5; without ends, 0 to 1.",
)
@click.option(
    "--from-hf",
    "from_hf",
    nargs=2,
    type=_FILE,
    metavar="CONFIG.json PREPROCESSOR.json",
    help="Labels or dimensions, rate, normalisation and frames from transformers' config.json and "
    "preprocessor_config.json.",
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
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="Fill another input of the graph with a number, as in state=0 or sr=16000. Repeatable.",
)
@click.option(
    "--read", multiple=True, metavar="NAME", help="Output of the graph to read, where several fit. Repeatable."
)
@click.option(
    "--scores",
    type=click.Choice(("logits", "probabilities")),
    help="What the numbers for labels are, where the graph does not tell.",
)
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
    """Make a model file of GRAPH, a network of other people's making: ONNX, or .keras or .h5 of Keras.

    GRAPH takes samples, or MFCC or log-mel frames (--features), and returns a score or a probability for each label, or
    numbers such as arousal (--dimensions). Attention masks are filled with ones. Nothing is written unless the file
    answers as GRAPH does, and is calibrated if that was asked for. Without --calibrate the confidences are those of
    GRAPH, and every run says that they are not calibrated.

    \b
    Examples:
      python -m export wrap model.onnx --from-hf config.json preprocessor_config.json --out ser.onnx
      python -m export wrap model.onnx --labels angry,happy,neutral,sad --calibrate mine=labelled.csv --out ser.onnx
      python -m export wrap model.onnx --dimensions arousal,dominance,valence --window 4 --out affect.onnx
    """
    from export.evaluation.calibrate_model import calibrated
    from export.wrapping.wrap import wrap as write_model

    with console.errors(), console.progress() as report:
        described = _classifier(given, name=out.stem)
        if places and not described.labels:
            raise click.UsageError("--calibrate fits confidences of labels, and there are none")
        described = dataclasses.replace(described, sentiment=_sentiments(sentiment))
        if places:
            corpora, mapped = find_corpora(places), parse_label_map(label_map)
            spec = write_model(
                graph,
                described,
                out=out,
                calibrate=partial(calibrated, corpora=corpora, report=report, label_map=mapped),
            ).spec
            console.say(f"temperature {spec.temperature:.2f}, least confidence {spec.min_confidence:.2f}")
            console.say(f"fitted on {spec.training['calibration']}")
        else:
            write_model(graph, described, out=out)
    click.echo(str(out))


def _sentiments(words: tuple[str, ...]) -> dict[str, str]:
    """The values of `--sentiment` as label -> sentiment."""
    parts = {word: word.partition("=") for word in words}
    for word, (label, _, value) in parts.items():
        if not label or value not in SENTIMENTS:
            message = f"{word!r} is not LABEL=positive, LABEL=neutral or LABEL=negative"
            raise click.BadParameter(message, param_hint="--sentiment")
    return {canonical(label): value for label, _, value in parts.values()}


def _dimension(text: str) -> Any:
    """A part of the value of `--dimensions`."""
    from sertag.spec import Dimension

    name, *ends = (part.strip() for part in text.split(":"))
    try:
        if len(ends) not in (0, 2, 3):
            raise ValueError(text)
        return Dimension(name, *map(float, ends[:2]), *ends[2:])  # type: ignore[arg-type]
    except ValueError as error:
        message = f"{text!r} is not NAME, NAME:LEAST:MOST or NAME:LEAST:MOST:UNIT"
        raise click.BadParameter(message, param_hint="--dimensions") from error


def _values(words: tuple[str, ...]) -> dict[str, float]:
    """The values of `--input` as name -> number; names of inputs may hold any character."""
    found = {}
    for word in words:
        name, _, value = word.rpartition("=")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise click.BadParameter(f"{word!r} is not NAME=NUMBER", param_hint="--input") from error
        if not name:
            raise click.BadParameter(f"{word!r} is not NAME=NUMBER", param_hint="--input")
    return found


def _classifier(given: dict[str, Any], *, name: str) -> Any:
    """What the options say of the graph."""
    from export.wrapping.classifier import WAVEFORM, Classifier
    from export.wrapping.transformers_config import read_transformers
    from sertag.spec import FeatureSpec
    from sertag.spec.json_codec import build

    if not given["labels"] and not given["dimensions"] and not given["from_hf"]:
        raise click.UsageError("the graph's labels are not known; give --labels or --from-hf, or --dimensions")
    found = read_transformers(*given["from_hf"]) if given["from_hf"] else Classifier(name=name)
    changes: dict[str, Any] = {"inputs": _values(given["inputs"]), "read": given["read"]}
    if given["labels"]:
        changes["labels"] = tuple(part.strip() for part in given["labels"].split(","))
    if given["dimensions"]:
        changes["dimensions"] = tuple(map(_dimension, given["dimensions"].split(",")))
    if given["features"] is not None:
        changes["features"] = build(FeatureSpec, json.loads(given["features"].read_text("utf-8")), "features")
    elif given["rate"] is not None:
        changes["features"] = dataclasses.replace(WAVEFORM, rate_hz=given["rate"], fmax_hz=given["rate"] / 2)
    named = {"window": "window_s", "hop": "hop_s"}
    for option in ("window", "hop", "normalize", "layout", "name", "licence", "scores"):
        if given[option] is not None:
            changes[named.get(option, option)] = given[option]
    return dataclasses.replace(found, **changes)
