"""Who may import what, read from the source, so that a breach shows before it costs start-up time."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import sertag

PACKAGE = Path(sertag.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
        path.read_text(encoding="utf-8")
    )
    for path in sorted(PACKAGE.rglob("*.py"))
}
ROOT = PACKAGE.parent

TABLE_COMMANDS = ("agree", "by", "convert", "diff", "merge", "options", "worst")
OWNERS = {
    "click": {
        *(f"cli.{name}" for name in ("commands", "groups", "listen", "models", "params", "report", "show")),
        *(f"cli.tables.{name}" for name in TABLE_COMMANDS),
    },
    "rich": {"live.display", "run.messages.progress", "show.run", "show.style", "show.terminal", "tables.terminal"},
    "joblib": {"parallel.tasks"},
    "dask": {"parallel.cluster.on_dask"},
    "distributed": {"parallel.cluster.on_dask"},
    "ray": {"parallel.cluster.on_ray"},
    "onnxruntime": {"model.session"},
    "soundfile": {"audio.decoders.sndfile", "audio.encoders.opus", "audio.encoders.sndfile"},
    "soxr": {"audio.decode", "audio.recording"},
    "av": {"audio.decoders.opening"},
    "pyarrow": {"tables.reading.parquet", "tables.writers"},
    "matplotlib": {"show.picture"},
    "miniaudio": {"audio.devices.sound_system"},
    "duckdb": {"analysis.selection"},
    "pandas": {"exports.data_frames"},
    "xlsxwriter": {"exports.spreadsheet"},
    "fsspec": {"remote.filesystems"},
    "aiohttp": {"remote.filesystems"},
    "s3fs": set(),
    "librosa": set(),
    "tensorflow": set(),
    "keras": set(),
    "export": set(),
}
# Rooms by height: each imports lower ones and itself, never one of its own height.
HEIGHTS = {
    "text": 0,
    "errors": 1,
    "limits": 1,
    "signals": 1,
    "records": 2,
    "seekable": 2,
    "shards": 2,
    "spec": 3,
    "remote": 4,
    "audio": 5,
    "storage": 5,
    "features": 6,
    "model": 6,
    "tables": 6,
    "tagging": 7,
    "analysis": 7,
    "exports": 8,
    "parallel": 8,
    "show": 8,
    "report": 9,
    "tagger": 9,
    "run": 9,
    "live": 9,  # draws on a terminal with what `show` draws with
    "cli": 10,
    "__main__": 11,
    "__init__": 12,  # the package itself, which names the public interface
}
AT_MOST_LINES = 300
AT_MOST_MODULES = 8
HEAVY = ("librosa", "numba", "scipy", "onnxruntime", "tensorflow", "soundfile", "soxr", "joblib", "rich", "numpy")
HEAVY += ("dask", "distributed", "fsspec", "ray")


@cache
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


def test_rooms_rest_on_lower_ones() -> None:
    for module, tree in MODULES.items():
        here = module.split(".")[0]
        used = {name.split(".")[0] for name in own(tree)} - {here}
        assert {name for name in used if HEIGHTS[name] >= HEIGHTS[here]} == set(), module


def test_no_module_needs_itself_to_be_loaded() -> None:
    waiting = {name: own(tree) - {name} for name, tree in MODULES.items()}
    while free := {name for name, needs in waiting.items() if not needs & set(waiting)}:
        waiting = {name: needs for name, needs in waiting.items() if name not in free}
    assert waiting == {}


def test_foundations_need_no_more_than_numpy() -> None:
    low = [name for name in MODULES if HEIGHTS.get(name.split(".")[0], 99) <= HEIGHTS["spec"]]
    outside = {item.split(".")[0] for name in low for item in imports(MODULES[name])}
    assert outside - set(sys.stdlib_module_names) <= {"numpy", "sertag"}


def test_rooms_and_modules_stay_small() -> None:
    folders: dict[Path, int] = {}
    for path in PACKAGE.rglob("*.py"):
        if path.name != "__init__.py" and path.parent != PACKAGE:
            folders[path.parent] = folders.get(path.parent, 0) + 1
        assert len(path.read_text(encoding="utf-8").splitlines()) <= AT_MOST_LINES, path
    assert {folder: count for folder, count in folders.items() if count > AT_MOST_MODULES} == {}


def test_training_code_is_never_imported_by_the_package() -> None:
    assert [name for name, tree in MODULES.items() if any(item.startswith("export") for item in imports(tree))] == []


def test_help_loads_nothing_heavy() -> None:
    """One process asks for the help of one command after the other, and says which library came with which."""
    names = ("report", "show", "listen", "worst", "by", "diff", "agree", "merge", "convert")
    asked = [["--help"], ["tag", "--help"], ["--version"], ["completion", "zsh"], *([name, "--help"] for name in names)]
    code = (
        "import sys\n"
        "from sertag.cli.commands import cli\n"
        f"for arguments in {asked!r}:\n"
        "    cli(arguments, standalone_mode=False)\n"
        f"    if heavy := sorted(set({HEAVY!r}) & set(sys.modules)):\n"
        "        sys.exit(f'{arguments} loads {heavy}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Show this message and exit.") == len(asked) - 2
