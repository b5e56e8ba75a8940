"""Bring in and list the reps: who works leads, where, and how many they may have."""

from __future__ import annotations

import json
from typing import Annotated
from urllib.parse import quote

import typer

from leadpact.cli.show import print_table
from leadpact.cli.target import Api, AsJson, CsvFile, Data, Url, call_api, read_csv

app = typer.Typer(help="Reps: who works leads.", no_args_is_help=True)

_SHOWN = (
    "id", "name", "email", "timezone", "calendar", "active", "open_leads", "open_limit", "daily_limit", "away_until",
    "offline_since",
)  # fmt: skip


@app.command("import")
def import_reps(file: CsvFile, as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """Add or update reps from a CSV file: all of it, or nothing with every mistake named by its line.

    Columns: id, name, email, timezone; if wanted calendar, active, open_limit, daily_limit. Who is not in the file stays as they are.
    """

    body = read_csv(file)

    async def bring_in(api: Api) -> None:
        done = await api.post("/v1/reps/import", **body)
        print(json.dumps(done) if as_json else f"{done['imported']} reps were added or updated.")

    call_api(url, data, bring_in)


@app.command("list")
def list_reps(as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """List all reps and what is on their desks."""

    async def show(api: Api) -> None:
        reps = await api.all_items("/v1/reps", limit=200)
        if as_json:
            print(json.dumps(reps, ensure_ascii=False))
        else:
            print_table(_SHOWN, reps)

    call_api(url, data, show)


@app.command("return")
def return_rep(
    rep_id: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    as_json: AsJson = False,
    url: Url = None,
    data: Data = None,
) -> None:
    """Give a rep leads again who was taken offline for a missed promise."""

    async def bring_back(api: Api) -> None:
        rep = await api.post(f"/v1/reps/{quote(rep_id, safe='')}/return")
        print(json.dumps(rep, ensure_ascii=False) if as_json else f"{rep['name']} is given leads.")

    call_api(url, data, bring_back)
