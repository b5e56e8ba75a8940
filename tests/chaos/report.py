"""Say what a storm came to: per kind of kill what was lost, doubled, early or out of order, and the sums that everything adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console
from rich.table import Table

from tests.support.audit import Balance, Finding

FAULTS = ("lost", "doubled", "early", "disorder")


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed, and when."""

    victim: str
    at: datetime


@dataclass
class Report:
    """What a storm came to."""

    kills: list[Kill] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    balance: Balance | None = None
    balances_taken: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    ended_by_themselves: Counter[str] = field(default_factory=Counter)
    """Last words of services that ended although nobody had killed them, and how often each was said."""
    came_to_rest: bool = False

    @property
    def is_clean(self) -> bool:
        return self.came_to_rest and not self.findings

    def by_kind_of_kill(self) -> dict[str, Counter[str]]:
        """Per kind of kill: how many there were, and how many findings point to one of them."""
        table: dict[str, Counter[str]] = {}
        for kill in self.kills:
            table.setdefault(kill.victim, Counter())["kills"] += 1
        for finding in self.findings:
            table.setdefault(self._suspect(finding), Counter())[finding.fault] += 1
        return table

    def _suspect(self, finding: Finding) -> str:
        """What was killed next after the thing came to be that is lost or doubled: most of them take no longer than that."""
        later = [kill for kill in self.kills if finding.at is not None and kill.at >= finding.at]
        return later[0].victim if later else "(not known)"


def show(report: Report, console: Console) -> None:
    """Print it all."""
    console.print(_table(report))
    for name, count in report.counts.items():
        console.print(f"  {count:>8} {name}")
    for said, times in report.ended_by_themselves.items():
        console.print(
            f"  {times:>8} times a service ended by itself and was started again: {said}", markup=False
        )
    console.print(f"  balance: {report.balance}; it was taken {report.balances_taken} times under load")
    if not report.came_to_rest:
        console.print("  [bold red]it did not come to rest in time")
    for (fault, what), found in _alike(report.findings).items():
        console.print(f"  [red]{len(found):>8} {fault}: {what}, such as {found[0].subject}")
    console.print("clean: nothing lost, doubled, early or out of order" if report.is_clean else "NOT CLEAN")


def _alike(findings: Sequence[Finding]) -> dict[tuple[str, str], list[Finding]]:
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.fault, finding.what), []).append(finding)
    return alike


def _table(report: Report) -> Table:
    table = Table("killed", "kills", *FAULTS)
    rows = report.by_kind_of_kill()
    for victim in sorted(rows):
        table.add_row(victim, *(str(rows[victim][column]) for column in ("kills", *FAULTS)))
    total: Counter[str] = sum(rows.values(), Counter())
    table.add_section()
    table.add_row("all", *(str(total[column]) for column in ("kills", *FAULTS)))
    return table
