"""List what could not be applied, look at one, and settle it: replay or discard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from leadpact.cli.show import print_table
from leadpact.cli.target import Api, AsJson, Data, Url, call_api

app = typer.Typer(help="Dead letters: messages that could not be applied.", no_args_is_help=True)

_COLUMNS = ("id", "set_aside_at", "consumer", "type", "reason", "settled_as")
LetterId = Annotated[str, typer.Argument(metavar="ID", help="The letter's id, as `list` shows it.")]


@app.command("list")
def list_letters(
    consumer: Annotated[str | None, typer.Option(help="Only what this group set aside.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that are settled, too.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data: Data = None,
) -> None:
    """List the letters that wait to be settled, the newest first."""
    wanted = {"limit": 200, "consumer": consumer, "settled": None if everything else False}
    asked = {name: value for name, value in wanted.items() if value is not None}

    async def show_all(api: Api) -> None:
        letters = await api.all_items("/v1/dead-letters", **asked)
        if as_json:
            print(json.dumps(letters, ensure_ascii=False))
        else:
            print_table(_COLUMNS, letters)

    call_api(url, data, show_all)


@app.command()
def show(letter_id: LetterId, as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """Show one letter with its body and the trace: personal data, most often."""

    async def show_one(api: Api) -> None:
        letter = await api.get(f"/v1/dead-letters/{letter_id}")
        print(json.dumps(letter, ensure_ascii=False) if as_json else _in_full(letter))

    call_api(url, data, show_one)


@app.command()
def replay(letter_id: LetterId, as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """Let the consumer that set it aside try again. The others are not affected."""
    _settle("replay", "{consumer} will apply {id} again.", letter_id, as_json, url, data)


@app.command()
def discard(letter_id: LetterId, as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """Let it go: it is never applied, and stays on record."""
    _settle("discard", "{id} is discarded.", letter_id, as_json, url, data)


def _settle(how: str, said: str, letter_id: str, as_json: bool, url: Url, data: Data) -> None:
    async def settle(api: Api) -> None:
        letter = await api.post(f"/v1/dead-letters/{letter_id}/{how}")
        print(json.dumps(letter, ensure_ascii=False) if as_json else said.format(**letter))

    call_api(url, data, settle)


def _in_full(letter: Mapping[str, Any]) -> str:
    """Each field on a line; the long ones below, as they are."""
    fields = {name: value for name, value in letter.items() if name not in ("headers", "body", "error")}
    lines = [f"{name.replace('_', ' ')}: {'-' if value is None else value}" for name, value in fields.items()]
    headers = [f"  {name}: {value}" for name, value in letter["headers"].items()]
    return "\n".join([*lines, "headers:", *headers, "body:", letter["body"], "error:", letter["error"]])
