"""Check that every promise can be kept, and that its warnings can come.

How long a business day is depends on the calendar, and whose calendar counts often on who gets the lead. So a promise is refused only if
it fails in every calendar of the pact in which its time may count, and one that counts while two are open is taken as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from leadpact.domain.business_duration import WallDuration, say
from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.model import Pact
from leadpact.pact.phrases import TimeLeft
from leadpact.pact.sla import AttemptsPromise, Promise
from leadpact.pact.yaml_tree import YamlTree


def report_unkeepable(tree: YamlTree, pact: Pact) -> None:
    """Add to the problems of ``tree``, of which ``pact`` was read, what nobody can do."""
    for name, promise in pact.sla.items():
        if len(promise.whose_hours) > 1:
            continue
        calendars = _calendars(promise, pact)
        if isinstance(promise, AttemptsPromise):
            _check_attempts(tree, name, promise, calendars)
        _check_warnings(tree, name, promise, calendars)


def _calendars(promise: Promise, pact: Pact) -> Sequence[WorkingCalendar]:
    """Those that the promise names; all of them if it names the hours of somebody."""
    named = [pact.calendars[name] for name in promise.whose_hours if name in pact.calendars]
    return [section.build() for section in named or pact.calendars.values()]


def _check_attempts(
    tree: YamlTree, name: str, promise: AttemptsPromise, calendars: Sequence[WorkingCalendar]
) -> None:
    gaps, target, apart = promise.attempts.count - 1, promise.target, promise.apart
    # Wall time passes while a calendar is closed, so working time says nothing against it.
    if apart is None or (isinstance(apart, WallDuration) and not isinstance(target, WallDuration)):
        return
    if any(gaps * apart.length(calendar) <= target.length(calendar) for calendar in calendars):
        return
    widest = max(calendars, key=target.length)
    path = ("sla", name, "apart")
    tree.report(
        tree.value_place(path),
        path,
        f"at most {say(target.length(widest) / gaps)} between {promise.attempts.count} attempts within {target}",
        f'"{apart}"',
        reason=f"they take {say(gaps * apart.length(widest))}, and {target} is {say(target.length(widest))}",
    )


def _check_warnings(
    tree: YamlTree, name: str, promise: Promise, calendars: Sequence[WorkingCalendar]
) -> None:
    for number, warning in enumerate(promise.warn_at):
        if not isinstance(warning, TimeLeft):
            continue
        if any(warning.time.length(calendar) < promise.target.length(calendar) for calendar in calendars):
            continue
        path = ("sla", name, "warn_at", number)
        tree.report(
            tree.value_place(path),
            path,
            f"less time than the target, {promise.target}",
            f'"{warning}"',
            reason="it would never come",
        )
