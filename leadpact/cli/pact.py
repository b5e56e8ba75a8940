"""Check a pact file before it governs anything, put it in force, and look at what was in force before."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from leadpact.cli import exit_codes
from leadpact.cli.show import print_table
from leadpact.cli.target import Api, AsJson, Data, Url, call_api
from leadpact.pact.model import Pact
from leadpact.pact.problem import PactErrors, render
from leadpact.pact.read import parse_pact, read_source
from leadpact.pact.schema import pact_json_schema_text

app = typer.Typer(help="The agreement: check it, put it in force, see what was.", no_args_is_help=True)

PactFile = Annotated[Path, typer.Argument(help="The pact, a YAML file.", show_default=False)]
Version = Annotated[int | None, typer.Argument(help="Without: the one in force.", min=1, show_default=False)]


@app.command()
def check(file: PactFile, as_json: AsJson = False) -> None:
    """Say everything that is wrong with a pact file. Ends with 0 if nothing is, 3 if something is, 4 without a file."""
    _, pact = _read(file, as_json)
    typer.echo(_approval_as_json(file, pact) if as_json else f"{file}: no mistakes. {_summary(pact)}")


@app.command()
def apply(file: PactFile, as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """Put a pact in force as the next version. Leads from now on go by it; running clocks keep theirs.

    Ends with 3 and changes nothing if something is wrong with the file.
    """
    source, _ = _read(file, as_json)

    async def put(api: Api) -> None:
        applied = await api.post("/v1/pact", content=source, headers={"Content-Type": "application/yaml"})
        del applied["text"]
        typer.echo(_as_json(applied) if as_json else _applied(applied))

    call_api(url, data, put)


@app.command()
def history(as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """List every version that was applied, the newest first."""

    async def list_versions(api: Api) -> None:
        versions = await api.all_items("/v1/pact/versions")
        if as_json:
            typer.echo(_as_json(versions))
        else:
            rows = [{**version, "fingerprint": version["fingerprint"][:12]} for version in versions]
            print_table(("version", "applied_at", "applied_by", "fingerprint", "name"), rows)

    call_api(url, data, list_versions)


@app.command()
def show(version: Version = None, as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """Print the file of the version in force, or of another one, as it was applied."""

    async def print_version(api: Api) -> None:
        shown = await api.get(f"/v1/pact/versions/{version}" if version else "/v1/pact")
        typer.echo(_as_json(shown) if as_json else shown["text"], nl=as_json)

    call_api(url, data, print_version)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a pact file, for editors and other tools."""
    typer.echo(pact_json_schema_text(), nl=False)


def _read(file: Path, as_json: bool) -> tuple[str, Pact]:
    """The file's text and the pact in it; or the mistakes, and the end of the command."""
    source = ""
    try:
        source = read_source(file)
        return source, parse_pact(source, name=str(file))
    except OSError as error:
        typer.echo(f"{file}: {error.strerror}", err=True)
        raise typer.Exit(exit_codes.NOT_FOUND) from error
    except PactErrors as errors:
        typer.echo(_mistakes_as_json(errors) if as_json else _mistakes(errors, source))
        raise typer.Exit(exit_codes.CHECK_FAILED) from errors


def _applied(applied: dict[str, Any]) -> str:
    said = f"Version {applied['version']} of {applied['name']} is in force. Fingerprint {applied['fingerprint'][:12]}."
    if not applied["changed"]:
        said = f"This agreement is in force already, as version {applied['version']}."
    if unknown := applied["not_on_the_roster"]:
        said += f"\nNot on the roster, so they are given no lead: {', '.join(unknown)}. `leadpact reps import FILE` adds them."
    return said


def _mistakes(errors: PactErrors, source: str) -> str:
    shown = [render(problem, source) for problem in errors.problems]
    many = len(errors.problems)
    return "\n\n".join([*shown, f"{many} mistake{'s' if many > 1 else ''}"])


def _mistakes_as_json(errors: PactErrors) -> str:
    problems = [{**asdict(problem), "message": problem.message} for problem in errors.problems]
    return _as_json({"ok": False, "problems": problems})


def _approval_as_json(file: Path, pact: Pact) -> str:
    return _as_json(
        {"ok": True, "file": str(file), "pact": pact.pact, "fingerprint": pact.fingerprint, "problems": []}
    )


def _summary(pact: Pact) -> str:
    reps = {member.rep for pool in pact.routing.pools.values() for member in pool.members}
    return (
        f"{pact.pact}: calendars {len(pact.calendars)}, sources {len(pact.sources)}, pools {len(pact.routing.pools)}"
        f" with {len(reps)} reps, rules {len(pact.routing.rules)}, promises {len(pact.sla)}."
        f" Fingerprint {pact.fingerprint[:12]}."
    )


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
