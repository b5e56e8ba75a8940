"""What can be set from outside: one frozen class, built once in ``main()`` and handed down.

Names are ``LEADPACT_<FIELD>``; ``.env.example`` is the reference. An unknown ``LEADPACT_`` name is refused with the nearest
known one, since a misspelt setting that is silently ignored is found at three in the morning.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from rapidfuzz import process

from leadpact.errors import Refused

PREFIX = "LEADPACT_"
# Names that belong to tools around the services and are read by those.
_NOT_OURS = ("LEADPACT_TEST_", "LEADPACT_REQUIRE_", "LEADPACT_CACHE", "LEADPACT_CHAOS_", "LEADPACT_TOKEN")


class Settings(BaseSettings):
    """Shared by every service."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    database_url: SecretStr | None = Field(
        None, description="PostgreSQL 15 or newer. Unset: an embedded server under the data folder."
    )
    data: Path = Field(
        Path("leadpact-data"),
        description="Folder of the embedded server. Uploaded files live in the database.",
    )
    kafka_bootstrap: str | None = Field(
        None, description="host:port[,host:port]. Unset: PostgreSQL carries the events."
    )
    kafka_topic_prefix: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Stands before every topic and group on a shared cluster.",
    )
    kafka_partitions: int = Field(6, ge=1, description="Partitions of the topics that Leadpact creates.")
    kafka_replication: int = Field(1, ge=1, description="Copies of each partition; 3 on a real cluster.")
    kafka_tls: bool = Field(False, description="Whether to speak TLS to the brokers.")
    kafka_ca_file: Path | None = Field(
        None, description="PEM file of the authorities to trust. Unset: those that the system trusts."
    )
    kafka_username: str | None = Field(None, description="Whom to sign in to Kafka as. Unset: nobody.")
    kafka_password: SecretStr = Field(SecretStr(""), description="The Kafka user's password.")
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the Kafka user signs in."
    )
    host: str = Field("127.0.0.1", description="Address that the HTTP server binds to.")
    port: int = Field(8080, ge=0, le=65535, description="Port of the HTTP server; 0 picks a free one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important line that is still written."
    )
    metrics_public: bool = Field(True, description="Whether /metrics answers without a token.")
    drain_seconds: float = Field(10, gt=0, description="How long SIGTERM waits for running work.")
    log_retention_hours: float = Field(
        72, ge=0, description="Events are kept this long after all have read them."
    )
    inbox_retention_hours: float = Field(336, gt=0, description="How long a repeated event is recognised.")
    webhook_allow_private: bool = Field(
        False,
        description="Allow webhooks to http:// and to private addresses. For tests and closed networks.",
    )
    overdue_clocks_per_second: int = Field(
        200,
        gt=0,
        description="After an outage, so many overdue clocks fire a second, in each sla-timer, oldest first.",
    )
    upload_max_bytes: int = Field(
        50_000_000, gt=0, description="Largest file that is taken as an upload, in bytes."
    )


SettingsClass = TypeVar("SettingsClass", bound=Settings)


def load_settings(
    settings_class: type[SettingsClass], environment: Mapping[str, str] | None = None, **overrides: object
) -> SettingsClass:
    """Build the settings; a wrong or misspelt one raises ``Refused`` with the name, the fault and the nearest word."""
    environment = os.environ if environment is None else environment
    _refuse_unknown(settings_class, environment)
    try:
        return settings_class(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks the values
    except ValidationError as error:
        faults = "; ".join(
            f"{PREFIX}{'_'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise Refused(f"The settings cannot be used: {faults}") from error


def _refuse_unknown(settings_class: type[Settings], environment: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in settings_class.model_fields}
    for name in environment:
        if name.startswith(PREFIX) and name not in known and not name.startswith(_NOT_OURS):
            nearest = process.extractOne(name, known)
            hint = f"; did you mean {nearest[0]}?" if nearest and nearest[1] >= 80 else ""
            raise Refused(f"There is no setting {name}{hint}")
