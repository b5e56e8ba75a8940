"""Print what a storm came to: per kind of kill what was lost, doubled, early or out of order, and the sums that everything has to add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.chaos.storm import Report
from tests.support.audit import Finding

FAULTS = ("lost", "doubled", "early", "disorder")


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
