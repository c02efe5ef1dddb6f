"""Rooms of `export/` and `benchmarks/`: lower ones never import higher ones, and rooms of one height never each
other."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Lowest first. A room may import those below it; "" are the modules that stand in no room.
EXPORT = (
    {""},
    {"audio"},
    {"corpora"},
    {"exploration", "features", "card"},
    {"recipes"},
    {"conversion"},
    {"wrapping"},
    {"evaluation"},
    {"training"},
    {"cli"},
)
BENCHMARKS = ({""}, {"speed", "scaling", "torture", "accuracy", "networks"})
OWNERS = {
    "click": {"cli", "__main__"},
    "rich": {"cli"},
    "keras": {"recipes", "training", "conversion"},
    "tensorflow": {"conversion"},
    "tf2onnx": {"conversion"},
    "onnx": {"conversion", "features", "wrapping"},
    "onnxruntime": {"conversion", "features", "wrapping"},
    "librosa": {"audio", "plots"},
    "matplotlib": {"plots"},
    "soundfile": {"audio", "corpora", "evaluation"},
    "jinja2": {"card", "exploration"},
    "kagglehub": set(),  # loaded by name, where it is asked for
}
TOP = {"__main__", "live_pages", "readme"}  # above all rooms


@cache
def modules(package: str) -> dict[str, ast.Module]:
    """Dotted names without the package, and their trees."""
    return {
        ".".join(path.relative_to(ROOT / package).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for path in sorted((ROOT / package).rglob("*.py"))
    }


@cache
def imports(tree: ast.Module, *, lazy: bool = True) -> set[str]:
    """Dotted names of all imports, those for type checkers apart; with `lazy` also those inside of functions."""
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    nodes = ast.walk(tree) if lazy else iter(tree.body)
    found: set[str] = set()
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(name: str) -> str:
    """The room of a module, "" for none."""
    first, dot, _ = name.partition(".")
    return first if dot else ""


def own(tree: ast.Module, package: str, known: set[str]) -> set[str]:
    """Modules of a package that a tree imports, without the package's name."""
    found = set()
    for name in imports(tree):
        if name.startswith(f"{package}."):
            inner = name.removeprefix(f"{package}.")
            found.add(inner if inner in known else inner.rpartition(".")[0])
    return found - {""}


@pytest.mark.parametrize(("package", "rooms"), [("export", EXPORT), ("benchmarks", BENCHMARKS)])
def test_rooms_rest_on_lower_rooms(package: str, rooms: tuple[set[str], ...]) -> None:
    trees = modules(package)
    for name in trees.keys() - TOP - {""}:
        here = room(name) or (name if (ROOT / package / name).is_dir() else "")
        height = next(number for number, level in enumerate(rooms) if here in level)
        below = set().union(*rooms[:height]) | {here}
        used = {other: room(other) for other in own(trees[name], package, set(trees))}
        higher = {other for other, its in used.items() if its not in below and other not in below}
        assert higher == set(), f"{package}.{name} imports what is no lower room"


@pytest.mark.parametrize("package", ["export", "benchmarks"])
def test_no_module_imports_itself_around_a_corner(package: str) -> None:
    trees = modules(package)
    uses = {name: own(tree, package, set(trees)) & set(trees) - {name} for name, tree in trees.items()}
    done: set[str] = set()
    while free := {name for name, others in uses.items() if name not in done and others <= done}:
        done |= free
    assert set(trees) - done == set()


@pytest.mark.parametrize("library", OWNERS)
def test_heavy_libraries_have_few_owners(library: str) -> None:
    users = {
        room(name) or name
        for name, tree in modules("export").items()
        if library in {item.split(".")[0] for item in imports(tree)}
    }
    assert users == OWNERS[library]


def test_the_light_package_knows_nothing_of_training_and_training_nothing_of_benchmarks() -> None:
    for package, foreign in (("sertag", ("export", "benchmarks")), ("export", ("benchmarks", "tests"))):
        found = {name for name, tree in modules(package).items() for item in imports(tree) if item.startswith(foreign)}
        assert found == set()


def test_benchmarks_of_speed_and_torture_need_no_training_code() -> None:
    trees = modules("benchmarks")
    users = {name for name, tree in trees.items() if any(item.startswith("export.") for item in imports(tree))}
    assert {room(name) or name for name in users} == {"accuracy", "networks", "readme"}


@pytest.mark.parametrize("package", ["export", "benchmarks"])
def test_rooms_and_modules_stay_small(package: str) -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / package).rglob("*.py")}
    assert {str(path.relative_to(ROOT)): size for path, size in sizes.items() if size > 300} == {}
    by_folder: dict[Path, int] = {}
    for path in sizes:
        if path.name != "__init__.py":
            by_folder[path.parent] = by_folder.get(path.parent, 0) + 1
    assert {str(folder.relative_to(ROOT)): count for folder, count in by_folder.items() if count > 10} == {}


@pytest.mark.parametrize("package", ["export", "benchmarks"])
def test_a_package_imports_nothing_heavy(package: str) -> None:
    for name, tree in modules(package).items():
        if (ROOT / package / name.replace(".", "/") / "__init__.py").is_file():
            heavy = {item for item in imports(tree) if not item.startswith((f"{package}.", "__future__", "types"))}
            assert heavy == set(), name
