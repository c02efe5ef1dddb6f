"""The figures of the default model's protocol as Markdown: the page of `phone_summary` and sections of the card."""

from __future__ import annotations

from typing import Any

from export.candidates import AS_IT_IS
from export.markdown import filled, measured, table
from export.phone_questions import CONDITIONS, FOUND

_IN_PERCENT = ("uar", "accuracy", "sentiment_uar", "gain_of_the_surest_half")


def as_markdown(summary: dict[str, Any], *, code: str) -> str:
    """The page.

    Args:
        summary: see `export.phone_summary.summarise`.
        code: of today's training; see `export.phone_protocol.code_of_training`.
    """
    codes = {*summary["codes"], *summary.get("choice", {}).get("codes", ())}
    old = [] if codes <= {code} else [_OLD]
    return "\n".join(filled(part) for part in (_TITLE, *old, _METHOD, *_sections(summary, level="##")))


def card_section(summary: dict[str, Any]) -> str:
    """What the card says of strangers; nothing where nothing was measured.

    Args:
        summary: likewise, out of the metadata of a model.
    """
    if not summary.get("tests"):
        return ""
    return "\n".join(("\n## On strangers\n", _RECIPE, _METHOD, *_sections(summary, level="###")))


def _sections(summary: dict[str, Any], *, level: str) -> list[str]:
    parts = [_UNTOUCHED] if any(found.get("untouched") for found in summary["tests"].values()) else []
    parts += [_test(name, found, level=level) for name, found in summary["tests"].items()]
    parts.append(_choice(summary.get("choice", {}), level=level))
    parts.append(_survival(summary, level=level))
    if dates := summary["dates"]:
        parts.append(f"\n{measured(dates, summary['commits'])}\n")
    return [part for part in parts if part]


def _test(name: str, found: dict[str, Any], *, level: str) -> str:
    columns = {
        "uar": "UAR %",
        "accuracy": "accuracy %",
        "ece": "ECE",
        "gain_of_the_surest_half": "UAR points more on the surest half",
        "sentiment_uar": "sentiment UAR %",
        "anger_auc": "anger AUC",
        **{
            f"false_alarms_an_hour_at_{share:.0%}": f"false alarms an hour, {share:.0%} of anger found"
            for share in FOUND
        },
    }
    rows = [
        [condition, *(_figure(key, own.get(key), seeds=found["seeds"]) for key in columns)]
        for condition, own in found["conditions"].items()
    ]
    missing = "" if found["complete"] else "Not all folds are measured yet."
    mixed = "" if found["alike"] else "Not all pieces are of the same code and clips: measure the older ones again."
    chance = f"{100 / len(found['labels']):.1f}"
    return f"""
{level} {found["title"]}

{found["clips"]} clips, {found["seeds"]} seed{"s" if found["seeds"] > 1 else ""}, chance {chance} %.
{missing}
{mixed}

{table(["condition", *columns.values()], rows)}

{_folds(found) if name == "corpora" else ""}

{_choosing(found)}
"""


def _folds(found: dict[str, Any]) -> str:
    rows = [
        [
            fold,
            *(
                "; ".join(_figure(key, own[name].get(key), seeds=found["seeds"]) for key in ("uar", "anger_auc"))
                for name in CONDITIONS
            ),
        ]
        for fold, own in found["folds"].items()
    ]
    return f"UAR % and anger AUC by tested corpus:\n\n{table(['corpus', *CONDITIONS], rows)}"


def _choosing(found: dict[str, Any]) -> str:
    """How far what is tested took part in the choice of what was tested on it; files of before do not say it."""
    if "untouched" not in found:
        return ""
    names = ", ".join(f"`{name}`" for name in found["candidates"])
    scored = _scored(found["trials"])
    if not found["untouched"]:
        told = f"Tested is the recipe of the model, which was chosen by {scored}: to it, they are not wholly unseen."
        missing = f"Without any of them {names} would have been chosen, which is not measured with all seeds yet."
        return " ".join(part for part, wanted in ((told, scored), (missing, names)) if wanted)
    if found["candidates"] == [AS_IT_IS]:
        same = "the same would have been chosen without any clip of what is tested"
        return f"Tested is the recipe of the model: {same} (see below)."
    told = f"Tested is what was chosen without any clip of the tested corpus ({names}; see below)."
    recipe = f"The recipe of the model itself{f', chosen by {scored},' if scored else ''} reaches"
    figures = found["uar_of_the_recipe"].items()
    uar = "; ".join(f"{name} {_figure('uar', figure, seeds=found['seeds'])}" for name, figure in figures)
    return f"{told} {recipe} UAR %: {uar}."


def _scored(trials: dict[str, Any]) -> str:
    """How many trials have scored what, in words; nothing where none has."""
    count, corpora = trials["scored"], ", ".join(trials["corpora"])
    return f"{count} trial{'s' if count > 1 else ''} that scored clips of {corpora}" if count else ""


def _choice(choice: dict[str, Any], *, level: str) -> str:
    """What would have been chosen had nobody looked at the corpus that is tested."""
    if not choice:
        return ""
    chosen: dict[str, str] = choice["chosen"]
    rows = [
        [name, *(_cell(merit, best=chosen[left] == name) for left, merit in merits.items())]
        for name, merits in choice["merits"].items()
    ]
    alike = [left for left, name in chosen.items() if name == AS_IT_IS]
    others = {left: name for left, name in chosen.items() if left not in alike}
    told = [f"Without {', '.join(alike)} the recipe would be the same."] if alike else []
    told += [f"Without {left} it would be the one named `{name}`." for left, name in others.items()]
    return f"""
{level} The recipe without the corpus that is tested

{_CHOICE}

{table(["candidate", *(f"without {left}" for left in chosen)], rows)}

{" ".join(told)} {measured(choice["dates"], choice["commits"])}
"""


def _cell(merit: float, *, best: bool) -> str:
    return f"**{100 * merit:.1f}**" if best else f"{100 * merit:.1f}"


def _figure(key: str, found: dict[str, float] | None, *, seeds: int) -> str:
    if found is None:
        return ""
    times, digits = (100, 1) if key in _IN_PERCENT else (1, 1 if "alarms" in key else 3)
    spread = f" ± {times * found['sd']:.{digits}f}" if seeds > 1 else ""
    return f"{times * found['mean']:.{digits}f}{spread}"


def _survival(summary: dict[str, Any], *, level: str) -> str:
    clips, calls = summary["labels_that_survive"], summary.get("labels_that_survive_in_calls", {})
    if not clips and not calls:
        return ""
    found = (
        ("clips of an unseen corpus", "with networks of the recipe", clips),
        ("real calls", "with the model itself", calls),
    )
    looked = [column for column in found if column[-1]]
    rows = [[name, *(f"{100 * own[name]:.1f}" if name in own else "" for *_, own in looked)] for name in clips or calls]
    return f"""
{level} What a label survives

Percent of the scored windows that keep their label: {"; ".join(f"{what}, {how}" for what, how, _ in looked)}.

{table(["distortion", *(what for what, *_ in looked)], rows)}
"""


_TITLE = """
# What the default model reaches on strangers

Written by `python -m export protocol phone` from the pieces in `protocol/`: one a test, tested fold and seed.
"""
_OLD = """
**The recipe or its training has changed since some of this was measured.**
"""
_RECIPE = """
What the recipe of this model is worth, by networks that were trained anew for each of these tests.
"""
_CHOICE = """
For each corpus, the main decisions of the recipe were made without a clip of it, learnt from or scored (`python -m
export choose phone`, pieces in `choice/` and `chosen/`). A candidate differs from the recipe in one thing. A cell is
its mean UAR % on the other four corpora, half of it on speakers and half on whole corpora that the network has not
heard, over all conditions above and in noise; one seed. The best of a column is bold. Differences under a point are
chance: that another candidate was chosen does not say that it is better.
"""
_UNTOUCHED = """
Therefore its main decisions were made again without the corpus that is tested, and the figures are those of what came
of it. Under each table stands what that was, and what the recipe of the model reaches itself. The ideas that were
compared came to people who knew all of these corpora: what that is worth, new ones alone would show.
"""
_METHOD = """
Every cell is the mean over seeds ± their standard deviation, where there are several. "Phone" is a simulated telephone
line. "In a call" takes the channel's statistics from about 24 clips of the same speaker over the same line, all
emotions mixed; the others from the clip alone. The surest half are the clips with the highest confidence. False alarms
are clips of neutral and calm speech that score as angry as it takes to find that share of the angry clips. The
recordings are acted: none of this says how anger is found in a call centre.

No training chooses anything on those it is tested on: temperature and least confidence come from inner speakers of the
training side, the length is fixed beforehand. What the recipe is was chosen by trials on inner speakers of these
corpora, and between corpora.
"""
