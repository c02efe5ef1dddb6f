"""Who may import what, read from the source, so that a breach shows before it costs start-up time."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sertag

PACKAGE = Path(sertag.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
ROOT = PACKAGE.parent

OWNERS = {
    "click": {"cli"},
    "rich": {"progress"},
    "joblib": {"parallel"},
    "onnxruntime": {"model"},
    "soundfile": {"audio.decoders.sndfile"},
    "soxr": {"audio.decode", "audio.recording"},
    "av": {"audio.decoders.opening"},
    "pyarrow": {"write"},
    "librosa": set(),
    "tensorflow": set(),
    "keras": set(),
    "export": set(),
}
STATIONS = {"audio.discover", "audio.decode", "features", "speech", "windows", "model", "aggregate", "write"}
FOUNDATIONS = {"records", "spec", "spec_json", "affect", "errors", "names", "formats", "exit_codes", "signals"}
HEAVY = ("librosa", "numba", "scipy", "onnxruntime", "tensorflow", "soundfile", "soxr", "joblib", "rich", "numpy")


def imports(tree: ast.Module) -> set[str]:
    """Dotted names of everything imported anywhere in a module, except for type checkers alone."""
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return found


def own(tree: ast.Module) -> set[str]:
    """Modules of the package that a module imports."""
    return {name.removeprefix("sertag.") for name in imports(tree)} & set(MODULES)


@pytest.mark.parametrize("library", OWNERS)
def test_heavy_libraries_have_one_owner(library: str) -> None:
    users = {name for name, tree in MODULES.items() if library in {item.split(".")[0] for item in imports(tree)}}
    assert users == OWNERS[library]


@pytest.mark.parametrize("station", sorted(STATIONS))
def test_stations_never_import_each_other(station: str) -> None:
    assert own(MODULES[station]) & STATIONS == set()


@pytest.mark.parametrize("foundation", sorted(FOUNDATIONS))
def test_foundations_rest_on_foundations(foundation: str) -> None:
    assert own(MODULES[foundation]) <= FOUNDATIONS


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.startswith("audio.")))
def test_the_audio_room_rests_on_foundations_and_itself(module: str) -> None:
    assert {name for name in own(MODULES[module]) if not name.startswith("audio")} <= FOUNDATIONS


def test_only_the_command_line_stands_above_run() -> None:
    assert {name for name, tree in MODULES.items() if "run" in own(tree)} == {"cli"}
    assert {name for name, tree in MODULES.items() if "cli" in own(tree)} == {"__main__"}


def test_foundations_need_no_more_than_numpy() -> None:
    outside = {item.split(".")[0] for name in FOUNDATIONS for item in imports(MODULES[name])}
    assert outside - set(sys.stdlib_module_names) <= {"numpy", "sertag"}


def test_training_code_is_never_imported_by_the_package() -> None:
    assert [name for name, tree in MODULES.items() if any(item.startswith("export") for item in imports(tree))] == []


@pytest.mark.parametrize("arguments", [["--help"], ["tag", "--help"], ["--version"], ["completion", "zsh"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from sertag.cli import cli\n"
        f"cli({arguments!r}, standalone_mode=False)\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    assert done.stderr == "[]\n"
