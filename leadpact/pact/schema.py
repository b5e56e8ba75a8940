"""Describe the pact's file as a JSON Schema, so that editors complete it and underline what cannot be right.

The schema knows the shape of each section. That names are defined, rules reachable and facts asked only where they
are known is beyond it: `leadpact pact check` says those.
"""

from __future__ import annotations

import json
from typing import Any, Final

from leadpact.pact.condition import CLOSED_WORDS, FACTS, FactKind
from leadpact.pact.model import Pact

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_CONDITION: Final = {"$ref": "#/$defs/Condition"}
_PRESENCE: Final = {"enum": ["present", "absent"]}
_COMPARISON: Final = {"type": "string", "pattern": r"^\s*(>=|<=|>|<|=)\s*-?\d+(\.\d+)?\s*$"}


def pact_json_schema() -> dict[str, Any]:
    """The schema of a pact file, in JSON Schema 2020-12."""
    schema = _as_in_the_file(Pact.model_json_schema(by_alias=True))
    schema["$defs"]["Condition"] = _condition_schema()
    return {"$schema": DIALECT, "title": "Pact", **schema}


def pact_json_schema_text() -> str:
    """The schema as it is published: indented, one line break at the end."""
    return json.dumps(pact_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _as_in_the_file(schema: Any) -> Any:
    """The model's schema, but for the file: conditions refer to themselves, and what is not said is left out, not null."""
    if isinstance(schema, list):
        return [_as_in_the_file(one) for one in schema if one != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    if schema.get("title") == "Condition":
        return dict(_CONDITION)
    kept = {key: _as_in_the_file(value) for key, value in schema.items() if not _is_noise(key, value)}
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    if len(kept.get("anyOf", ())) == 1:
        kept |= kept.pop("anyOf")[0]
    return kept


def _is_noise(key: str, value: object) -> bool:
    """Titles repeat the name beside them; a default of null says that there is none."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def _condition_schema() -> dict[str, Any]:
    group = {"type": "array", "minItems": 1, "items": _CONDITION}
    return {
        "description": "A question about a lead. Several facts side by side must all hold.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            "all": group,
            "any": group,
            "not": _CONDITION,
            **{name: _fact_schema(name, kind) for name, kind in FACTS.items()},
        },
    }


def _fact_schema(name: str, kind: FactKind) -> dict[str, Any]:
    match kind:
        case FactKind.ADDRESS:
            return {"enum": ["present", "absent", "free_mail", "business"]}
        case FactKind.PRESENCE:
            return _PRESENCE
        case FactKind.FLAG:
            return {"anyOf": [{"type": "boolean"}, _PRESENCE]}
        case FactKind.NUMBER:
            return {"anyOf": [{"type": "number"}, _COMPARISON, _PRESENCE]}
        case FactKind.COUNTRY:
            return _one_or_more({"type": "string", "pattern": "^[A-Z]{2}$"})
        case FactKind.WORD | FactKind.WORDS if name in CLOSED_WORDS:
            return _one_or_more({"enum": list(CLOSED_WORDS[name])})
        case FactKind.WORD | FactKind.WORDS:
            return _one_or_more({"type": ["string", "number"]})


def _one_or_more(word: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [word, {"type": "array", "minItems": 1, "items": word}, _PRESENCE]}
