"""`sertag models`: which models there are, what they say of themselves, and whether they still answer as they did."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from sertag.cli.groups import Group
from sertag.cli.params import complete_model
from sertag.errors import Exit

if TYPE_CHECKING:
    from sertag.model.session import Model


@click.group(cls=Group)
def models() -> None:
    """Show bundled models and model files."""


@models.command("list")
def list_models() -> None:
    """List the bundled models and their licences."""
    from sertag.model import model_file

    for name in model_file.bundled():
        found = model_file.describe(name)
        default = " (default)" if name == model_file.DEFAULT_MODEL else ""
        megabytes = os.path.getsize(found.path) / 1e6
        click.echo(f"{name}{default}: version {found.spec.version}, {megabytes:.1f} MB, {', '.join(found.spec.labels)}")
        click.echo(f"  {found.spec.licence}")


@models.command()
@click.argument("model", shell_complete=complete_model)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.  [default: if not on a terminal]")
def info(model: str, as_json: bool) -> None:
    """Show the specification of a model file.

    It is a summary on a terminal and JSON in a pipe.
    """
    loaded = _load_model(model)
    if as_json or not sys.stdout.isatty():
        import json

        from sertag.spec import to_json

        document = {"file": loaded.path, "sha256": loaded.sha256} | json.loads(to_json(loaded.spec))
        click.echo(json.dumps(document, indent=2))
        return
    import shutil

    from sertag.model.card import card

    click.echo(card(loaded.spec, path=loaded.path, sha256=loaded.sha256, width=shutil.get_terminal_size().columns))


@models.command()
@click.argument("model", shell_complete=complete_model)
def check(model: str) -> None:
    """Check that a model file gives the outputs stored in it."""
    from sertag.tagging import probe

    problems = probe.check(_load_model(model))
    for problem in problems:
        click.echo(f"error: {model}: {problem}", err=True)
    if problems:
        click.get_current_context().exit(int(Exit.MODEL))
    click.echo(f"{model}: sound")


def _load_model(name: str) -> Model:
    from sertag.errors import ModelError
    from sertag.model.session import load

    try:
        return load(name)
    except ModelError as error:
        click.echo(f"error: {error}", err=True)
        click.get_current_context().exit(int(Exit.MODEL))
