"""The image and docker-compose.yml speak of things that exist: commands, settings, services, files, versions.

There is no container engine where the tests run, so what an engine would find at the start is looked for here.
"""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from ruamel.yaml import YAML

import leadpact
from leadpact.cli.main import COMMANDS
from leadpact.demo.kafka_broker import kafka_version
from leadpact.runtime.settings import PREFIX, Settings, load_settings

REPOSITORY = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(REPOSITORY / "docker-compose.yml")
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (REPOSITORY / "deploy/Dockerfile").read_text().replace("\\\n", " ")


def _environment(service: str) -> dict[str, str]:
    """What a service gets, with compose's variables at their defaults."""
    named: dict[str, str] = SERVICES[service]["environment"]
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for name, value in named.items()}


def _parse_command(arguments: list[str]) -> None:
    """Fail unless the command line knows the command and its options; runs nothing."""
    name, *options = arguments
    app = typer.Typer(add_completion=False)
    app.command(name)(getattr(import_module(COMMANDS[name]), name.replace("-", "_")))
    typer.main.get_command(app).make_context(name, options)


def test_the_three_services_and_the_migration_run_from_one_image_of_this_version() -> None:
    assert set(OURS) == {"migrate", "ingest", "router", "sla-timer"}
    assert {service["image"] for service in OURS.values()} == {f"leadpact:{leadpact.__version__}"}
    assert (REPOSITORY / OURS["ingest"]["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("service", OURS)
def test_a_services_command_is_the_command_of_its_name(service: str) -> None:
    assert SERVICES[service]["command"] == [service]
    _parse_command(SERVICES[service]["command"])


@pytest.mark.parametrize("service", set(OURS) - {"migrate"})
def test_a_services_health_is_asked_with_a_command_that_exists(service: str) -> None:
    kind, program, *arguments = SERVICES[service]["healthcheck"]["test"]

    assert (kind, program) == ("CMD", "leadpact")
    _parse_command(arguments)


@pytest.mark.parametrize("service", OURS)
def test_the_environment_of_a_service_can_be_used_as_settings(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = _environment(service)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    settings = load_settings(Settings, environment)

    assert {name.removeprefix(PREFIX).lower() for name in environment} <= settings.model_fields_set


@pytest.mark.parametrize("service", OURS)
def test_a_service_finds_the_database_and_the_broker_that_compose_starts(service: str) -> None:
    environment = _environment(service)
    database = urlsplit(environment["LEADPACT_DATABASE_URL"])
    postgres = _environment("postgres")

    assert (database.hostname, database.port) == ("postgres", 5432)
    assert database.username == postgres["POSTGRES_USER"]
    assert database.password == postgres["POSTGRES_PASSWORD"]
    assert database.path == f"/{postgres['POSTGRES_DB']}"
    advertised = _environment("kafka")["KAFKA_ADVERTISED_LISTENERS"]
    assert advertised == f"PLAINTEXT://{environment['LEADPACT_KAFKA_BOOTSTRAP']}"


@pytest.mark.parametrize("service", SERVICES)
def test_whatever_a_service_waits_for_exists_and_can_come_true(service: str) -> None:
    for other, waited in SERVICES[service].get("depends_on", {}).items():
        if waited["condition"] == "service_healthy":
            assert SERVICES[other]["healthcheck"]["test"]
        else:
            assert waited["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


def test_every_port_that_is_published_is_the_one_that_its_service_binds_and_taken_once() -> None:
    published = [tuple(port.split(":")) for service in SERVICES.values() for port in service.get("ports", [])]

    assert len({outside for outside, _ in published}) == len(published) == 3
    assert {inside for _, inside in published} == {_environment("router")["LEADPACT_PORT"]}
    assert _environment("router")["LEADPACT_HOST"] == "0.0.0.0"  # noqa: S104 - inside a container, all is the container


def test_every_volume_is_declared_and_used() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}

    assert used == set(COMPOSE["volumes"])


def test_a_service_may_drain_before_compose_kills_it() -> None:
    grace = {service["stop_grace_period"] for service in OURS.values()}

    assert {bool(re.fullmatch(r"\d+s", seconds)) for seconds in grace} == {True}
    assert min(timedelta(seconds=int(seconds[:-1])) for seconds in grace) > timedelta(
        seconds=Settings().drain_seconds
    )


def test_the_broker_is_the_version_that_the_tests_run_on_and_every_image_is_pinned() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
    assert all(re.search(r":\d+[\w.-]*$", service["image"]) for service in SERVICES.values())


def test_the_image_is_built_from_files_that_exist_and_that_its_context_holds() -> None:
    context = {
        line.removeprefix("!")
        for line in (REPOSITORY / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }

    assert copied == context
    assert [source for source in copied if not (REPOSITORY / source).exists()] == []


def test_everything_in_the_image_is_installed_from_hashes() -> None:
    installs = re.findall(r"pip (?:install|wheel) [^&\n]*", DOCKERFILE)

    assert len(installs) == 4
    assert all("--require-hashes" in install or "--no-deps" in install for install in installs)


def test_the_image_runs_as_nobody_in_particular_and_asks_for_its_health_with_a_command_that_exists() -> None:
    stage = DOCKERFILE.split("\nFROM ")[-1]
    user = re.search(r"^USER (\d+)$", stage, re.MULTILINE)
    health = re.search(r'^HEALTHCHECK .*CMD \["leadpact", (.*)\]$', stage, re.MULTILINE)

    assert user is not None
    assert int(user[1]) > 0
    assert f"--uid {user[1]}" in stage
    assert health is not None
    _parse_command(re.findall(r'"([^"]+)"', health[1]))


def test_the_images_environment_is_made_of_settings() -> None:
    named = set(re.findall(rf"\b{PREFIX}([A-Z_]+)=", DOCKERFILE))

    assert {name.lower() for name in named} <= set(Settings.model_fields)
    assert named == {"HOST", "PORT"}
