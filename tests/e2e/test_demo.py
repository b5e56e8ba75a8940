"""The demo tells its story on both carriers, and says so when the story does not come out as told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadpact.cli.demo import tell
from leadpact.cli.run import run_async
from leadpact.demo.example import Example
from leadpact.demo.receiver import free_port
from leadpact.runtime.settings import Settings
from tests.support.kafka_broker import choose_kafka

STORY_SECONDS = 120


def run_demo(*options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LEADPACT_")}
    if "LEADPACT_CACHE" in os.environ:
        environment["LEADPACT_CACHE"] = os.environ["LEADPACT_CACHE"]
    command = [sys.executable, "-m", "leadpact.cli.main", "demo", "--once", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=STORY_SECONDS)


def needs_apache_kafka() -> None:
    choice = choose_kafka()
    if choice.kind == "apache":
        return
    why = f"the demo starts Apache Kafka itself, which cannot be had here: {choice.why}"
    if os.environ.get("LEADPACT_REQUIRE_KAFKA") == "1":
        pytest.fail(why)
    pytest.skip(why)


@pytest.mark.parametrize("carrier", ["postgres", "kafka"])
def test_the_story_comes_out_as_told(carrier: str) -> None:
    if carrier == "kafka":
        needs_apache_kafka()
    done = run_demo("--carrier", carrier)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✘" not in done.stdout
    assert done.stdout.count("✔") >= 15
    assert done.stderr.strip() == "Starting PostgreSQL and the three services ..."


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's tmp_path: it is closed to others, and a server started by root runs as another account.
    with tempfile.TemporaryDirectory(prefix="leadpact-story-") as name:
        yield Path(name)


def test_a_story_that_comes_out_otherwise_is_a_failure_that_says_what_was_seen(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here the pact takes an untouched lead away from nobody, so the last chapters cannot come out as told."""
    example = folder / "examples" / "acme"
    shutil.copytree(Example.find().folder.parent, example.parent)
    pact = (example / "pact.yaml").read_text()
    (example / "pact.yaml").write_text(pact.replace("at_most: 3", "at_most: 0"))
    settings = Settings(data=folder / "data", port=free_port(), webhook_allow_private=True)
    assert run_async(tell(Example(example), settings, once=True)) is False
    failed = re.findall(r"✘ (.*?) *\n +seen instead: (.*)", capsys.readouterr().out)
    assert len(failed) == 2
    assert "given to somebody else, with a fresh clock" in failed[0][0]
    assert "the receiver has lead.reassigned" in failed[1][0]
    assert "then none" in failed[0][1]


def test_a_folder_with_something_in_it_is_left_alone(folder: Path) -> None:
    (folder / "mine").write_text("precious")
    done = run_demo("--data", str(folder))
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["mine"]
