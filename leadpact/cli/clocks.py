"""See which clocks are due next and why, and move the open ones to another version of the pact."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from leadpact.cli.show import print_table
from leadpact.cli.target import Api, AsJson, Data, Url, call_api
from leadpact.domain.business_duration import say
from leadpact.domain.wall_time import date_and_time
from leadpact.errors import LeadpactError
from leadpact.events.sla import Whose
from leadpact_sla_timer.sla_clock import ClockState

app = typer.Typer(help="Clocks: what is due, and why.", no_args_is_help=True)

_PAGE = 200
_ROWS = 40
"""So many moves are printed; a longer list is read by programs. Clocks of which nothing changes are only counted."""

ClockId = Annotated[UUID, typer.Argument(metavar="ID", help="The clock's id, as `due` shows it.")]
Version = Annotated[int, typer.Option("--pact", min=1, metavar="N", help="A version that was applied.")]
Clock = Mapping[str, Any]


@app.command()
def due(
    rep: Annotated[str | None, typer.Option(help="Only this rep's.")] = None,
    whose: Annotated[
        Whose | None, typer.Option(help="Only the owners', the team's or the customers'.")
    ] = None,
    policy: Annotated[str | None, typer.Option(help="Only of this promise.")] = None,
    state: Annotated[
        ClockState, typer.Option(help="Those that ended come latest first.")
    ] = ClockState.RUNNING,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 20,
    no_bulk: Annotated[bool, typer.Option("--no-bulk", help="Without leads that came in bulk.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data: Data = None,
) -> None:
    """List what is due next, the soonest first."""
    wanted = {"rep": rep, "whose": whose, "policy": policy, "state": state.value}
    wanted["released_at_pace"] = "false" if no_bulk else None
    asked = {name: value for name, value in wanted.items() if value is not None}

    async def show_first(api: Api) -> None:
        clocks = await _first(api, limit, asked)
        if as_json:
            print(_as_json(clocks))
        else:
            print_table(_DUE, map(_due_row, clocks), whole=("clock", "lead"))

    call_api(url, data, show_first)


@app.command()
def show(clock_id: ClockId, as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """Show everything about one clock, with its times in both zones, its pauses and its moves."""

    async def show_one(api: Api) -> None:
        clock = await api.get(f"/v1/clocks/{clock_id}")
        print(_as_json(clock) if as_json else _in_full(clock))

    call_api(url, data, show_one)


@app.command()
def why(clock_id: ClockId, as_json: AsJson = False, url: Url = None, data: Data = None) -> None:
    """Say in sentences what one clock is: what started it, whose hours count, what stops it, when it is due."""

    async def explain(api: Api) -> None:
        clock = await api.get(f"/v1/clocks/{clock_id}")
        if as_json:
            print(_as_json({name: clock[name] for name in ("id", "explanation", "seconds_left", "moves")}))
        else:
            print("\n".join([clock["explanation"], *(_move_told(move, clock) for move in clock["moves"])]))

    call_api(url, data, explain)


@app.command()
def recompute(
    pact: Version,
    yes: Annotated[bool, typer.Option("--yes", help="Move them. Without, nothing is changed.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data: Data = None,
) -> None:
    """List the open clocks that another version of the pact would move, and by how much; with --yes, move them."""

    async def move(api: Api) -> None:
        moves = await (_moved(api, pact) if yes else _would_move(api, pact))
        if as_json:
            print(_as_json({"pact_version": pact, "moved": yes, **_counts(moves), "items": moves}))
            return
        shown = sorted(filter(_changes, moves), key=lambda one: (not one["is_overdue_then"], one["due_at"]))
        shown, more = shown[:_ROWS], shown[_ROWS:]
        if shown:
            print_table(_MOVES, map(_move_row, shown), whole=("clock",))
        if more:
            print(f"… and {len(more)} more; `--json` prints all.")
        print(_summary(moves, pact, yes))

    call_api(url, data, move)


async def _first(api: Api, limit: int, asked: Mapping[str, Any]) -> list[Clock]:
    page = await api.get("/v1/clocks", **asked, limit=min(limit, _PAGE))
    clocks = list(page["items"])
    while page["next"] and len(clocks) < limit:
        at_most = min(limit - len(clocks), _PAGE)
        page = await api.get("/v1/clocks", **asked, limit=at_most, after=page["next"])
        clocks += page["items"]
    return clocks


async def _would_move(api: Api, version: int) -> list[Clock]:
    return await api.all_items("/v1/clocks/recompute", pact_version=version)


async def _moved(api: Api, version: int) -> list[Clock]:
    """Every page is moved for good, whatever becomes of the next."""
    moves: list[Clock] = []
    order: dict[str, Any] = {"pact_version": version}
    try:
        while True:
            page = await api.post("/v1/clocks/recompute", json=order)
            moves += page["items"]
            if page["next"] is None:
                return moves
            order["after"] = page["next"]
    except LeadpactError:
        if moves:
            print(
                f"{_counts(moves)['moves']} clocks were moved; run it again for the others.", file=sys.stderr
            )
        raise


_DUE = ("due", "left", "promise", "whose", "lead", "clock")


def _due_row(clock: Clock) -> Clock:
    stands_still = clock["state"] == ClockState.PAUSED
    return {
        "due": "when it is resumed" if stands_still else _local(clock["due_at"], clock["timezone"]),
        "left": _left(clock),
        "promise": clock["policy"],
        "whose": clock["rep_id"] or clock["whose"],
        "lead": clock["lead_id"],
        "clock": clock["id"],
    }


def _left(clock: Clock) -> str | None:
    if clock["seconds_left"] is None:
        return None
    return (
        f"{_length(clock['seconds_left'])} of {clock['target']}"
        if clock["seconds_left"]
        else "the time is up"
    )


def _changes(move: Clock) -> bool:
    """Whether the move is worth a line: most clocks stay due as they were, and are counted."""
    return bool(
        move["later_by_seconds"]
        or move["is_overdue_then"]
        or move["target"] is None
        or move["state"] == ClockState.MET
    )


_MOVES = ("clock", "promise", "rep", "due_before", "due_after", "by", "overdue_at_once")


def _move_row(move: Clock) -> Clock:
    return {
        "clock": move["clock_id"],
        "promise": move["policy"],
        "rep": move["rep_id"] or move["whose"],
        "due_before": _local(move["due_before"], move["timezone"]),
        "due_after": _after(move),
        "by": _shift(move),
        "overdue_at_once": move["is_overdue_then"],
    }


def _after(move: Clock) -> str:
    due_at = _local(move["due_at"], move["timezone"])
    if move["target"] is None:
        return f"not promised, {due_at} by its turn" if move["later_by_seconds"] else "not promised, stays"
    return "met already" if move["state"] == ClockState.MET else due_at


def _shift(move: Clock) -> str | None:
    seconds = move["later_by_seconds"]
    return f"{_length(abs(seconds))} {'later' if seconds > 0 else 'earlier'}" if seconds else None


def _counts(moves: Sequence[Clock]) -> dict[str, int]:
    promised = [move for move in moves if move["target"] is not None]
    open_ones = [move for move in promised if move["state"] != ClockState.MET]
    return {
        "moves": len(promised),
        "later": sum(move["later_by_seconds"] > 0 for move in open_ones),
        "earlier": sum(move["later_by_seconds"] < 0 for move in open_ones),
        "unchanged": sum(move["later_by_seconds"] == 0 for move in open_ones),
        "met": len(promised) - len(open_ones),
        "breached_at_once": sum(move["is_overdue_then"] for move in promised),
        "not_promised": len(moves) - len(promised),
        "not_promised_by_turn": sum(
            bool(move["later_by_seconds"]) for move in moves if move["target"] is None
        ),
    }


def _summary(moves: Sequence[Clock], version: int, is_done: bool) -> str:
    counts = _counts(moves)
    if not moves:
        return f"No open clock runs under another version than {version}. Nothing was changed."
    by_turn = counts["not_promised_by_turn"]
    said = (
        f"{_clocks(counts['moves'])} {_were(counts['moves']) if is_done else 'would be'} moved to version {version}: "
        f"{counts['later']} later, {counts['earlier']} earlier, {counts['unchanged']} due as before, "
        f"{counts['met']} met by what is known already. {counts['breached_at_once']} of them overdue at once, and breached. "
        f"{counts['not_promised']} not promised in version {version}: unchanged"
        f"{f', but {by_turn} of them due by the new turn of the lead' if by_turn else ''}."
    )
    return said if is_done else f"{said}\nNothing was changed; run again with --yes."


def _clocks(count: int) -> str:
    return "1 clock" if count == 1 else f"{count} clocks"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _in_full(clock: Clock) -> str:
    """Each field on a line, each time in both zones; then what it is in sentences, its pauses and its moves."""
    apart = ("explanation", "pauses", "moves")
    lines = [
        f"{_words(name)}: {_field(name, value, clock)}" for name, value in clock.items() if name not in apart
    ]
    pauses = [f"  {_pause_told(pause, clock)}" for pause in clock["pauses"]]
    moves = [f"  {_move_told(move, clock)}" for move in clock["moves"]]
    return "\n".join(
        [*lines, *_list("pauses", pauses), *_list("moves", moves), "explanation:", clock["explanation"]]
    )


def _list(name: str, lines: Sequence[str]) -> list[str]:
    return [f"{name}:", *lines] if lines else [f"{name}: -"]


def _field(name: str, value: Any, clock: Clock) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_at"):
        return _both(value, clock)
    if name.startswith("seconds_") or name.endswith("_seconds"):
        return f"{value:g} ({_length(value)})"
    return str(value)


def _pause_told(pause: Clock, clock: Clock) -> str:
    until = f"to {_both(pause['until'], clock)}" if pause["until"] else "until it is resumed"
    return f"{_words(pause['because'])} from {_both(pause['at'], clock)} {until}"


def _move_told(move: Clock, clock: Clock) -> str:
    return (
        f"Moved {_local(move['moved_at'], clock['timezone'])} by {move['moved_by']} "
        f"from pact version {move['pact_version_before']} ({move['target_before']}, due {_local(move['due_before'], clock['timezone'])}) "
        f"to {move['pact_version']} ({move['target']}, due {_local(move['due_at'], clock['timezone'])})."
    )


def _both(at: str, clock: Clock) -> str:
    other = clock["second_timezone"]
    return _local(at, clock["timezone"]) + (f", {_local(at, other)}" if other else "")


def _local(at: str, zone: str) -> str:
    return date_and_time(datetime.fromisoformat(at), zone)


def _length(seconds: float) -> str:
    return say(timedelta(seconds=seconds))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
