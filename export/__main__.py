"""`python -m export`: from corpora to a model file, a command for each step."""

from __future__ import annotations

import logging
import os

import click

from export.cli import data, model, train, wrap


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train, evaluate, convert and describe models for sertag.

    \b
    Examples:
      python -m export explore --data mine=recordings --out look
      python -m export recipes
      python -m export train lstm-mean-mfcc --data tess=corpora/tess --out runs/tess
      python -m export train phone --data mine=recordings --out runs/mine
      python -m export evaluate runs/tess/model.onnx --data emodb=corpora/emodb --phone
      python -m export card runs/tess/model.onnx
    """
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # our own message says it better
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


_FIRST = (train.recipes, data.explore, train.train, model.evaluate, model.convert, wrap.wrap, model.card)
for _command in (*_FIRST, model.encoder, data.fetch, data.no_speech):
    main.add_command(_command)

if __name__ == "__main__":
    main()
