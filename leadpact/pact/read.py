"""Read a pact, or say everything that is wrong with it: every mistake at its line and column, in file order."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from leadpact.pact.agreement import report_disagreements
from leadpact.pact.explain import report_invalid
from leadpact.pact.keepable import report_unkeepable
from leadpact.pact.model import Pact
from leadpact.pact.problem import PactErrors, PactProblem, render
from leadpact.pact.yaml_tree import Place, YamlTree, read_yaml

__all__ = ["PactErrors", "PactProblem", "parse_pact", "read_pact", "render"]

# Twenty times the longest pact we know of, and read in seconds.
_MAX_CHARACTERS = 262_144


def read_pact(path: str | Path) -> Pact:
    """The pact in the file at ``path``. Raises ``PactErrors`` for its mistakes and ``OSError`` if it cannot be read."""
    return parse_pact(read_source(path), name=str(path))


def read_source(path: str | Path) -> str:
    """The text of a pact file. Raises ``PactErrors`` if it is no text in UTF-8, ``OSError`` if it cannot be read."""
    content = Path(path).read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        raise _refused(str(path), place, "text in UTF-8", f"the byte {content[error.start]:#04x}") from error


def parse_pact(text: str, name: str = "pact.yaml", *, is_in_force: bool = False) -> Pact:
    """The pact that ``text`` says; ``name`` stands for the file in messages. Raises ``PactErrors``.

    A pact that ``is_in_force`` is read although nobody can keep it: what was agreed was agreed, and clocks run under it.
    """
    if len(text) > _MAX_CHARACTERS:
        raise _refused(name, Place(1, 1), f"a pact of at most {_MAX_CHARACTERS} characters", str(len(text)))
    tree = read_yaml(text, name)
    pact = _validated(tree)
    report_disagreements(tree)
    if pact is not None and not is_in_force:
        report_unkeepable(tree, pact)
    if pact is None or tree.problems:
        raise PactErrors(tree.problems)
    return pact


def _validated(tree: YamlTree) -> Pact | None:
    try:
        return Pact.model_validate(tree.data)
    except ValidationError as error:
        report_invalid(tree, error)
        return None


def _refused(file: str, place: Place, expected: str, found: str) -> PactErrors:
    return PactErrors([PactProblem(file, place.line, place.column, "", expected, found)])
