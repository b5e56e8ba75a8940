"""What is wrong with an input, where, and what the sender can do about it."""

from typing import NamedTuple


class FieldProblem(NamedTuple):
    """One reason why a lead or a row cannot be taken.

    `message` says what was expected and what was found, without repeating long or private values;
    `fix` is an instruction that somebody with the file or the form in front of them can follow.
    """

    field: str
    message: str
    fix: str
