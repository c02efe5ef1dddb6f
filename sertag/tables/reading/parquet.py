"""Rows of Parquet files, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from sertag.tables.reading.sources import TableError

HEADER_ONLY = "\0"  # a column that marks the placeholder row of a table without rows

_BATCH_ROWS = 1024  # files of many days may be read side by side


def parquet_rows(source: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    """Read the rows of a file.

    Args:
        source: the file.
        name: of the file, for messages.

    Raises:
        TableError: it is no Parquet, or pyarrow is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        message = f"{name}: Parquet needs pyarrow, which is not installed; run: pip install 'sertag[parquet]'"
        raise TableError(message, code="needs_parquet") from error
    try:
        with pyarrow.parquet.ParquetFile(source) as file:
            if not file.metadata.num_rows:
                yield dict.fromkeys(file.schema_arrow.names) | {HEADER_ONLY: True}
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                yield from batch.to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise TableError(f"{name}: cannot be read as Parquet: {error}", code="unreadable") from error
