"""The command line of `python -m export` where no TensorFlow is needed, and the bundled model's card."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile

from export.__main__ import main
from export.cli import console
from export.corpora.clips import Clip, Corpus
from export.errors import ExportError
from export.recipes import RECIPES
from sertag.model.session import load
from tests.corpora import make_files, own
from tests.export_command import run_export
from tests.training import one_process

ROOT = Path(__file__).parents[3]
COMMANDS = (
    "wrap",
    "encoder",
    "no-speech",
    "recipes",
    "explore",
    "train",
    "evaluate",
    "convert",
    "card",
    "fetch",
)
PHONE = str(resources.files("sertag") / "models" / "phone.onnx")


def test_these_are_all_commands():
    assert set(main.commands) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    for flag in ("--help", "-h"):
        result = run_export(command, flag)
        assert result.exit_code == 0
        assert result.output.startswith("Usage:")
    assert result.output.count("\n") > 5


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_rendered_whole(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = run_export(*([command] if command else []), "--help").output
    assert "\\b" not in shown
    assert "..." not in shown.replace("[ARGS]...", "")  # nothing is cut off
    lines = [line.strip() for line in shown.splitlines()]
    if "Example:" in lines or "Examples:" in lines:
        examples = [line for line in lines if line.startswith("python -m export ")]
        assert examples  # each on a line of its own
        assert all(line.split()[3] in COMMANDS for line in examples)
    assert command in ("recipes", "") or any(line.startswith(f"python -m export {command} ") for line in lines)


def test_what_trains_nothing_loads_no_training_library():
    commands = [[], ["--help"], *([command, "--help"] for command in COMMANDS), ["recipes"], ["card", PHONE]]
    code = (
        "import sys\n"
        "from export.__main__ import main\n"
        f"for arguments in {commands!r}:\n"
        "    try:\n"
        "        main(arguments, standalone_mode=False)\n"
        "    except Exception as error:\n"
        "        assert type(error).__name__ == 'NoArgsIsHelpError', error\n"
        "heavy = {'tensorflow', 'keras', 'tf2onnx', 'librosa', 'matplotlib', 'kagglehub', 'onnx'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_recipes_are_listed_with_what_they_take_and_claim(monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    result = run_export("recipes")
    assert result.exit_code == 0
    for recipe in RECIPES.values():
        (line,) = [line for line in result.output.splitlines() if f" {recipe.name} " in line]
        for word in (recipe.model, recipe.input, f"{len(recipe.labels)}: {', '.join(recipe.labels)}", recipe.claim):
            assert word in line


def test_names_of_recipes_are_whole_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert all(name in run_export("recipes").output for name in RECIPES)


def test_a_folder_without_corpora_is_one_line_not_a_traceback(tmp_path, tiny_model):
    result = run_export("evaluate", str(tiny_model), "--data", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.lstrip().startswith("Error: no folder named tess")


def test_labels_that_the_model_lacks_are_named(tmp_path, tiny_model):
    make_files(tmp_path, "tess/OAF_back_sad.wav")
    result = run_export("evaluate", str(tiny_model), "--data", str(tmp_path))
    assert result.exit_code == 1
    assert "tess has sad, the model only angry, happy, neutral" in result.stderr


def test_clips_that_are_no_audio_are_one_line(tmp_path, tiny_model):
    make_files(tmp_path, "tess/OAF_back_angry.wav", "tess/OAF_back_happy.wav")
    result = run_export("evaluate", str(tiny_model), "--data", str(tmp_path), "--format", "json")
    assert result.exit_code == 1
    assert "tess: none of 2 clips can be decoded; the first one: " in result.stderr


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    one_process(monkeypatch)


@pytest.mark.usefixtures("alone")
def test_evaluate_says_what_the_figures_are_about(tmp_path, tiny_model):
    folder = own(tmp_path / "mine", labels=("angry", "calm", "boredom"), speakers=("ann",))
    (folder / "calm" / "ann" / "text [final].wav").write_text("no audio at all")
    result = run_export("evaluate", str(tiny_model), "--data", f"mine={folder}")
    assert result.exit_code == 0, result.output
    assert "mine" in result.stdout
    for note in (
        "mine: calm counts as neutral",
        "mine: left out, as none of the labels of the model: 1 boredom",
        "mine: labels of the model that no clip has: happy",
        "text [final].wav",
    ):
        assert note in result.stderr


def test_the_bundled_card_is_what_the_command_writes(tmp_path):
    result = run_export("card", PHONE)
    assert result.exit_code == 0
    assert result.output == (resources.files("sertag") / "models" / "phone.md").read_text(encoding="utf-8")
    assert run_export("card", PHONE, "-o", str(tmp_path / "card.md")).output == ""
    assert (tmp_path / "card.md").read_text(encoding="utf-8") == result.output


def test_a_new_figure_changes_the_card_and_not_the_model(tmp_path):
    copy = tmp_path / "mine.onnx"
    copy.write_bytes(Path(PHONE).read_bytes())
    found = json.loads(Path(PHONE).with_suffix(".metrics.json").read_text())
    assert "Nothing was measured." in run_export("card", copy).output
    found["conditions"]["clean"]["uar"] = 0.987
    copy.with_suffix(".metrics.json").write_text(json.dumps(found))
    assert "98.7" in run_export("card", copy).output
    assert copy.read_bytes() == Path(PHONE).read_bytes()
    copy.with_suffix(".metrics.json").write_text(json.dumps(found | {"model_sha256": "of another file"}))
    assert "Nothing was measured." in run_export("card", copy).output
    copy.with_suffix(".metrics.json").write_text("no json")
    result = run_export("card", copy)
    assert (result.exit_code, "mine.metrics.json: no JSON of figures" in result.stderr) == (1, True)


def test_the_bundled_model_was_never_scored_on_a_corpus_it_heard():
    spec = load("phone").spec
    assert spec.training["folds_by"] == "corpus"
    assert "trained on the 5 others" in spec.metrics["protocol"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ExportError("no clip; add some", code="no_data"), "no clip; add some"),
        (ModuleNotFoundError("No module named 'keras'"), r"No module named 'keras'; .*pip install '.\[export\]'"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/a.png"), "runs/a.png: No space left on device"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "^No space left on device"),
        (OSError("something odd"), "^something odd"),
    ],
)
def test_what_goes_wrong_outside_is_one_line(error, message):
    with pytest.raises(click.ClickException, match=message), console.errors():
        raise error


def test_what_goes_wrong_inside_is_not_hidden():
    with pytest.raises(ZeroDivisionError), console.errors():
        raise ZeroDivisionError


@pytest.mark.parametrize("item", ["sad", "=sad", ""])
def test_a_map_without_a_label_is_refused(item):
    with pytest.raises(click.BadParameter, match="is not FOUND=LABEL"):
        console.parse_label_map(["calm=neutral", item])


def test_progress_in_a_pipe_is_a_line_for_what_there_is_to_tell(capsys):
    with console.progress() as report:
        report("features", 0.5)
        report("features", 1.0)
        report("training: epoch 1", 0.5)
    assert capsys.readouterr().err == "features (100%)\ntraining: epoch 1 (50%)\n"


def test_progress_on_a_terminal_takes_names_as_they_are(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with console.progress() as report:
        report("training: a [/b] [red]c", 1.0)
    assert "training: a [/b] [red]c" in capsys.readouterr().err


def test_what_was_found_is_told_in_counts_and_names(capsys):
    clips = tuple(Clip(Path(f"{name}.wav"), "mine", name, "sad", "", "", "", "") for name in ("a", "b"))
    corpus = Corpus("mine", "", clips, skipped={"empty": ("x [/1].wav", "y.wav")}, flawed={"truncated": ("a.wav",)})
    console.say_corpora([corpus], {"calm": "neutral", "odd": None, "sad": "sad"})
    told = capsys.readouterr().err
    assert [cell.strip(" │") for cell in told.splitlines()[3].split("│")[1:5]] == ["mine", "2", "2", "2"]
    assert told.splitlines()[5:] == [
        "mine: left out: 2 empty (x [/1].wav, y.wav)",
        "mine: kept all the same: 1 truncated (a.wav)",
        "labels: calm -> neutral, odd -> left out",
    ]


def test_speakers_that_nobody_named_are_unknown(capsys):
    console.say_corpora([Corpus("mine", "", (Clip(Path("a.wav"), "mine", "", "sad", "", "", "", ""),))], {})
    assert "unknown" in capsys.readouterr().err


def test_explore_writes_a_page_to_look_through(tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `export` is not installed")
    folder = own(tmp_path / "mine", labels=("angry", "sad"), speakers=("ann",))
    soundfile.write(folder / "sad" / "ann" / "loud.wav", np.ones(4000), 8000)
    result = run_export("explore", "--data", f"mine={folder}", "-o", str(tmp_path / "page"))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'page' / 'index.html'}\n"
    assert "<html" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")


def test_fetch_knows_its_corpora(tmp_path):
    result = run_export("fetch", "emodb", "-o", str(tmp_path))
    assert result.exit_code == 2
    assert "'tess', 'ravdess'" in result.stderr
