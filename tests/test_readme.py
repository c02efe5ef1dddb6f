"""The documentation is true now: generated parts are those of this code and of the committed results, links lead on."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import sertag
from benchmarks.console import CONSOLE_PAGES, replayed, without_numbers
from benchmarks.live_pages import listen_example, show_example, show_narrow
from benchmarks.readme import NOT_MEASURED, PAGES, ROOT, calls, example, expectations, main, models, render
from export.__main__ import main as export_command
from sertag.cli.commands import cli
from sertag.model.model_file import bundled
from sertag.model.session import DEFAULT_MODEL, load
from sertag.tables.columns import result_columns, segment_columns
from sertag.text import encode_path

DOCS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
ALL_PAGES = ["README.md", "CONTRIBUTING.md", *DOCS]
ROUNDED = {example, listen_example, show_example, show_narrow}  # the last digit may differ between processors
PARTS = [(page, name) for page, parts in PAGES.items() for name in parts if parts[name] not in ROUNDED]
OTHER_PROGRAMS = {
    "arecord",
    "cat",
    "cp",
    "find",
    "jq",
    "mail",
    "pip",
    "pre-commit",
    "pytest",
    "python3",
    "source",
    "sox",
    "tail",
}
README_LINES = 200


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


# What is generated


@pytest.mark.parametrize(("page", "name"), PARTS, ids=[f"{page}-{name}" for page, name in PARTS])
def test_generated_parts_are_current(page: str, name: str) -> None:
    assert render(read(page), {name: PAGES[page][name]}, page=page) == read(page), "run `python -m benchmarks.readme`"


def test_the_example_is_what_the_first_command_gives() -> None:
    """Rounding may differ in the last digit between processors, so numbers are left out."""
    text = read("README.md")
    shown = render(text, {"example": example})
    assert re.sub(r"\d+ ?%|[\d.]+ s", "", shown) == re.sub(r"\d+ ?%|[\d.]+ s", "", text), (
        "run `python -m benchmarks.readme`"
    )


@pytest.mark.parametrize(("page", "name"), [("docs/listen.md", "listen"), ("docs/show.md", "show")])
def test_the_examples_of_pages_are_what_their_commands_give(page: str, name: str) -> None:
    text = read(page)
    shown = render(text, {name: PAGES[page][name]}, page=page)
    numbers = r"[\d.]+|[▁▂▃▄▅▆▇█─· ]"
    assert re.sub(numbers, "", shown) == re.sub(numbers, "", text), "run `python -m benchmarks.readme`"


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_marked_part_is_generated(page: str) -> None:
    text = re.sub(r"`[^`\n]*`", "", read(page))
    marks = re.findall(r"^<!-- (begin|end): (\S+) -->$", text, re.MULTILINE)
    assert marks == [(mark, name) for name in dict.fromkeys(name for _, name in marks) for mark in ("begin", "end")]
    assert {name for _, name in marks} == set(PAGES.get(page, {}))


def test_a_part_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match=r"docs/x\.md has no place for 'speed'"):
        render("nothing here", {"speed": lambda: "x"}, page="docs/x.md")


def test_check_names_the_page_that_is_out_of_date_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "<!-- begin: a -->\nold\n<!-- end: a -->\n"
    (tmp_path / "one.md").write_text(text)
    (tmp_path / "two.md").write_text(text.replace("old", "new"))
    monkeypatch.setattr("benchmarks.readme.ROOT", tmp_path)
    monkeypatch.setattr("benchmarks.readme.PAGES", {page: {"a": lambda: "new"} for page in ("one.md", "two.md")})
    assert main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "one.md is out of date" in said
    assert "two.md" not in said
    assert (tmp_path / "one.md").read_text() == text
    assert main([]) == 0
    assert main(["--check"]) == 0


def figures(uar: float) -> dict[str, Any]:
    """Figures of one condition, as `benchmarks.accuracy.calls.measure` writes them."""
    mean = {"uar": uar, "uar_as_shipped": 0.4, "anger_auc": 0.9, "arousal_auc": None, "angry_against_happy_auc": 0.7}
    ordinary = {"neutral": 0.8, "uncertain": 0.15, "angry_an_hour": 6.0, "any_emotion_an_hour": 31.0}
    shares = {"0%": {"answered": 1.0}, "10%": {"answered": 1.0, "peak_in_stretch": 0.625}, "ece": 0.1}
    return {"mean": mean, "ordinary": ordinary, "calls": shares}


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    runs = [
        {"recipe": DEFAULT_MODEL, "seed": seed, "conditions": {"clean": figures(0.7), "phone": figures(uar)}}
        for seed, uar in ((1, 0.6), (2, 0.5))
    ]
    (tmp_path / "calls.json").write_text(json.dumps({"runs": runs}))
    return tmp_path / "calls.json"


def test_figures_of_models_are_means_over_seeds(measured: Path) -> None:
    assert f"| `{DEFAULT_MODEL}` | phone | 55.0 | 40.0 | 0.90 | {NOT_MEASURED} | 0.70 |" in calls(measured)
    assert f"| `{DEFAULT_MODEL}` | clean | 80.0 | 15.0 | 6 | 31 |" in calls(measured)
    first = models(measured).splitlines()[2]
    assert first.startswith(f"| `{DEFAULT_MODEL}` (default) | 55.0 | 0.90 | {NOT_MEASURED} | 31 |")
    assert len([line for line in models(measured).splitlines() if line.startswith("| `")]) == len(bundled())
    said = expectations(measured)
    assert "about 31 false alarms in an hour of ordinary speech, 6 of them anger" in said
    assert "62.5 % (anger in 10% of the call)" in said


def test_what_was_not_measured_says_so(tmp_path: Path) -> None:
    missing = tmp_path / "calls.json"
    assert calls(missing) == NOT_MEASURED
    assert NOT_MEASURED in expectations(missing)
    assert f"| {NOT_MEASURED} |" in models(missing)


def test_the_cost_is_that_of_the_very_model(tmp_path: Path) -> None:
    spec = load().spec
    rates = [{"name": "sertag, 1 worker", "per_core_second": 250.0}]
    for name, version in (("tag.json", "0.0.0"), ("tag-other.json", spec.version)):
        report = {"material": {"model": {"name": spec.name, "version": version}}, "contenders": rates}
        (tmp_path / name).write_text(json.dumps(report))
    assert "| 4.0 |" in models(tmp_path / "calls.json", tmp_path)
    (tmp_path / "tag-other.json").unlink()
    assert "| 4.0 |" not in models(tmp_path / "calls.json", tmp_path)


@pytest.mark.parametrize("page", CONSOLE_PAGES)
def test_console_blocks_are_what_the_commands_print(page: str) -> None:
    assert without_numbers(replayed(read(page))) == without_numbers(read(page)), "run `python -m benchmarks.console`"


def test_a_console_block_that_is_out_of_date_is_noticed() -> None:
    page = "```console\n$ echo angry\nneutral\n$ echo 1 \\\n  2; exit 3\nnothing\n```\n"
    assert replayed(page) == "```console\n$ echo angry\nangry\n$ echo 1 \\\n  2; exit 3\n1 2\n```\n"
    assert (
        without_numbers("a 0.91  (95 %: 1.0)")
        == without_numbers("a 0.5 (95 %: 12)")
        != without_numbers("b 0.5 (95 %: 12)")
    )


# What is written by hand


def test_a_new_user_reads_at_most_200_lines() -> None:
    assert len(read("README.md").splitlines()) <= README_LINES


def test_the_readme_leads_to_every_page() -> None:
    assert [page for page in DOCS if f"]({page})" not in read("README.md")] == []


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_lead_somewhere(page: str) -> None:
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        place, _, anchor = target.partition("#")
        path = (ROOT / page).parent / place if place else ROOT / page
        if place.startswith("https://"):
            continue
        if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
            lost.append(target)
    assert lost == []


def test_every_column_is_explained() -> None:
    explained, labels = read("docs/columns.md"), load().spec.labels
    names = {re.sub(r"^(p|frac)_(.+)$", r"\1_<label>", column.name) for column in result_columns(labels)}
    names = {name for name in names if not name.endswith(("_q2", "_q3"))}  # written as a range
    assert [name for name in sorted(names) if f"`{name}`" not in explained] == []
    columns = ", ".join(column.name for column in segment_columns(labels))
    columns = re.sub(r"p_\w+(, p_\w+)*", "p_<label>…", columns)
    assert columns in re.sub(r"\s+", " ", explained)


def test_the_short_table_has_every_column() -> None:
    text = read("README.md")
    named = text[text.index("## Columns") : text.index("## Exit codes")]
    names = {re.sub(r"^(p|frac)_(.+)$", r"\1_<label>", column.name) for column in result_columns(load().spec.labels)}
    names = {name for name in names if not re.search(r"_q[23]$|^(arousal|valence)_q", name)}
    assert [name for name in sorted(names) if f"`{name}`" not in named] == []


@pytest.mark.parametrize(
    "name", [b"caf\xe9.wav", rb"caf\xe9.wav", b"\\\xe9\\x5c", "Grüße.wav".encode(), b"\xed\xa0\x80"]
)
def test_the_way_back_to_a_name_is_the_one_that_is_shown(name: bytes) -> None:
    (shown,) = re.findall(r"```python\n(def decode_path.*?)```", read("docs/columns.md"), re.DOTALL)
    names: dict[str, Any] = {"os": os, "re": re}
    exec(shown, names)  # noqa: S102 - it is our own page
    assert os.fsencode(names["decode_path"](encode_path(os.fsdecode(name)))) == name
    assert names["decode_path"](encode_path(os.fsdecode(name))) == sertag.decode_path(encode_path(os.fsdecode(name)))


# The commands that are shown


def commands(text: str) -> Iterator[list[str]]:
    """Words of each command in the shell and indented blocks of a page, one command of a pipe at a time."""
    shell = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    shell += "\n" + "\n".join(re.findall(r"^    (.+)$", rest, re.MULTILINE))
    variables: dict[str, str] = {}
    for line in re.sub(r"(\\|(?<=\|))\n", " ", shell).splitlines():
        line = re.sub(r"^30 2 \* \* \* ", "", line)
        for name, value in variables.items():
            line = line.replace(f"${name}", value)
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        for word in lexer:
            if set(word) <= set("|&;"):
                yield words
                words = []
            elif not words and re.fullmatch(r"\w+=.*", word):
                variables[word.partition("=")[0]] = word.partition("=")[2]
            else:
                words.append(word)
        if words:
            yield words


def parse(command: click.Command, words: list[str], context: click.Context) -> None:
    """Parse as click would, and check the choices; whether files exist is left out."""
    if isinstance(command, click.Group):
        assert words, f"{context.command_path} without a command"
        assert words[0] in command.commands, f"{context.command_path} {words[0]}"
        _, inner, _ = command.resolve_command(context, words[:1])
        assert inner is not None
        return parse(inner, words[1:], click.Context(inner, parent=context, info_name=words[0]))
    values, rest, _ = command.make_parser(context).parse_args(args=list(words))
    assert rest == []
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice) and parameter.name in values:
            parameter.type.convert(values[parameter.name], parameter, context)


def check(words: list[str]) -> None:
    program, *rest = words
    if program == "sertag":
        rest = rest if rest[0] in cli.commands else ["tag", *rest]
        parse(cli, rest, click.Context(cli, info_name="sertag"))
    elif program == "python":
        assert rest[0] == "-m", f"python {rest[0]}"
        found = importlib.util.find_spec(rest[1])
        assert found is not None, f"no module {rest[1]}"
        assert not found.submodule_search_locations or importlib.util.find_spec(f"{rest[1]}.__main__"), rest[1]
        if rest[1] == "export":
            parse(export_command, rest[2:], click.Context(export_command, info_name="python -m export"))
    else:
        assert program in OTHER_PROGRAMS, f"unknown command {program}"
    for place in (word for word in rest if word.startswith(("examples/", "sertag/"))):
        assert (ROOT / place).exists(), f"no file {place}"


@pytest.mark.parametrize("page", ALL_PAGES)
def test_the_commands_exist(page: str) -> None:
    for words in commands(read(page)):
        check(words)


def test_commands_are_found() -> None:
    found = [words[0] for words in commands(read("README.md"))]
    assert found[:4] == ["pip", "sertag", "pip", "pytest"]
    assert found.count("sertag") == 14
    (train,) = commands(
        '    all="--data a=b \\"c d\\""\n    python -m export train phone $all \\\n        --labels a,b:neutral\n'
    )
    assert train == [*"python -m export train phone --data a=b".split(), "c d", "--labels", "a,b:neutral"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("sertag ./calls --ouput x.csv", click.NoSuchOption),
        ("sertag models lst", AssertionError),
        ("sertag ./calls --format xlsx", click.BadParameter),
        ("python -m export train phon --data x --out y", click.BadParameter),
        ("python -m benchmarks.nothing", AssertionError),
        ("setrag ./calls", AssertionError),
        ("cp sertag/models/none.onnx x", AssertionError),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line: str, error: type[Exception]) -> None:
    (words,) = commands(f"    {line}\n")
    with pytest.raises(error):
        check(words)


@pytest.mark.parametrize("page", ALL_PAGES)
def test_modules_and_extras_that_are_named_exist(page: str) -> None:
    modules = set(re.findall(r"python -m ([\w.]*\w)", read(page)))
    assert [name for name in sorted(modules) if importlib.util.find_spec(name) is None] == []
    extras = {name for names in re.findall(r"\.\[([\w,]+)\]", read(page)) for name in names.split(",")}
    project = read("pyproject.toml")
    assert [name for name in sorted(extras) if not re.search(rf"^{name} = \[", project, re.MULTILINE)] == []
