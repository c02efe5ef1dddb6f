"""Results as data frames (extra `pandas`), with the columns and the rounding of the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sertag.errors import SertagError
from sertag.records import FileResult
from sertag.tables.columns import Column, ModelInfo, Row, result_columns, result_rows, segment_columns, segment_rows

if TYPE_CHECKING:
    import pandas as pd

    from sertag.tagger import Tagger


def to_pandas(results: Iterable[FileResult], *, tagger: Tagger) -> pd.DataFrame:
    """One row per channel, as in the result table.

    Args:
        results: results, for example of `Tagger.tag_many`.
        tagger: the tagger that made them; it names the labels and the model.

    Returns:
        A data frame; text and `channel` are objects, counts `Int64`, other numbers `float64`.

    Raises:
        SertagError: pandas is not installed.

    >>> from sertag import Tagger
    >>> tagger = Tagger()
    >>> to_pandas(tagger.tag_many(["examples/calls/voicemail"]), tagger=tagger)["status"].tolist()
    ['ok', 'no_speech']
    """
    origin = tagger.origin
    return _frame(results, result_columns(origin.labels, origin.dimensions), result_rows, origin)


def segments_to_pandas(results: Iterable[FileResult], *, tagger: Tagger) -> pd.DataFrame:
    """One row per window, as in the table of `--segments`; arguments, result and errors as for `to_pandas`."""
    origin = tagger.origin
    return _frame(results, segment_columns(origin.labels, origin.dimensions), segment_rows, origin)


def _frame(
    results: Iterable[FileResult],
    columns: tuple[Column, ...],
    rows: Callable[..., Iterator[Row]],
    origin: ModelInfo,
) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        message = "data frames need pandas, which is not installed; run: pip install 'sertag[pandas]'"
        raise SertagError(message, code="needs_pandas") from error
    found = [row for result in results for row in rows(result, origin=origin)]
    cells: Iterable[Any] = zip(*found, strict=True) if found else ((),) * len(columns)
    series = {
        column.name: pd.Series(list(own), dtype=_dtype(column)) for column, own in zip(columns, cells, strict=True)
    }
    return pd.DataFrame(series)


def _dtype(column: Column) -> str:
    if column.kind in ("text", "channel"):
        return "object"
    return "Int64" if column.kind == "count" else "float64"
