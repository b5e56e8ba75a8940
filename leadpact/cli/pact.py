"""Check a pact file before it governs anything, and print the schema that editors check it with."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from leadpact.cli import exit_codes
from leadpact.pact.model import Pact
from leadpact.pact.problem import PactErrors, render
from leadpact.pact.read import parse_pact, read_source
from leadpact.pact.schema import pact_json_schema_text

app = typer.Typer(help="The agreement: check it, see its schema.", no_args_is_help=True)

PactFile = Annotated[Path, typer.Argument(help="The pact, a YAML file.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]


@app.command()
def check(file: PactFile, as_json: AsJson = False) -> None:
    """Say everything that is wrong with a pact file. Ends with 0 if nothing is, 3 if something is, 4 without a file."""
    source = ""
    try:
        source = read_source(file)
        pact = parse_pact(source, name=str(file))
    except OSError as error:
        typer.echo(f"{file}: {error.strerror}", err=True)
        raise typer.Exit(exit_codes.NOT_FOUND) from error
    except PactErrors as errors:
        typer.echo(_mistakes_as_json(errors) if as_json else _mistakes(errors, source))
        raise typer.Exit(exit_codes.CHECK_FAILED) from errors
    typer.echo(_approval_as_json(file, pact) if as_json else f"{file}: no mistakes. {_summary(pact)}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a pact file, for editors and other tools."""
    typer.echo(pact_json_schema_text(), nl=False)


def _mistakes(errors: PactErrors, source: str) -> str:
    shown = [render(problem, source) for problem in errors.problems]
    many = len(errors.problems)
    return "\n\n".join([*shown, f"{many} mistake{'s' if many > 1 else ''}"])


def _mistakes_as_json(errors: PactErrors) -> str:
    problems = [{**asdict(problem), "message": problem.message} for problem in errors.problems]
    return json.dumps({"ok": False, "problems": problems}, ensure_ascii=False)


def _approval_as_json(file: Path, pact: Pact) -> str:
    return json.dumps(
        {"ok": True, "file": str(file), "pact": pact.pact, "fingerprint": pact.fingerprint, "problems": []},
        ensure_ascii=False,
    )


def _summary(pact: Pact) -> str:
    reps = {member.rep for pool in pact.routing.pools.values() for member in pool.members}
    return (
        f"{pact.pact}: calendars {len(pact.calendars)}, sources {len(pact.sources)}, pools {len(pact.routing.pools)}"
        f" with {len(reps)} reps, rules {len(pact.routing.rules)}, promises {len(pact.sla)}."
        f" Fingerprint {pact.fingerprint[:12]}."
    )
