"""The output of `sertag agree`, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sertag.analysis.agreement import figures
from sertag.analysis.agreement.samples import largest_sample, passed_over
from sertag.analysis.agreement.threshold import Threshold, find_threshold
from sertag.analysis.agreement.verdicts import Judged, Matched
from sertag.analysis.intervals import Estimate
from sertag.analysis.loading import Loaded
from sertag.records import Status
from sertag.text import plural

Of = Literal["windows", "rows"]

_MOST_NAMED = 5
_COLUMN = 10  # characters


@dataclass(frozen=True, slots=True)
class Report:
    """Evaluation of verdicts on windows or on rows.

    Attributes:
        of: what was judged, windows or rows.
        judged: the verdicts that were evaluated: those of the random sample, if there is one.
        population: from what the sample was drawn, see `verdicts.Sample`; None if listeners chose what to judge.
        passed_over: number of places of the sample that were drawn and not judged.
        left_out: verdicts outside the sample.
        matched: all verdicts.
        threshold: threshold for the wanted precision.
        left: number of windows or rows with an emotion at that threshold, and without it.
    """

    of: Of
    judged: Sequence[Judged]
    population: str | None
    passed_over: int
    left_out: int
    matched: Matched
    threshold: Threshold
    left: dict[Of, tuple[int, int]]


def report(
    loaded: Loaded, matched: Matched, *, precision: float, of: Of | None = None, everything: bool = False
) -> Report:
    """Evaluate verdicts.

    Args:
        loaded: the tables.
        matched: the verdicts, matched with windows and rows.
        precision: wanted share of right answers.
        of: whether verdicts on windows or on rows are evaluated; None for the kind with more verdicts.
        everything: use verdicts that are not of the random sample too.
    """
    samples = {"windows": largest_sample(matched.windows), "rows": largest_sample(matched.rows)}
    counts = samples if any(samples.values()) and not everything else {"windows": matched.windows, "rows": matched.rows}
    chosen: Of = of or ("windows" if len(counts["windows"]) >= len(counts["rows"]) else "rows")
    every = matched.windows if chosen == "windows" else matched.rows
    sampled = [] if everything else samples[chosen]
    judged = sampled or every
    answers = {"windows": _confidences(loaded.windows), "rows": _confidences(loaded.rows)}
    threshold = find_threshold(judged, precision, lowest=min(answers[chosen], default=0.0))
    least = threshold.value or 0.0
    left: dict[Of, tuple[int, int]] = {}
    for kind in ("windows", "rows"):
        left[kind] = sum(confidence >= least for confidence in answers[kind]), len(answers[kind])
    population = sampled[0].sample.population if sampled and sampled[0].sample else None
    left_out = len(every) - len(judged)
    return Report(chosen, judged, population, passed_over(sampled), left_out, matched, threshold, left)


def document(found: Report) -> dict[str, Any]:
    """The report as one JSON object."""
    bins = figures.reliability(found.judged)
    threshold = found.threshold
    return {
        "of": found.of,
        "verdicts": len(found.judged),
        "calls": _calls(found.judged),
        "random_sample_of": found.population,
        "drawn_and_not_judged": found.passed_over,
        "not_of_the_sample": found.left_out,
        "skipped": found.matched.skipped,
        "without_emotion": found.matched.silent,
        "outdated": found.matched.stale,
        "disputed": found.matched.disputed,
        "missing": found.matched.missing,
        "agreement": _estimate(figures.agreement(found.judged)) if found.judged else None,
        "confusion": figures.confusion(found.judged),
        "reliability": [
            {"from": one.low, "to": one.high, "verdicts": one.count, "confidence": round(one.confidence, 4)}
            | {"right": _estimate(one.right)}
            for one in bins
        ],
        "calibration_error": round(figures.calibration_error(bins), 4) if bins else None,
        "threshold": {
            "precision_wanted": threshold.wanted,
            "min_confidence": threshold.value,
            "min_confidence_low": threshold.low,
            "min_confidence_high": threshold.high,
            "reached_already": threshold.reached,
            "precision": threshold.precision and _estimate(threshold.precision),
            "verdicts": threshold.verdicts,
            "more_verdicts_needed": threshold.more_verdicts,
            "more_calls_needed": threshold.more_calls,
            "left": {kind: {"left": left, "of": count} for kind, (left, count) in found.left.items()},
        },
    }


def text(found: Report) -> str:
    """The report for people."""
    parts = ["\n".join(_counts(found))]
    if found.judged:
        parts += ["\n".join(_confusion(found.judged)), "\n".join(_reliability(found.judged))]
    parts.append("\n".join(_threshold(found)))
    return "\n\n".join(parts) + "\n"


def _confidences(rows: Sequence[dict[str, Any]]) -> list[float]:
    return [row["confidence"] for row in rows if row["status"] == Status.OK.value and row["confidence"] is not None]


def _counts(found: Report) -> Iterator[str]:
    matched, judged = found.matched, found.judged
    yield f"{plural(len(judged), 'verdict')} on {found.of} of {plural(_calls(judged), 'call')}"
    if found.population is not None:
        which, filters = ("the", f" ({found.population})") if found.population else ("all", "")
        more = f"; {found.passed_over:,} more were drawn and do not count" if found.passed_over else ""
        yield f"a random sample of {which} {found.of} with an emotion{filters}{more}"
    elif judged:
        yield f"chosen by listeners, so this says nothing about other {found.of}; the report draws random samples"
    if judged:
        right = sum(one.right for one in judged)
        yield f"agreement: {_share(figures.agreement(judged))}, {right} of {len(judged)} right"
    other = matched.rows if found.of == "windows" else matched.windows
    notes = {
        "not of the random sample, left out (see --all)": found.left_out,
        f"on {'rows' if found.of == 'windows' else 'windows'} (see --of)": len(other),
        "skipped": matched.skipped,
        f"on {found.of} without an emotion": matched.silent,
        "against a label that is no longer given": matched.stale,
        "left out, because verdicts on the same place contradict each other": matched.disputed,
    }
    yield from (f"{count} {what}" for what, count in notes.items() if count)
    if matched.missing:
        named = "; ".join(matched.missing[:_MOST_NAMED])
        more = "; …" if len(matched.missing) > _MOST_NAMED else ""
        yield f"{len(matched.missing)} on something that is in no table: {named}{more}"


def _confusion(judged: Sequence[Judged]) -> Iterator[str]:
    counts = figures.confusion(judged)
    truths = sorted(
        {truth for own in counts.values() for truth in own}, key=lambda name: (name == figures.ANOTHER, name)
    )
    yield "confusion (rows: what sertag said; columns: what the listener heard)"
    yield _line("", truths)
    for emotion, own in counts.items():
        yield _line(emotion, [str(own.get(truth, 0)) for truth in truths])


def _reliability(judged: Sequence[Judged]) -> Iterator[str]:
    bins = figures.reliability(judged)
    yield "reliability (is a confidence of 80 % right in 80 of 100 cases?)"
    yield _line("confidence", ["verdicts", "mean", "right", "95 %"])
    for one in bins:
        cells = [str(one.count), f"{one.confidence:.0%}", f"{one.right.value:.0%}"]
        between = "" if one.right.low is None or one.right.high is None else f"{one.right.low:.0%}-{one.right.high:.0%}"
        yield _line(f"{one.low:.1f}-{one.high:.1f}", [*cells, between])
    yield f"expected calibration error: {figures.calibration_error(bins):.1%}"


def _threshold(found: Report) -> Iterator[str]:
    threshold = found.threshold
    head = f"precision of {threshold.wanted:.0%}: "
    if threshold.more_verdicts or threshold.more_calls:
        needs = [plural(threshold.more_verdicts, "more verdict")] if threshold.more_verdicts else []
        needs += [f"verdicts in {plural(threshold.more_calls, 'more call')}"] if threshold.more_calls else []
        yield f"{head}too few verdicts to say; it takes at least {' and '.join(needs)}"
    elif threshold.value is None:
        best = f"; the best is {_share(threshold.precision)}" if threshold.precision else ""
        yield f"{head}no min_confidence reaches it{best}"
    elif threshold.reached:
        yield f"{head}reached as it is, {_share(threshold.precision)}; min_confidence need not change"
    else:
        low, high = threshold.low, "more" if threshold.high is None else f"{threshold.high:.2f}"
        yield f"{head}min_confidence = {threshold.value:.2f} (95 %: {low:.2f} to {high})"
        yield f"precision there: {_share(threshold.precision)} on {plural(threshold.verdicts, 'verdict')}"
        left = [f"{kept:,} of {count:,} {kind}" for kind, (kept, count) in found.left.items() if count]
        yield f"with an emotion would be left: {', '.join(left)}"


def _share(found: Estimate | None) -> str:
    if found is None:
        return "unknown"
    if found.low is None or found.high is None:
        return f"{found.value:.1%} (no interval: all of one call)"
    return f"{found.value:.1%} (95 %: {found.low:.1%} to {found.high:.1%})"


def _line(head: str, cells: Sequence[str]) -> str:
    return ("  " + head.ljust(_COLUMN) + "".join(f"  {cell:>{_COLUMN}}" for cell in cells)).rstrip()


def _calls(judged: Sequence[Judged]) -> int:
    return len({one.call for one in judged})


def _estimate(found: Estimate) -> dict[str, float | None]:
    return {
        "value": round(found.value, 4),
        "low": None if found.low is None else round(found.low, 4),
        "high": None if found.high is None else round(found.high, 4),
    }
