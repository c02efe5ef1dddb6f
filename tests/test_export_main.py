"""The command line of `python -m export` where no TensorFlow is needed, and the bundled model's card."""

from __future__ import annotations

from importlib import resources

import pytest
from click.testing import CliRunner

from export.__main__ import main
from sertag.model import load
from tests.test_export_corpora import make_files


@pytest.mark.parametrize("command", ["train", "evaluate", "convert", "card"])
def test_every_command_explains_itself(command):
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage:")


def test_a_folder_without_corpora_is_one_line_not_a_traceback(tmp_path, tiny_model):
    result = CliRunner().invoke(main, ["evaluate", str(tiny_model), "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.lstrip().startswith("Error: no folder named tess")


def test_labels_that_the_model_lacks_are_named(tmp_path, tiny_model):
    make_files(tmp_path, "tess/OAF_back_sad.wav")
    result = CliRunner().invoke(main, ["evaluate", str(tiny_model), "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "tess has sad, the model only angry, happy, neutral" in result.output


def test_a_clip_that_is_no_audio_counts_as_unanswered(tmp_path, tiny_model):
    make_files(tmp_path, "tess/OAF_back_angry.wav", "tess/OAF_back_happy.wav")
    result = CliRunner().invoke(main, ["evaluate", str(tiny_model), "--data", str(tmp_path), "--format", "json"])
    assert result.exit_code == 0
    assert '"unanswered": 2' in result.output
    assert '"uar": 0.0' in result.output


def test_the_bundled_card_is_what_the_command_writes(tmp_path):
    result = CliRunner().invoke(main, ["card", str(resources.files("sertag") / "models" / "phone.onnx")])
    assert result.exit_code == 0
    assert result.output == (resources.files("sertag") / "models" / "phone.md").read_text(encoding="utf-8")


def test_the_bundled_model_was_never_scored_on_a_speaker_it_heard():
    protocol = load("phone").spec.metrics["protocol"]
    assert "folds by speaker" in protocol
