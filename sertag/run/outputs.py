"""What a run writes: the files, and the tables in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sertag.run.settings import Request
from sertag.storage.atomic_output import Output, open_output
from sertag.tables.columns import ModelInfo
from sertag.tables.formats import Format
from sertag.tables.writers import Table, open_table, results_view, segments_view

if TYPE_CHECKING:
    from sertag.tables.partitions import FolderOutput


@dataclass(frozen=True, slots=True)
class Outputs:
    """Open outputs of a run; None for what was not asked for."""

    summary: Output | None
    out: Output | FolderOutput
    segments: Output | None


def open_outputs(request: Request, opened: ExitStack) -> Outputs:
    """Open all outputs.

    They are put in place in reverse order, the summary last, after the files it covers.
    """

    def optional(target: str | None) -> Output | None:
        return None if target is None else opened.enter_context(open_output(target, storage=request.storage))

    summary = optional(request.summary)
    out = _out(request)
    opened.enter_context(out)
    return Outputs(summary, out, optional(request.segments))


def _out(request: Request) -> Output | FolderOutput:
    if request.partition_by is None:
        return open_output(request.out, storage=request.storage)
    from sertag.tables.partitions import FolderOutput

    return FolderOutput(request.out)


def open_tables(
    request: Request, outputs: Outputs, formats: tuple[Format, Format | None], origin: ModelInfo
) -> Iterator[AbstractContextManager[Table]]:
    """The tables of a run, that of windows last.

    Args:
        request: settings of the run.
        outputs: where the tables go.
        formats: formats of the result table and of the table of windows.
        origin: what tables say of the model.
    """
    fmt, segments_fmt = formats
    view = results_view(origin)
    if not isinstance(outputs.out, Output):
        from sertag.analysis.derived import day_of
        from sertag.tables.partitions import open_partitions

        yield open_partitions(outputs.out, view=view, day_of=lambda result: day_of(result.path))
    elif fmt == "table":
        from sertag.tables.terminal import open_screen_table

        yield open_screen_table(outputs.out, dimensions=origin.dimensions)
    else:
        yield open_table(outputs.out, fmt=fmt, view=view, bom=request.bom)
    if segments_fmt is not None and outputs.segments is not None:
        yield open_table(outputs.segments, fmt=segments_fmt, view=segments_view(origin), bom=request.bom)
