"""Whatever the documents point at exists: linked files and headings, files of code, tests, targets of make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").rglob("*.md")]
CODE = re.compile(r"`([^`\n]+)`")
FOLDERS = ("leadpact", "services", "tests", "docs", "scripts", "deploy", "examples", "bench", "migrations")
YOURS = {"pact.yaml", "openapi.json"}
"""A file of the reader's, and one that is served."""

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda document: str(document.relative_to(REPOSITORY))
)


def _anchors(document: Path) -> set[str]:
    """The headings of a document as they are linked to: lower case, without signs, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_a_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), target
        assert not anchor or anchor in _anchors(linked), target


@each_document
def test_a_file_or_folder_that_is_named_exists(document: Path) -> None:
    """Documents may leave out where a path begins: `storage/outbox.py`."""
    named = {
        word.rstrip("/")
        for code in CODE.findall(document.read_text())
        for word in code.split()
        if re.fullmatch(r"([\w.-]+/)*[\w.-]+\.(py|sh|yaml|json|toml|lock|xml)", word)
        or re.fullmatch(rf"({'|'.join(FOLDERS)})(/[\w.-]+)+/?", word)
    } - YOURS
    there = [
        f"/{found.relative_to(REPOSITORY)}"
        for folder in FOLDERS
        for found in (REPOSITORY / folder).rglob("*")
    ] + [f"/{found.name}" for found in REPOSITORY.iterdir()]

    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in there)] == []


@each_document
def test_a_test_that_is_named_exists(document: Path) -> None:
    named = {code for code in CODE.findall(document.read_text()) if re.fullmatch(r"test_\w+", code)}
    source = "\n".join(file.read_text() for file in (REPOSITORY / "tests").rglob("test_*.py"))

    assert [name for name in sorted(named) if f"def {name}(" not in source] == []


@each_document
def test_a_target_of_make_that_is_named_exists(document: Path) -> None:
    text = document.read_text()
    named = {*re.findall(r"`make ([a-z-]+)", text), *re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)}
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)

    assert named <= set(targets)
