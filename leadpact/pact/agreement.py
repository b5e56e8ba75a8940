"""Check that the parts of a pact agree with each other: every name that is used is defined, every rule can be reached.

These checks look at the plain values of the file, not at the model, so that they still speak when some other part
cannot be read: whoever repairs a pact sees all of its mistakes at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from leadpact.pact.routing import ACCOUNT_OWNER
from leadpact.pact.sla import OWN_CALENDARS
from leadpact.pact.sources import EventScanSource, SyndicationSource
from leadpact.pact.words import nearest, one_of
from leadpact.pact.yaml_tree import Path, YamlTree

_EACH = "*"
_CONDITIONS = (
    ("sources", _EACH, "accept"),
    ("scoring", "fit", _EACH, "when"),
    ("qualification", "mql", "any", _EACH),
    ("qualification", "mql", "all", _EACH),
    ("routing", "rules", _EACH, "when"),
    ("sla", _EACH, "applies"),
)


def report_disagreements(tree: YamlTree) -> None:
    """Add to the problems of ``tree`` whatever in it contradicts another part of it."""
    _check_names(tree)
    _check_words_of_conditions(tree)
    _check_reserved_names(tree)
    _check_rule_names(tree)
    _check_reachable_rules(tree)
    _check_widening(tree)


def _check_names(tree: YamlTree) -> None:
    calendars = _names(tree.data, "calendars")
    pools = _names(tree.data, "routing", "pools")
    uses = (
        (("sources", _EACH, "calendar"), "a calendar of this pact", calendars),
        (("routing", "pools", _EACH, "calendar"), "a calendar of this pact", calendars),
        (("routing", "pools", _EACH, "when_nobody", "widen"), "a pool of this pact", pools),
        (("routing", "rules", _EACH, "to"), "a pool of this pact", [*pools, ACCOUNT_OWNER] if pools else []),
        (("routing", "fallback"), "a pool of this pact", pools),
    )
    for pattern, what, defined in uses:
        for path, name in _find(tree.data, pattern):
            _check_word(tree, path, name, what, defined)
    for path, names in _find(tree.data, ("sla", _EACH, "calendar")):
        for name in names.split(" and ") if isinstance(names, str) and calendars else ():
            _check_word(tree, path, name, "a calendar of this pact", [*OWN_CALENDARS, *calendars])


def _check_words_of_conditions(tree: YamlTree) -> None:
    chosen_by_the_pact = {
        "intent": ("an intent of a source of this pact", _intents(tree.data)),
        "source": ("a source of this pact", _names(tree.data, "sources")),
        "band": ("a band of this pact", _names(tree.data, "scoring", "bands")),
        "did": ("an activity with points in this pact", _names(tree.data, "scoring", "engagement", "points")),
    }
    for pattern in _CONDITIONS:
        for place, condition in _find(tree.data, pattern):
            for path, fact, word in _words_asked(condition, place):
                if fact in chosen_by_the_pact and word not in ("present", "absent"):
                    _check_word(tree, path, word, *chosen_by_the_pact[fact])


def _check_word(tree: YamlTree, path: Path, word: object, what: str, defined: Collection[str]) -> None:
    # With nothing defined the section is missing or broken, which has been said already.
    if isinstance(word, str) and defined and word not in defined and not _already_refused(tree, path):
        expected = f"{what} ({one_of(defined)})"
        tree.report(tree.value_place(path), path, expected, f'"{word}"', nearest(word, defined))


def _already_refused(tree: YamlTree, path: Path) -> bool:
    place = tree.value_place(path)
    return any((problem.line, problem.column) == (place.line, place.column) for problem in tree.problems)


def _check_reserved_names(tree: YamlTree) -> None:
    for name in OWN_CALENDARS:
        path = ("calendars", name)
        if path in tree.keys:
            tree.report(
                tree.key_place(path),
                path,
                f"another name: `{name}` in a promise means the {name}'s hours",
                f'"{name}"',
            )


def _check_rule_names(tree: YamlTree) -> None:
    met: dict[object, Path] = {}
    for path, name in _find(tree.data, ("routing", "rules", _EACH, "name")):
        if isinstance(name, str) and name in met:
            line = tree.value_place(met[name]).line
            tree.report(
                tree.value_place(path), path, "a name for each rule", f'"{name}" again, after line {line}'
            )
        elif isinstance(name, str):
            met[name] = path


def _check_reachable_rules(tree: YamlTree) -> None:
    earlier: list[tuple[Path, Any]] = []
    for path, rule in _find(tree.data, ("routing", "rules", _EACH)):
        if not isinstance(rule, dict):
            continue
        shadow = next((place for place, other in earlier if _takes_all_of(other, rule)), None)
        if shadow is not None:
            line = tree.key_place(shadow).line
            tree.report(
                tree.key_place(path),
                path,
                "a rule that can be reached",
                f"one that the rule in line {line} always forestalls",
            )
        earlier.append((path, rule))


def _takes_all_of(earlier: dict[str, Any], rule: dict[str, Any]) -> bool:
    """Whether every lead of ``rule`` is already taken: the earlier rule asks nothing, or the same.

    A rule for account owners takes only leads whose account has one, so it never takes all.
    """
    asks = earlier.get("when")
    return earlier.get("to") != ACCOUNT_OWNER and (asks is None or asks == rule.get("when"))


def _check_widening(tree: YamlTree) -> None:
    wider = {
        path[2]: (path, name)
        for path, name in _find(tree.data, ("routing", "pools", _EACH, "when_nobody", "widen"))
    }
    for pool in wider:
        passed = [pool]
        while passed[-1] in wider and wider[passed[-1]][1] not in passed:
            passed.append(wider[passed[-1]][1])
        if passed[-1] in wider and wider[passed[-1]][1] == pool:
            path = wider[pool][0]
            tree.report(
                tree.value_place(path),
                path,
                "a pool that does not lead back here",
                " -> ".join(map(str, [*passed, pool])),
            )


def _names(data: Any, *pattern: str) -> list[str]:
    return [name for _, section in _find(data, pattern) if isinstance(section, dict) for name in section]


def _intents(data: Any) -> list[str]:
    said = [intent for _, intent in _find(data, ("sources", _EACH, "intent")) if isinstance(intent, str)]
    usual = {
        "event_scan": EventScanSource.model_fields["intent"].default,
        "syndication": SyndicationSource.model_fields["intent"].default,
    }
    kinds = [kind for _, kind in _find(data, ("sources", _EACH, "kind"))]
    return list(dict.fromkeys([*said, *(intent for kind, intent in usual.items() if kind in kinds)]))


def _words_asked(condition: Any, at: Path) -> Iterator[tuple[Path, str, object]]:
    """Each word that a condition compares a fact with: its place, the fact, the word."""
    if not isinstance(condition, dict):
        return
    for name, value in condition.items():
        path = (*at, name)
        parts = list(enumerate(value)) if isinstance(value, list) else []
        if name in ("all", "any"):
            for i, part in parts:
                yield from _words_asked(part, (*path, i))
        elif name == "not":
            yield from _words_asked(value, path)
        elif parts:
            yield from (((*path, i), name, word) for i, word in parts)
        else:
            yield path, name, value


def _find(data: Any, pattern: tuple[str, ...], at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value whose path fits ``pattern``, where `*` is any key or position."""
    if not pattern:
        yield at, data
        return
    step, rest = pattern[0], pattern[1:]
    children: list[tuple[int | str, Any]] = []
    if isinstance(data, dict):
        children = [(key, child) for key, child in data.items() if step in (_EACH, key)]
    elif isinstance(data, list) and step == _EACH:
        children = list(enumerate(data))
    for key, child in children:
        yield from _find(child, rest, (*at, key))
