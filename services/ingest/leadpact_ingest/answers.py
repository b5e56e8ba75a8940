"""What a form or a row said, by the name its sender gave it, handed out once so that nothing is used twice or lost."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from leadpact_ingest.normalise.text import said

MAX_DEPTH = 4
"""Objects and lists nested deeper than this are kept as JSON text."""


class Answer(NamedTuple):
    """One value, with the name that its sender gave it."""

    name: str
    value: str


class Answers:
    """Answers by canonical field, in order of preference, and those that no field was recognised for.

    Placeholders (`n/a`, `-`) are no answers. Whatever is taken is gone; `rest` gives what nobody took.
    """

    def __init__(self, known: Mapping[str, Sequence[Answer]], unknown: Sequence[Answer]) -> None:
        self._known = {field: list(_said(answers)) for field, answers in known.items()}
        self._unknown = list(_said(unknown))

    def take(self, field: str) -> Answer | None:
        """The preferred answer of a field; the others stay."""
        answers = self._known.get(field)
        return answers.pop(0) if answers else None

    def take_all(self, *fields: str) -> list[Answer]:
        """Every answer of several fields, the fields in order of preference."""
        return [answer for field in fields for answer in self._known.pop(field, [])]

    def fields(self) -> list[str]:
        """The canonical fields that still have answers."""
        return [field for field, answers in self._known.items() if answers]

    def rest(self) -> Iterator[tuple[str | None, Answer]]:
        """What nobody took: recognised answers with their field, then the unrecognised with None."""
        for field, answers in self._known.items():
            yield from ((field, answer) for answer in answers)
        yield from ((None, answer) for answer in self._unknown)


def _said(answers: Sequence[Answer]) -> Iterator[Answer]:
    return (Answer(answer.name, value) for answer in answers if (value := said(answer.value)))


def unfold(value: JsonValue, name: str = "", depth: int = 0) -> list[Answer]:
    """A form's fields as flat answers: dots for nesting, one answer per list item, nothing for null.

    Names that begin with `_` steer the form (honeypots, redirects) and are no answers.
    """
    if isinstance(value, dict) and depth < MAX_DEPTH:
        return [
            answer
            for key, inner in value.items()
            if not key.startswith("_")
            for answer in unfold(inner, f"{name}.{key}" if name else key, depth + 1)
        ]
    if isinstance(value, list) and depth < MAX_DEPTH:
        return [answer for inner in value for answer in unfold(inner, name, depth + 1)]
    return [] if value is None else [Answer(name.removesuffix("[]"), _text(value))]


def _text(value: JsonValue) -> str:
    """A scalar as its sender would have typed it; a phone number sent as a JSON number has no `.0`."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)
