"""Print the story: chapters and tables to standard output, what is going on meanwhile to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.status import Status
from rich.table import Table

from leadpact.demo.checks import Check

WIDTH = 100
ZONE = ZoneInfo("Europe/Berlin")
STORY_DAY = date(2026, 5, 26)  # a Tuesday


class Page:
    """Where the story is told. Text is plain: nothing that a lead wrote is taken for markup."""

    def __init__(self) -> None:
        width = min(WIDTH, Console().width) if sys.stdout.isatty() else WIDTH
        self._out = Console(width=width, highlight=False)
        self._meanwhile = Console(file=sys.stderr, width=width, highlight=False)
        self._ends_in_a_gap = False

    def chapter(self, title: str, now: datetime) -> None:
        """Begin a chapter at its hour."""
        self._gap()
        self._print(Rule(f"[bold]{clock_time(now)}  {escape(title)}[/bold]", align="left"))

    def say(self, text: str) -> None:
        self._print(escape(text))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table under the chapter; the last column takes the room that is left."""
        table = Table(box=None, pad_edge=False, header_style="bold dim")
        for column in columns:
            table.add_column(escape(column), overflow="fold")
        for row in rows:
            table.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
        self._gap()
        self._print(Padding(table, (0, 0, 0, 2), expand=False))
        self._gap()

    def checks(self, checks: Sequence[Check]) -> None:
        """What was expected, and whether it came out so."""
        grid = Table.grid(padding=(0, 1))
        for one in checks:
            if one.holds:
                grid.add_row("[green]✔[/green]", escape(one.expected))
            else:
                grid.add_row("[bold red]✘[/bold red]", escape(one.expected))
                grid.add_row("", f"[red]seen instead: {escape(str(one.seen))}[/red]")
        self._print(grid)

    def progress(self, text: str) -> None:
        """Something that takes a moment."""
        self._meanwhile.print(escape(text))

    @contextmanager
    def waiting(self, text: str) -> Iterator[Status]:
        """A line that moves while something is waited for; nothing where standard error is no terminal."""
        with self._meanwhile.status(escape(text), spinner="line") as status:
            yield status

    def _print(self, shown: RenderableType) -> None:
        self._out.print(shown)
        self._ends_in_a_gap = False

    def _gap(self) -> None:
        """One empty line, however many ask for it."""
        if not self._ends_in_a_gap:
            self._out.print()
        self._ends_in_a_gap = True


def clock_time(at: datetime | str | None) -> str:
    """The hour in Berlin, with the day if it is not the day of the story: ``09:05``, ``Wed 09:00``."""
    if at is None:
        return ""
    local = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(ZONE)
    return f"{local:%H:%M}" if local.date() == STORY_DAY else f"{local:%a %H:%M}"
