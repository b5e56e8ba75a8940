"""Make, list and revoke the bearer tokens that programs and browsers sign in with."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from leadpact.access.scopes import Scope
from leadpact.cli.show import print_table
from leadpact.cli.target import Api, AsJson, Data, Url, call_api

app = typer.Typer(help="Tokens: who may call, and what for.", no_args_is_help=True)

Scopes = Annotated[list[Scope], typer.Option("--scope", help="What it may do; may be repeated.")]
ExpiresIn = Annotated[
    float | None, typer.Option(metavar="DAYS", min=0, help="After how many days it ends. Without: never.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scope: Scopes,
    expires_in: ExpiresIn = None,
    as_json: AsJson = False,
    url: Url = None,
    data: Data = None,
) -> None:
    """Make a token and print it: the only time that it can be read."""
    wanted = {"name": name, "scopes": scope, "expires_in_days": expires_in}

    async def make(api: Api) -> None:
        made = await api.post("/v1/tokens", json=wanted)
        print(json.dumps(made) if as_json else made["token"])

    call_api(url, data, make)


@app.command("list")
def list_tokens(as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """List all tokens, revoked and expired ones too. Their secrets are stored nowhere."""

    async def show(api: Api) -> None:
        tokens = await api.all_items("/v1/tokens")
        if as_json:
            print(json.dumps(tokens))
        else:
            print_table(
                ("id", "name", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"), tokens
            )

    call_api(url, data, show)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `list` shows it.")],
    url: Url = None,
    data: Data = None,
) -> None:
    """Make a token worthless from its next request on, and sign out the browsers that used it."""

    async def end(api: Api) -> None:
        await api.delete(f"/v1/tokens/{token_id}")
        print(f"{token_id} is revoked.")

    call_api(url, data, end)
