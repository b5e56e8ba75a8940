"""Print what was measured, and keep it for ``--json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


class Report:
    """Tables and judgements to standard output, or one JSON document at the end; progress goes to standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._page = Console(width=130, highlight=False, quiet=as_json)
        self._meanwhile = Console(stderr=True, highlight=False)
        self._figures: dict[str, Any] = {}
        self._aims: list[dict[str, Any]] = []

    def progress(self, words: str) -> None:
        """What is going on."""
        self._meanwhile.print(f"{words} ...", style="dim")

    def say(self, words: str) -> None:
        self._page.print(words)

    def keep(self, name: str, figures: object) -> None:
        """Figures for the JSON document."""
        self._figures[name] = figures

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table; all but the first column are numbers."""
        table = Table(box=None, pad_edge=False, padding=(0, 2))
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        self._page.print()
        self._page.print(title, style="bold")
        self._page.print(table)

    def aim(self, what: str, found: float, wanted: float, unit: str = "", *, at_most: bool = False) -> None:
        """Judge a figure by what was aimed at."""
        is_met = found <= wanted if at_most else found >= wanted
        bound = "at most" if at_most else "at least"
        self._aims.append(
            {"aim": what, bound.replace(" ", "_"): wanted, "found": round(found, 2), "met": is_met}
        )
        mark = "[green]met[/green]" if is_met else "[red]not met[/red]"
        self._page.print(f"  {mark}: {what}: {found:.3g}{unit} (aim: {bound} {wanted:g}{unit})")

    def finish(self) -> None:
        """Print the JSON document, if that was asked for."""
        if self._as_json:
            print(json.dumps({**self._figures, "aims": self._aims}, indent=2))
