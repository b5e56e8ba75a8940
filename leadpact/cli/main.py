"""The `leadpact` command. Data goes to standard output, progress and errors to standard error."""

from __future__ import annotations

import sys
import zoneinfo
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, NoReturn

import typer

import leadpact
from leadpact.cli import exit_codes
from leadpact.errors import Conflict, LeadpactError, NotFound, Refused

# One line per group of commands: name and module. Each module has a Typer application `app`.
GROUPS = {
    "pact": "leadpact.cli.pact",
    "calendar": "leadpact.cli.calendar",
    "reps": "leadpact.cli.reps",
    "clocks": "leadpact.cli.clocks",
    "accounts": "leadpact.cli.accounts",
    "tokens": "leadpact.cli.tokens",
    "dead-letters": "leadpact.cli.dead_letters",
}
# Single commands, each a function of the module.
COMMANDS = {
    "up": "leadpact.cli.run",
    "ingest": "leadpact.cli.run",
    "router": "leadpact.cli.run",
    "sla-timer": "leadpact.cli.run",
    "migrate": "leadpact.cli.run",
    "demo": "leadpact.cli.demo",
    "healthcheck": "leadpact.cli.run",
}


def build_app() -> typer.Typer:
    """The command with all of its groups and commands."""
    app = typer.Typer(name="leadpact", no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(root)
    for name, module in GROUPS.items():
        app.add_typer(import_module(module).app, name=name)
    for name, module in COMMANDS.items():
        app.command(name)(getattr(import_module(module), name.replace("-", "_")))
    return app


def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """The sales-marketing agreement as running software."""
    if version:
        print(leadpact.__version__)
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; an expected error is one clear sentence and an exit code, never a traceback."""
    # The zones of the tzdata package, not of the host: the same deadline on every machine.
    zoneinfo.reset_tzpath(())
    try:
        build_app()(arguments)
    except NotFound as error:
        sys.exit(_say(error, exit_codes.NOT_FOUND))
    except Conflict as error:
        sys.exit(_say(error, exit_codes.CONFLICT))
    except LeadpactError as error:
        sys.exit(_say(error, exit_codes.ERROR))
    sys.exit(exit_codes.OK)


def _say(error: LeadpactError, code: int) -> int:
    print(f"leadpact: {error}", file=sys.stderr)
    if isinstance(error, Refused):
        for fault in error.faults:
            print(f"  {fault.where}: {fault.what}{f' ({fault.fix})' if fault.fix else ''}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
