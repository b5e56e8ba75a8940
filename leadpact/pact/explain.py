"""Turn what the model found wrong into mistakes at their places in the file, in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from leadpact.pact import base
from leadpact.pact.words import nearest, one_of
from leadpact.pact.yaml_tree import Path, YamlTree

_EXPECTED: Mapping[str, str] = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "string_too_long": "a text of at most {max_length} characters",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "date_type": "a date such as 2026-12-24",
    "date_parsing": "a date such as 2026-12-24",
    "date_from_datetime_parsing": "a date such as 2026-12-24",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping, each line as `name: value`",
    "mapping_type": "a mapping, each line as `name: value`",
    "model_type": "a mapping, each line as `name: value`",
    "too_short": "at least {min_length} of them",
}


def report_invalid(tree: YamlTree, error: ValidationError) -> None:
    """Add every mistake of ``error`` to the problems of ``tree``."""
    errors = error.errors(include_url=False)
    misspelt = {_meant_field(one) for one in errors}
    for one in errors:
        # A misspelt field is also a missing one, but it is one mistake.
        if one["type"] == "missing" and one["loc"] in misspelt:
            continue
        # A list that holds nothing but mistakes is also too short, but it is not that which is wrong.
        if one["type"] == "too_short" and any(_is_inside(other["loc"], one["loc"]) for other in errors):
            continue
        path = _path_of(one["loc"], tree.data)
        if path not in tree.unreadable:
            _report(tree, path, one)


def _is_inside(loc: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(loc) > len(outer) and loc[: len(outer)] == outer


def _meant_field(error: ErrorDetails) -> tuple[int | str, ...]:
    suggestion = error.get("ctx", {}).get("suggestion") if error["type"] == base.UNKNOWN_WORD else None
    return (*error["loc"][:-1], suggestion) if suggestion else ()


def _report(tree: YamlTree, path: Path, error: ErrorDetails) -> None:
    said = error.get("ctx", {})
    kind = error["type"]
    match kind:
        case base.UNKNOWN_WORD:
            place, found = tree.key_place(path), f'"{path[-1]}"'
            tree.report(place, path, said["expected"], found, said["suggestion"], said["reason"])
        case base.MISTAKE:
            # pydantic's way to say that it is the key of a mapping that is wrong, not the value.
            place = tree.key_place(path) if error["loc"][-1:] == ("[key]",) else tree.value_place(path)
            found = describe(error["input"])
            tree.report(place, path, said["expected"], found, said["suggestion"], said["reason"])
        case "missing":
            tree.report(tree.key_place(path), path, f"`{error['loc'][-1]}` here", "nothing")
        case "union_tag_not_found":
            tree.report(tree.key_place(path), path, f"`{_discriminator(said)}` here", "nothing")
        case "union_tag_invalid":
            _report_choice(tree, (*path, _discriminator(said)), str(said["expected_tags"]), said["tag"])
        case "literal_error":
            _report_choice(tree, path, str(said["expected"]), error["input"])
        case _:
            expected = _EXPECTED.get(kind, "a valid value").format(**said)
            reason = "" if kind in _EXPECTED else error["msg"].removeprefix("Value error, ")
            tree.report(tree.value_place(path), path, expected, describe(error["input"]), reason=reason)


def _report_choice(tree: YamlTree, path: Path, listed: str, found: object) -> None:
    choices = _unlisted(listed)
    suggestion = nearest(str(found), choices)
    tree.report(tree.value_place(path), path, one_of(choices), describe(found), suggestion)


def _unlisted(listed: str) -> Sequence[str]:
    """pydantic's ``'a', 'b' or 'c'`` as a list of words."""
    return listed.replace(" or ", ", ").replace("'", "").split(", ")


def _discriminator(context: Mapping[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")


def _path_of(loc: tuple[int | str, ...], data: Any) -> Path:
    """Where an error stands in the file: its location without the steps that exist in the model only."""
    path: Path = ()
    for step in loc:
        if isinstance(data, Mapping) and step in data:
            path, data = (*path, step), data[str(step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            path, data = (*path, step), data[step]
    return path


def describe(found: object) -> str:
    """A value of the file as an error names it: short, and in YAML's words."""
    match found:
        case None:
            return "nothing"
        case bool():
            return str(found).lower()
        case int() | float():
            return str(found)
        case str():
            return f'"{found}"' if len(found) <= 60 else f'"{found[:57]}..."'
        case Mapping() if found:
            return f"a mapping of {', '.join(str(key) for key in list(found)[:6])}"
        case Mapping():
            return "an empty mapping"
        case []:
            return "an empty list"
        case _:
            return "a list"
