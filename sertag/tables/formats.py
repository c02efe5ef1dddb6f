"""The formats of tables and the suffixes that stand for them. Standard library only: `--help` needs it."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal, get_args

Format = Literal["csv", "tsv", "json", "jsonl", "parquet", "table"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".parquet": "parquet"}


def format_of(target: str) -> Format | None:
    """The format that the suffix of a file name stands for; None where it is not known.

    >>> format_of("a/b.TSV"), format_of("b.xlsx")
    ('tsv', None)
    """
    return SUFFIXES.get(PurePath(target).suffix.lower())
