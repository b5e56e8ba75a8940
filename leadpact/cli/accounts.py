"""Bring in and list the accounts: the companies that leads are recognised as, and whose they are."""

from __future__ import annotations

import json
from typing import Any

import typer

from leadpact.cli.show import print_table
from leadpact.cli.target import Api, AsJson, CsvFile, Data, Url, call_api, read_csv

app = typer.Typer(help="Accounts: companies that are known.", no_args_is_help=True)


@app.command("import")
def import_accounts(file: CsvFile, as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """Add or update accounts from a CSV file: all of it, or nothing with every mistake named by its line.

    Columns: name, domain; if wanted country, employees, industry, tier, owner. What is not in the file stays as it is.
    """

    body = read_csv(file)

    async def bring_in(api: Api) -> None:
        done = await api.post("/v1/accounts/import", **body)
        print(json.dumps(done, ensure_ascii=False) if as_json else _done(done))

    call_api(url, data, bring_in)


def _done(done: dict[str, Any]) -> str:
    said = f"{done['imported']} accounts were added or updated."
    if unknown := done["not_on_the_roster"]:
        said += f"\nOwners not on the roster, so they are given no lead: {', '.join(unknown)}. `leadpact reps import FILE` adds them."
    return said


@app.command("list")
def list_accounts(as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """List all accounts by domain."""

    async def show(api: Api) -> None:
        accounts = await api.all_items("/v1/accounts", limit=200)
        if as_json:
            print(json.dumps(accounts, ensure_ascii=False))
        else:
            print_table(("domain", "name", "country", "employees", "industry", "tier", "owner"), accounts)

    call_api(url, data, show)
