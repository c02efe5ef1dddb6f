"""Random samples among verdicts.

Precision on what listeners chose to judge, such as the worst calls, is that of their choice. The report draws windows
(or rows, where it has no windows) with equal chances, so the share of right ones in such a sample estimates that of all
windows with an emotion that its filters left. Draws with different seeds from the same windows count as one sample.
"""

from __future__ import annotations

from collections.abc import Sequence

from sertag.analysis.agreement.verdicts import Judged


def largest_sample(judged: Sequence[Judged]) -> list[Judged]:
    """The verdicts of the population of which most were drawn; none where nothing was drawn."""
    found: dict[str, list[Judged]] = {}
    for one in judged:
        if one.sample is not None:
            found.setdefault(one.sample.population, []).append(one)
    return max(found.values(), key=len, default=[])


def passed_over(sampled: Sequence[Judged]) -> int:
    """How many were drawn before the last one that counts, and do not count: skipped, disputed, or of another label.

    >>> from sertag.analysis.agreement.verdicts import Sample
    >>> passed_over([Judged("a", "sad", 0.9, "sad", Sample("", "1", place)) for place in (1, 2, 4)])
    1
    """
    places: dict[str, set[int]] = {}
    for one in sampled:
        if one.sample is not None:
            places.setdefault(one.sample.seed, set()).add(one.sample.place)
    return sum(max(own) - len(own) for own in places.values())
