"""The formats of tables and their suffixes. Standard library only, because `--help` imports this module."""

from __future__ import annotations

import os
from typing import Literal, get_args

Format = Literal["csv", "tsv", "json", "jsonl", "parquet", "table"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".parquet": "parquet"}


def format_of(target: str) -> Format | None:
    """The format for the suffix of a file name; None if the suffix is not known.

    >>> format_of("a/b.TSV"), format_of("b.xlsx")
    ('tsv', None)
    """
    return SUFFIXES.get(os.path.splitext(target)[1].lower())


def partition_conflict(out: str, format: Format | None) -> str | None:
    """Why `--partition-by` cannot write there; None if it can.

    >>> partition_conflict("calls.csv", None)
    '--partition-by writes Parquet; leave out --format, and give --out a folder'
    """
    from sertag.remote.urls import is_url

    if out == "-":
        return "--partition-by writes a folder; name it with --out"
    if is_url(out):
        return "--partition-by writes a folder on this machine, which cannot be put in one step; copy it"
    if format not in (None, "parquet") or format_of(out) not in (None, "parquet"):
        return "--partition-by writes Parquet; leave out --format, and give --out a folder"
    return None
