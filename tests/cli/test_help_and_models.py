"""Help, versions, completion, and the commands on models."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from sertag import __version__
from sertag.cli.commands import cli
from sertag.cli.groups import Deferred
from sertag.model.model_file import DEFAULT_MODEL
from tests.cli.conftest import Run
from tests.cli.outputs import on_terminal
from tests.cli.tables.runner import invoke


@pytest.mark.parametrize("command", ["tag", "show", "listen"])
def test_help_names_the_default_model(command: str) -> None:
    said = " ".join(invoke(command, "--help").output.split())
    assert f"Bundled model, or path of an .onnx file. [default: {DEFAULT_MODEL}]" in said


def test_help_begins_with_examples_and_has_every_option() -> None:
    said = invoke("--help").output
    assert said.startswith("Examples:\n  sertag ./calls --out results.csv\n")
    assert invoke("./calls", "--help").output.startswith("Examples:\n")
    tag = cli.commands["tag"]
    options = [name for option in tag.params if isinstance(option, click.Option) for name in option.opts]
    assert [name for name in options if name not in said] == []
    assert [name for name in cli.commands if name not in said] == []


def test_commands_that_are_loaded_late_are_what_the_help_says() -> None:
    deferred = {name: command for name, command in cli.commands.items() if isinstance(command, Deferred)}
    assert len(deferred) == 10
    for name, command in deferred.items():
        loaded = command.load()
        assert (loaded.name, loaded.get_short_help_str(100)) == (name, command.get_short_help_str(100))


def test_options_of_commands_that_are_loaded_late_are_completed() -> None:
    done = ShellComplete(cli, {}, "sertag", "_SERTAG_COMPLETE").get_completions(["worst"], "--")
    assert {"--top", "--help"} <= {item.value for item in done}


def test_version() -> None:
    assert invoke("--version").output == f"sertag {__version__}\n"


def test_models_list_names_the_default() -> None:
    listed = invoke("models", "list").output
    assert "phone-deep (default)" in listed
    assert "phone: version" in listed
    assert "non-commercial use only" in listed


def test_models_info_is_json(tiny_model: Path) -> None:
    document = json.loads(invoke("models", "info", str(tiny_model)).output)
    assert document["labels"] == ["angry", "happy", "neutral"]
    assert len(document["sha256"]) == 64


def test_models_info_is_a_card_on_a_terminal(env: dict[str, str], tiny_model: Path, tmp_path: Path) -> None:
    code, screen = on_terminal(["models", "info", str(tiny_model)], env, tmp_path)
    assert code == 0
    assert "emotions        angry (negative), happy (positive), neutral (neutral)" in screen
    code, screen = on_terminal(["models", "info", str(tiny_model), "--json"], env, tmp_path)
    assert json.loads(screen)["labels"] == ["angry", "happy", "neutral"]


def test_models_check() -> None:
    assert invoke("models", "check", "phone").output == "phone: sound\n"


def test_models_check_of_a_model_without_probe_is_4(tiny_model: Path) -> None:
    result = invoke("models", "check", str(tiny_model))
    assert result.exit_code == 4
    assert "no probe" in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    assert "_SERTAG_COMPLETE" in invoke("completion", shell).output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sertag mod", "models"),
        ("sertag --min", "--min-confidence"),
        ("sertag calls --form", "--format"),
        ("sertag -m ph", "phone"),
    ],
)
def test_completion_answers(run: Run, env: dict[str, str], words: str, expected: str) -> None:
    count = str(len(words.split()) - 1)
    asked = {"_SERTAG_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    assert f"plain,{expected}" in run(env=env | asked).stdout.decode().splitlines()
