"""Print lists as tables for people. Programs ask for ``--json``."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

# A terminal wraps by itself; a file or pipe gets lines that are long enough not to be cut.
_WIDTH_OF_A_PIPE = 160
_NO_LIMIT = 10_000


def console() -> Console:
    """Standard output as rich writes to it."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)


def print_table(
    columns: Sequence[str], items: Iterable[Mapping[str, Any]], *, whole: Collection[str] = ()
) -> None:
    """One row for each item. A column is a key of the items; its heading is the key in words.

    What a person copies from the columns ``whole`` is not broken into lines, as long as others can be.
    """
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), no_wrap=column in whole)
    for item in items:
        table.add_row(*(_cell(item.get(column)) for column in columns))
    out = console()
    if not sys.stdout.isatty():
        natural = out.measure(table, options=out.options.update(max_width=_NO_LIMIT)).maximum
        out.width = max(out.width, natural)
    out.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    return str(value)
