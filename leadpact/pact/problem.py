"""Show a mistake in a pact where it stands: file, line, column, what belongs there, what was found, what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leadpact.errors import Fault, Refused


@dataclass(frozen=True, slots=True, order=True)
class PactProblem:
    """One mistake. Lines and columns count from 1; problems sort in file order."""

    file: str
    line: int
    column: int
    where: str
    """The path to the place, such as ``routing.rules[2].to``; empty for the file as a whole."""
    expected: str
    found: str
    suggestion: str = ""
    """The nearest valid word, if one is near."""
    reason: str = ""
    """Why it is a mistake, where that is not plain from what was expected."""
    width: int = 1
    """How many characters the mistake takes up in its line."""

    @property
    def message(self) -> str:
        """The mistake in one sentence, without its place."""
        reason = f" ({self.reason})" if self.reason else ""
        return f"expected {self.expected}, found {self.found}{reason}"


class PactErrors(Refused):
    """A pact with mistakes: all of them, in file order."""

    def __init__(self, problems: Sequence[PactProblem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__(_count(self.problems), faults=[_as_fault(problem) for problem in self.problems])


def _count(problems: Sequence[PactProblem]) -> str:
    many = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return f"{problems[0].file} has {many}, the first in line {problems[0].line}: {problems[0].message}"


def _as_fault(problem: PactProblem) -> Fault:
    fix = f"did you mean {problem.suggestion!r}?" if problem.suggestion else f"write {problem.expected}"
    return Fault(
        f"{problem.file}:{problem.line}:{problem.column} {problem.where}".rstrip(), problem.message, fix
    )


def render(problem: PactProblem, source_text: str) -> str:
    """The mistake with its line of ``source_text``, a caret under it, and the line before for its context.

    pact.yaml:41:12 routing.rules[2].to: expected dach-ae, triage or account.owner, found "dach-ea"
       40 |   - name: DACH
       41 |     to: dach-ea
          |         ^^^^^^^ did you mean "dach-ae"?
    """
    place = f"{problem.file}:{problem.line}:{problem.column}"
    where = f"{problem.where}: " if problem.where else ""
    lines = source_text.splitlines()
    context = [number for number in (problem.line - 1, problem.line) if 1 <= number <= len(lines)]
    digits = len(str(problem.line)) + 3
    snippet = [f"{number:>{digits}} | {lines[number - 1]}" for number in context]
    did_you_mean = f' did you mean "{problem.suggestion}"?' if problem.suggestion else ""
    caret = f"{'':>{digits}} | {' ' * (problem.column - 1)}{'^' * problem.width}{did_you_mean}"
    return "\n".join([f"{place} {where}{problem.message}", *snippet, caret])
