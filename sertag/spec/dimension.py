"""A number that a model estimates beside its labels or instead of them, such as arousal. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sertag.spec.json_codec import require

_SCALES = {"arousal": (0.0, 1.0), "valence": (-1.0, 1.0)}  # of the columns of these names


@dataclass(frozen=True, slots=True)
class Dimension:
    """One number of the graph's output `dimensions`.

    Attributes:
        name: of the columns `d_<name>` and `d_<name>_q1` to `d_<name>_q4`.
        least, most: ends of its scale, as its makers name them; the graph may go beyond them.
        unit: of the numbers, for people; empty for a scale without one.
    """

    name: str
    least: float = 0.0
    most: float = 1.0
    unit: str = ""

    def __post_init__(self) -> None:
        require(self.name.isidentifier(), "outputs.name", self.name, "letters, digits and underscores (a column)")
        require(self.least < self.most, f"outputs.{self.name}.least", self.least, f"less than most, {self.most:g}")

    @property
    def scale(self) -> tuple[float, float] | None:
        """Factor and offset to the column `arousal` or `valence`; None for other dimensions.

        >>> Dimension("arousal", 1, 5).scale, Dimension("dominance").scale
        ((0.25, -0.25), None)
        """
        if self.name not in _SCALES:
            return None
        low, high = _SCALES[self.name]
        factor = (high - low) / (self.most - self.least)
        return factor, low - factor * self.least


def check_dimensions(outputs: Sequence[Dimension]) -> None:
    """Refuse dimensions whose columns have the same name.

    Raises:
        SpecError: two columns have one name.
    """
    columns = [name for one in outputs for name in dimension_columns(one.name)]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    require(not twice, "outputs", twice, "columns of different names")


def dimension_columns(name: str) -> tuple[str, ...]:
    """The columns of one dimension in the table of results: its mean, and those of the quarters.

    >>> dimension_columns("arousal")[:2]
    ('d_arousal', 'd_arousal_q1')
    """
    return (f"d_{name}", *(f"d_{name}_q{number}" for number in range(1, 5)))
