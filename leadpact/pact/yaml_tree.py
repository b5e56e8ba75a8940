"""Read YAML into plain values and remember where in the file each of them stands.

The file is read to nodes, not to objects, for three reasons: nodes know their line and column; every key that is
written twice can be told, not only the first; and nothing in the file can make an object. The result is what JSON
could say: a date stays the text that it is written as, `NO` is Norway and `17:30` a time of day, as in YAML 1.2.

Anchors and tags are refused. A pact is read by people who never heard of them, and without them the values
are never larger than the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from leadpact.pact.problem import PactErrors, PactProblem

Path = tuple[int | str, ...]
"""The keys and list positions that lead to a value."""


# More than anybody can follow, and few enough for every recursion over a pact.
_MAX_LEVELS = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: line and column from 1, and how many characters it takes up in that line."""

    line: int
    column: int
    width: int = 1


@dataclass(slots=True)
class YamlTree:
    """The plain values of a file, the places of keys and values, and the mistakes met on the way."""

    file: str
    data: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    unreadable: set[Path] = field(default_factory=set)
    """Values refused while reading; whatever else is wrong with them follows from that."""
    problems: list[PactProblem] = field(default_factory=list)

    def key_place(self, path: Path) -> Place:
        """Where the key stands that ends ``path``; for a list item, where the item stands."""
        return self.keys.get(path) or self.values.get(path) or Place(1, 1)

    def value_place(self, path: Path) -> Place:
        """Where the value stands that ``path`` leads to."""
        return self.values.get(path) or Place(1, 1)

    def report(
        self, place: Place, path: Path, expected: str, found: str, suggestion: str = "", reason: str = ""
    ) -> None:
        """Note a mistake at ``place``."""
        where = dotted(path)
        self.problems.append(
            PactProblem(
                self.file, place.line, place.column, where, expected, found, suggestion, reason, place.width
            )
        )


def dotted(path: Path) -> str:
    """``routing.rules[2].to``"""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def read_yaml(text: str, file: str) -> YamlTree:
    """The values of ``text``. Raises ``PactErrors`` when it is not YAML at all, or holds no mapping."""
    tree = YamlTree(file)
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        raise _not_yaml(tree, _place_of(error.problem_mark or error.context_mark), error) from error
    except YAMLError as error:  # a character that no YAML file may hold
        raise _not_yaml(tree, _bad_character(text), error) from error
    except RecursionError as error:
        tree.report(Place(1, 1), (), f"at most {_MAX_LEVELS} levels", "more")
        raise PactErrors(tree.problems) from error
    if not isinstance(root, MappingNode):
        tree.report(Place(1, 1), (), "the sections of a pact, each as `name:`", _described(root))
        raise PactErrors(tree.problems)
    _Builder(tree).start(root)
    return tree


class _Builder:
    """Turns nodes into plain values, once each."""

    def __init__(self, tree: YamlTree) -> None:
        self.tree = tree
        self.met: set[int] = set()

    def start(self, root: MappingNode) -> None:
        self.tree.data = self.value(root, ())

    def value(self, node: Node, path: Path) -> Any:
        place = _place_of_node(node)
        self.tree.values[path] = place
        if id(node) in self.met:
            self.tree.report(place, path, "the value written out each time", "an anchor used more than once")
            self.tree.unreadable.add(path)
            return None
        if len(path) > _MAX_LEVELS:
            self.tree.report(place, path[:-1], f"at most {_MAX_LEVELS} levels", "more")
            self.tree.unreadable.add(path)
            return None
        self.met.add(id(node))
        match node:
            case MappingNode():
                return self.mapping(node, path)
            case SequenceNode():
                return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
            case ScalarNode():
                return self.scalar(node, path)

    def mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.tree.report(
                    _place_of_node(key_node), path, "a word before the colon", _described(key_node)
                )
                continue
            key = key_node.value
            if key in found:
                first = self.tree.keys[(*path, key)].line
                self.tree.report(
                    _place_of_node(key_node),
                    (*path, key),
                    "each key once",
                    f'"{key}" again, after line {first}',
                )
                continue
            self.tree.keys[(*path, key)] = _place_of_node(key_node)
            found[key] = self.value(value_node, (*path, key))
        return found

    def scalar(self, node: ScalarNode, path: Path) -> object:
        kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if kind == "null":
            # Taken for "left out", an empty `when:` would send every lead to its rule.
            self.tree.report(
                self.tree.key_place(path), path, "a value, or the whole line left out", "nothing"
            )
            self.tree.unreadable.add(path)
        elif kind not in ("str", "int", "float", "bool", "timestamp"):
            self.tree.report(_place_of_node(node), path, "a plain value", f"the tag {node.tag}")
            self.tree.unreadable.add(path)
        return _plain(kind, node.value)


def _plain(kind: str, written: str) -> object:
    try:
        match kind:
            case "int":
                return int(written)
            case "float":
                return float(written)
            case "bool":
                return {"true": True, "false": False}[written.casefold()]
            case "null":
                return None
            case _:
                return written
    except (ValueError, KeyError):  # a number such as 0o17 or .inf is no number of a pact: it stays a text
        return written


def _place_of_node(node: Node) -> Place:
    start, end = node.start_mark, node.end_mark
    in_one_line = isinstance(node, ScalarNode) and end.line == start.line
    return Place(start.line + 1, start.column + 1, max(1, end.column - start.column) if in_one_line else 1)


def _place_of(mark: StreamMark | None) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _bad_character(text: str) -> Place:
    at = next(
        (i for i, letter in enumerate(text) if not letter.isprintable() and letter not in "\t\n\r\x85\ufeff"),
        0,
    )
    return Place(text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1)


def _described(node: Node | None) -> str:
    match node:
        case None:
            return "nothing"
        case SequenceNode():
            return "a list"
        case MappingNode():
            return "a mapping"
        case _:
            return f'"{node.value}"'


_HINTS: Mapping[str, str] = {
    "expected chomping or indentation indicators, but found '='": 'put a comparison in quotes: ">= 50"',
    "mapping values are not allowed here": "a text that holds a colon needs quotes; else look at the indentation",
    "found character '\\t' that cannot start any token": "indent with spaces, not with tabs",
    "found character '>' that cannot start any token": 'put a comparison in quotes: ">= 50"',
    "found undefined alias": "a text that begins with * needs quotes",
}
"""What people usually meant when ruamel.yaml says this."""


def _not_yaml(tree: YamlTree, place: Place, error: YAMLError) -> PactErrors:
    said = str(getattr(error, "problem", None) or str(error).splitlines()[0])
    hint = next((hint for problem, hint in _HINTS.items() if said.startswith(problem)), "")
    tree.report(place, (), "well-formed YAML", "a slip of syntax", reason=f"{said}; {hint}" if hint else said)
    return PactErrors(tree.problems)
