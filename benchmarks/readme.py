"""Write the generated parts of the documentation: help texts, the example and the tables of measured figures.

    python -m benchmarks.readme            # rewrite README.md and the pages in docs/
    python -m benchmarks.readme --check    # exit 1 if they are not what the committed results say

Every part stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`; `PAGES` says on which page.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.accuracy.store import read_calls
from benchmarks.accuracy.suites import MIXED
from benchmarks.console import fenced, help_completion, help_models, help_report, help_tables, help_tag
from benchmarks.console import run as console
from benchmarks.formats import page as formats
from benchmarks.live_pages import help_listen, help_show, listen_example, listen_speed, show_example, show_narrow
from benchmarks.networks.tables import calibration, memory, networks
from benchmarks.scaling.report import archive_page, cluster_page, cost_page
from benchmarks.scaling.report import page as scaling_page
from benchmarks.torture.page import differential, reliability, table
from export.__main__ import main as export_command
from export.features.clip_windows import CONDITIONS
from sertag.model.model_file import DEFAULT_MODEL, bundled, describe
from sertag.spec import ModelSpec

ROOT = Path(__file__).parents[1]
CALLS = ROOT / "benchmarks" / "accuracy" / "results" / "calls.json"
OPEN = CALLS.with_name("open.json")
NOT_MEASURED = "not measured yet"
_SPEED = ROOT / "benchmarks" / "results"
_HELP_WIDTH = 100
_ABOUT_MODELS = """\
UAR (mean recall over the emotions) and AUC are of acted corpora that the network was not trained on, over a simulated
telephone line. UAR takes all emotions to be equally likely; as shipped, the model expects ordinary speech, and UAR is
lower. False alarms are windows of ordinary speech that are given an emotion. Costs are of one core and one channel."""
_OPEN_SUFFIX = "-open"
_ABOUT_OPEN = """

Models whose names end in `-open` are trained only on recordings whose licences allow commercial use. What that costs is
in [accuracy](docs/accuracy.md#the-bundled-models). `phone-open` names hardly any emotion; take `phone-deep-open`."""
Conditions = list[dict[str, Any]]  # the figures of one recipe, an entry for each seed: line, group, figure


def render(text: str, parts: Mapping[str, Callable[[], str]], *, page: str = "README.md") -> str:
    """A page with every part that has a name in `parts` written anew.

    Raises:
        ValueError: a part has no place in the text.
    """
    for name, make in parts.items():
        place = re.search(rf"<!-- begin: {name} -->\n(.*?)<!-- end: {name} -->", text, re.DOTALL)
        if place is None:
            raise ValueError(f"{page} has no place for {name!r}; expected <!-- begin: {name} --> and its end")
        text = text[: place.start(1)] + make().rstrip() + "\n" + text[place.end(1) :]
    return text


def help_export() -> str:
    """The help texts of `python -m export` and its commands."""
    top = export_command.make_context("python -m export", [], resilient_parsing=True, terminal_width=_HELP_WIDTH)
    texts = [export_command.get_help(top)]
    for name, command in export_command.commands.items():
        context = command.make_context(name, [], parent=top, resilient_parsing=True, terminal_width=_HELP_WIDTH)
        texts.append(command.get_help(context))
    return fenced(*texts)


def example() -> str:
    """The README's first command as it looks on a terminal."""
    who = ["--roles", "agent,customer", "--only-role", "customer"]
    return fenced(console(["examples/calls", *who, "--format", "table", "--quiet"], codes=(1,)))


def models(path: Path = CALLS, speed_results: Path = _SPEED) -> str:
    """The bundled models: accuracy on unseen corpora over the phone, cost, size and licence; the default first."""
    head = ["model", "UAR %", "anger AUC", "arousal AUC", "false alarms an hour", "ms a second", "MB", "licence"]
    rows = []
    for name in sorted(bundled(), key=lambda name: name != DEFAULT_MODEL):
        file = describe(name)
        found = _conditions(name, path)
        figures = [
            _share(found, "phone", "mean", "uar"),
            _auc(found, "phone", "mean", "anger_auc"),
            _auc(found, "phone", "mean", "arousal_auc"),
            _rate(found, "phone", "ordinary", "any_emotion_an_hour"),
        ]
        size = f"{os.path.getsize(file.path) / 1e6:.1f}"
        shown = f"`{name}`" + (" (default)" if name == DEFAULT_MODEL else "")
        figures.append(_cost_ms(file.spec, speed_results))
        if name.endswith(_OPEN_SUFFIX):
            figures = [*["see below"] * 4, f"as `{name.removesuffix(_OPEN_SUFFIX)}`"]
        rows.append([shown, *figures, size, re.split("[:,]", file.spec.licence)[0]])
    return f"{table(head, rows)}\n\n{_ABOUT_MODELS}{_ABOUT_OPEN}"


def calls(path: Path = CALLS) -> str:
    """What recipes for calls reach on corpora and speech they were not trained on, from the committed results."""
    if not path.exists():
        return NOT_MEASURED
    acted, ordinary = [], []
    for recipe in dict.fromkeys(run["recipe"] for run in read_calls(path)):
        found = _conditions(recipe, path)
        for line in CONDITIONS:
            shares = [_share(found, line, "mean", key) for key in ("uar", "uar_as_shipped")]
            areas = [_auc(found, line, "mean", key) for key in ("anger_auc", "arousal_auc", "angry_against_happy_auc")]
            acted.append([f"`{recipe}`", line, *shares, *areas])
            shares = [_share(found, line, "ordinary", key) for key in ("neutral", "uncertain")]
            alarms = [_rate(found, line, "ordinary", key) for key in ("angry_an_hour", "any_emotion_an_hour")]
            ordinary.append([f"`{recipe}`", line, *shares, *alarms])
    areas_head = ["anger AUC", "arousal AUC", "anger against joy AUC"]
    on_acted = table(["acted, unseen corpora", "line", "UAR %", "UAR % as shipped", *areas_head], acted)
    alarms_head = ["called angry, an hour", "any emotion, an hour"]
    return f"{on_acted}\n\n{table(['ordinary speech', 'line', 'neutral %', 'uncertain %', *alarms_head], ordinary)}"


def open_data(path: Path = OPEN) -> str:
    """What models that were trained on open recordings alone lose, on corpora that neither training held."""
    if not path.exists():
        return NOT_MEASURED
    rows = []
    for recipe, run in json.loads(path.read_text(encoding="utf-8")).items():
        for line in CONDITIONS:
            for name, trained_on in (("all", "all other corpora"), ("open", "open recordings")):
                found = run["conditions"][line][name]
                shares = [f"{100 * own['uar']:.1f}" for own in (*found["corpora"].values(), found["mean"])]
                rows.append([f"`{recipe}`", line, trained_on, *shares, f"{found['mean']['anger_auc']:.2f}"])
    corpora = next(iter(json.loads(path.read_text(encoding="utf-8")).values()))["conditions"][CONDITIONS[0]]["all"]
    return table(["UAR %", "line", "trained on", *corpora["corpora"], "mean", "anger AUC"], rows)


def expectations(path: Path = CALLS) -> str:
    """What the README says of the default model in figures: false alarms, and stretches that are found."""
    found = _conditions(DEFAULT_MODEL, path)
    if not found:
        return f"- How often ordinary speech is taken for an emotion, and how often anger is found: {NOT_MEASURED}."
    anger, emotion = (_rate(found, "phone", "ordinary", f"{what}_an_hour") for what in ("angry", "any_emotion"))
    shares = {name: found[0]["phone"]["calls"][name] for name in found[0]["phone"]["calls"] if name != "ece"}
    peaks = [
        f"{_share(found, 'phone', 'calls', name, 'peak_in_stretch')} % (anger in {name} of the call)"
        for name, own in shares.items()
        if "peak_in_stretch" in own
    ]
    return (
        f"- Expect about {emotion} false alarms in an hour of ordinary speech, {anger} of them anger.\n"
        f"- `peak_start_s` lies in the angry part in {', '.join(peaks)} of simulated calls."
    )


def recipes() -> str:
    """What the recipes of the field reach, from the committed table of `python -m benchmarks.accuracy`."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in csv.DictReader(CALLS.with_name("recipes.csv").read_text(encoding="utf-8").splitlines()):
        if row["condition"] in CONDITIONS:
            uar = f"{100 * float(row['uar']):.0f}" + ("" if row["current"] == "True" else "†")
            found.setdefault((row["recipe"], row["suite"], row["tested"]), {})[row["condition"]] = uar
    mix = "+".join(MIXED)
    columns = {
        "TESS, random split (leaks)": ("random-tess", "tess"),
        "TESS, the other speaker": ("tess", "tess"),
        "RAVDESS, unseen speakers": ("ravdess", "ravdess"),
        "EmoDB, unseen speakers": ("emodb", "emodb"),
        "CREMA-D, unseen speakers": ("crema_d", "crema_d"),
        "RAVDESS, learnt elsewhere": ("corpora", "ravdess"),
        "EmoDB, learnt elsewhere": ("corpora", "emodb"),
        "TESS, RAVDESS and CREMA-D, random split (leaks)": ("random-mixed", mix),
        "the same three, unseen speakers": ("mixed", mix),
        "CREMA-D, learnt from TESS and RAVDESS": ("mixed-corpora", "crema_d"),
    }
    measured = {key[1:] for key in found}
    columns = {title: column for title, column in columns.items() if column in measured}
    rows = [
        [
            f"`{recipe}`",
            *(
                " / ".join(found.get((recipe, *column), {}).get(line, "-") for line in CONDITIONS)
                for column in columns.values()
            ),
        ]
        for recipe in dict.fromkeys(key[0] for key in found)
    ]
    shown = table(["UAR in %, clean / phone", *columns], rows)
    return shown + ("\n\n† The protocol has changed since this was measured." if "†" in shown else "")


def speed(file: str) -> str:
    """A table of costs, from the committed results of `python -m benchmarks.speed.tag`."""
    text: str = json.loads((_SPEED / file).read_text(encoding="utf-8"))["readme"]
    return text


PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"example": example, "expectations": expectations, "models": models},
    "docs/accuracy.md": {"calls": calls, "open": open_data, "recipes": recipes},
    "docs/cli.md": {
        "help": help_tag,
        "help-report": help_report,
        "help-models": help_models,
        "help-tables": help_tables,
        "help-completion": help_completion,
    },
    "docs/formats.md": {"formats": partial(formats, table)},
    "docs/listen.md": {"listen": listen_example, "listen-speed": listen_speed, "help-listen": help_listen},
    "docs/models.md": {
        "calibration": partial(calibration, table),
        "networks": partial(networks, table),
        "memory": partial(memory, table),
    },
    "docs/reliability.md": {"reliability": reliability, "differential": differential},
    "docs/show.md": {"show": show_example, "show-narrow": show_narrow, "help-show": help_show},
    "docs/scaling.md": {"cost": cost_page, "cluster": cluster_page, "scaling": scaling_page},
    "docs/speed.md": {
        "speed": partial(speed, "tag.json"),
        "speed-phone": partial(speed, "tag-phone.json"),
        "archive": archive_page,
    },
    "docs/training.md": {"help-export": help_export},
}


def main(argv: list[str] | None = None) -> int:
    """Rewrite or check the pages; the exit code says whether they were right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if something would change")
    check = parser.parse_args(argv).check
    code = 0
    for page, parts in PAGES.items():
        old = (ROOT / page).read_text(encoding="utf-8")
        new = render(old, parts, page=page)
        if not check:
            (ROOT / page).write_text(new, encoding="utf-8")
        elif new != old:
            print(f"{page} is out of date; run `python -m benchmarks.readme`", file=sys.stderr)
            code = 1
    return code


def _conditions(recipe: str, path: Path) -> Conditions:
    """Empty where the recipe was not measured."""
    return [run["conditions"] for run in read_calls(path) if run["recipe"] == recipe]


def _mean(found: Conditions, *keys: str) -> float | None:
    """Of a figure over the seeds; None where no seed has it."""
    values: list[Any] = list(found)
    for key in keys:
        values = [value[key] for value in values]
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _share(found: Conditions, *keys: str) -> str:
    return NOT_MEASURED if (mean := _mean(found, *keys)) is None else f"{100 * mean:.1f}"


def _auc(found: Conditions, *keys: str) -> str:
    return NOT_MEASURED if (mean := _mean(found, *keys)) is None else f"{mean:.2f}"


def _rate(found: Conditions, *keys: str) -> str:
    return NOT_MEASURED if (mean := _mean(found, *keys)) is None else f"{mean:.0f}"


def _cost_ms(spec: ModelSpec, results: Path) -> str:
    """Of one core for a second of a channel, from a run of `benchmarks.speed.tag` with this very model."""
    for path in sorted(results.glob("tag*.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        own = report["material"]["model"]
        if (own["name"], own["version"]) == (spec.name, spec.version):
            rates = {contender["name"]: contender["per_core_second"] for contender in report["contenders"]}
            return f"{1000 / rates['sertag, 1 worker']:.1f}"
    return NOT_MEASURED


if __name__ == "__main__":
    sys.exit(main())
