"""Unite what one person said over several touches: the newest answer wins, and no answer is lost to a
silence.

* A field that the newer touch leaves out keeps its older answer.
* Lists and tables of answers are united, the newer touch's entries winning.
* The address is one answer: a country that differs takes its state, city and postal code with it, and the old
  ones away.
* Flags and repairs describe the e-mail and phone that they came with: the touch that brings an address brings
  its flags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LISTS = ("products",)
_TABLES = ("extras", "utm", "click_ids")
_ADDRESS = ("country", "state", "city", "postal_code")
_OF_THE_ADDRESS_LINE = ("flags", "repairs")


def unite(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    """One draft out of two, both as ``LeadDraft.to_json`` writes them, without what was not said."""
    if not older:
        return dict(newer)
    united = {**older, **newer}
    for name in _LISTS:
        if name in older and name in newer:
            united[name] = list(dict.fromkeys([*older[name], *newer[name]]))
    for name in _TABLES:
        if name in older and name in newer:
            united[name] = {**older[name], **newer[name]}
    if newer.get("country") not in (None, older.get("country")):
        _take_whole(united, newer, _ADDRESS)
    if newer.get("email") or newer.get("phone"):
        _take_whole(united, newer, _OF_THE_ADDRESS_LINE)
    return united


def _take_whole(united: dict[str, Any], newer: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if name not in newer:
            united.pop(name, None)
