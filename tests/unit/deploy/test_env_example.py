"""`.env.example` is the reference of the settings: complete, explained, and true about each default."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from leadpact.runtime.settings import PREFIX, Settings

REPOSITORY = Path(__file__).parents[3]
_ASSIGNMENT = re.compile(r"^# ?([A-Z_]+)=(.*)$")


@dataclass(frozen=True)
class Example:
    name: str
    value: str
    explanation: str

    @property
    def field(self) -> str:
        return self.name.removeprefix(PREFIX).lower()


def _examples() -> list[Example]:
    """Each assignment with the comment of its paragraph."""
    examples, comment = [], ""
    for line in (REPOSITORY / ".env.example").read_text().splitlines():
        if found := _ASSIGNMENT.match(line):
            examples.append(Example(found[1], found[2], comment))
        comment = comment + line.removeprefix("#") if line.startswith("#") else ""
    return examples


EXAMPLES = _examples()
SETTINGS = [example for example in EXAMPLES if example.name.startswith(PREFIX)]


def test_every_setting_is_there_once_and_nothing_else() -> None:
    assert sorted(example.field for example in SETTINGS) == sorted(Settings.model_fields)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_setting_is_explained(example: Example) -> None:
    assert len(example.explanation.split()) >= 5


@pytest.mark.parametrize("example", SETTINGS, ids=lambda example: example.name)
def test_the_value_shown_is_the_default_or_where_there_is_none_one_that_can_be_used(example: Example) -> None:
    default = Settings.model_fields[example.field].default
    shown = getattr(Settings.model_validate({example.field: example.value}), example.field)

    if default is not None:
        assert shown == default


def test_nothing_is_set_by_copying_the_file() -> None:
    lines = (REPOSITORY / ".env.example").read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []


def test_what_compose_asks_for_beside_the_settings_is_there_with_composes_default() -> None:
    compose = (REPOSITORY / "docker-compose.yml").read_text()
    asked = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", compose))

    assert {example.name: example.value for example in EXAMPLES if example not in SETTINGS} == asked
