"""Every section of the pact is frozen, refuses words that it does not know, and says its mistakes in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StrictBool,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from leadpact.pact.words import nearest, one_of

MISTAKE = "pact_mistake"
"""The type of a validation error that already says what was expected of the value."""

UNKNOWN_WORD = "pact_unknown_word"
"""The type of a validation error about a key that nobody knows."""


def mistake(expected: str, suggestion: str = "", reason: str = "") -> PydanticCustomError:
    """The error a validator raises: what belongs here, the word that was meant if one is near, a reason if it helps."""
    return _said(MISTAKE, expected, suggestion, reason)


def unknown_word(word: str, choices: Iterable[str], reason: str = "") -> PydanticCustomError:
    """The error for a key that is none of ``choices``."""
    choices = tuple(choices)
    return _said(UNKNOWN_WORD, one_of(choices), nearest(word, choices), reason)


def _said(kind: str, expected: str, suggestion: str, reason: str) -> PydanticCustomError:
    said = {"expected": expected, "suggestion": suggestion, "reason": reason}
    return PydanticCustomError(kind, "expected {expected}", said)


class PactSection(BaseModel):
    """A part of the pact: values only, never changed after it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_known_words(cls, found: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return read(found)
        except ValidationError as error:
            mistakes = [cls._with_known_words(one) for one in error.errors()]
            raise ValidationError.from_exception_data(error.title, mistakes) from None

    @classmethod
    def _with_known_words(cls, error: ErrorDetails) -> InitErrorDetails:
        """The same error, but a word unknown to this section comes with the words that it knows."""
        context = error.get("ctx", {})
        kind: str | PydanticCustomError = error["type"]
        if kind == "extra_forbidden":
            fields = [field.alias or name for name, field in cls.model_fields.items()]
            kind = unknown_word(str(error["loc"][-1]), fields)
        elif kind in (MISTAKE, UNKNOWN_WORD):
            kind = _said(error["type"], context["expected"], context["suggestion"], context["reason"])
        return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=context)


NAME_PATTERN = r"[a-z][a-z0-9_-]{0,62}"
_REP = r"^[^\s,;]{1,200}$"


def must_be_a_name(text: str) -> str:
    """``text`` itself if it can be a ``Name``; else raises the mistake, with the name it could be."""
    if not re.fullmatch(NAME_PATTERN, text):
        raise mistake("a name of small letters, digits, - and _, beginning with a letter", _as_name(text))
    return text


def _as_name(text: str) -> str:
    meant = re.sub(r"[^a-z0-9_]+", "-", text.casefold()).strip("-_")
    return meant if re.fullmatch(NAME_PATTERN, meant) else ""


def _must_be_a_rep(text: str) -> str:
    if not re.fullmatch(_REP, text):
        raise mistake("a rep's id or e-mail address, without spaces")
    return text


Name = Annotated[
    str, AfterValidator(must_be_a_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME_PATTERN}$"})
]
"""What a calendar, source, pool, promise or reason is called: ``dach-ae``, ``not_now``."""

RepRef = Annotated[str, AfterValidator(_must_be_a_rep), WithJsonSchema({"type": "string", "pattern": _REP})]
"""A person, by rep id or e-mail address. Who exists is data, not pact, so it is not looked up here."""

Sentence = Annotated[str, Field(min_length=1, max_length=200)]
"""A short text for people."""

# Strict, because Python would take `true` for 1 and a quoted "8" for a number without a word.
Count = Annotated[int, Field(strict=True, gt=0)]
Points = Annotated[int, Field(strict=True)]
Flag = StrictBool
