"""The text of `yizhan order`, from the document of `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from receiver.cli.look.output import local, strong, zone
from receiver.operations.look.event_words import facts

_BAD: Final = frozenset({"retried", "dead_lettered"})


def life_text(life: Mapping[str, Any]) -> Iterator[str]:
    """The order, a line for each of its events, and below each what handlers did with it."""
    yield strong(_title(life))
    for state in life["states"]:
        yield _state(state)
    yield _counts(life)
    if any(event["simulated"] for event in life["events"]):
        yield "SIMULATED: its source is marked so"
    if life["at"]:
        yield f"as of {local(life['at'])}: what came later is left out"
    yield f"times are {zone()}"
    yield ""
    callbacks = {one["callback_id"]: one for one in life["callbacks"]}
    runs = _by_event(life["runs"])
    letters = _by_event(life["dead_letters"])
    for event in life["events"]:
        yield _line(event, f"{facts(event['data'])}{_arrival(event)}")
        yield f"    {_origin(event, callbacks.get(event['callback_id']))}"
        for run in runs.pop(event["id"], ()):
            yield _run(run)
        for letter in letters.pop(event["id"], ()):
            yield _letter(letter)
    yield from _rest(runs)
    yield from map(_effect, life["effects"])
    for waiting in life["scheduled"]:
        yield (
            f"waiting  {waiting['handler']} runs again at {local(waiting['at'])} "
            f"({waiting['kind']} of {waiting['event_id']})"
        )
    for sentence in life["missing"]:
        yield strong(f"MISSING  {sentence}", "red")


def _title(life: Mapping[str, Any]) -> str:
    number = f", own number {life['order_no']}" if life["order_no"] else ""
    by = life.get("found_by")
    where = f" of #{by['stream_seq']}" if by and by["stream_seq"] else ""
    found = f" (found by {by['field']}{where})" if by else ""
    return f"order {life['order_id']} of {', '.join(life['channels'])}{number}{found}"


def _state(state: Mapping[str, Any]) -> str:
    word = f" ({state['platform_status']})" if state["platform_status"] else ""
    total = state["amounts"]["total"]
    parts = [
        f"{state['status']}{word}",
        "paid" if state["is_paid"] else "not paid",
        f"{total['amount']} {total['currency']}" if total else "",
        *(
            f"parcel {one['waybill_no'] or one['key']} {one['progress']}"
            for one in state["parcels"]
        ),
        *(f"refund {one['refund_id']} {one['status']}" for one in state["refunds"]),
    ]
    return f"{strong('state')}  {', '.join(filter(None, parts))}"


def _arrival(event: Mapping[str, Any]) -> str:
    """What is not new to the order is marked."""
    return f"  [{event['arrival']}]" if event["arrival"] in {"stale", "conflict"} else ""


def _effect(effect: Mapping[str, Any]) -> str:
    text = (
        f"effect {effect['name']} of {effect['handler']}: {effect['state']} {local(effect['at'])}"
    )
    if effect["state"] == "in_doubt":
        return strong(f"{text}: {effect['why']}: yizhan doubt show {effect['key']}", "yellow")
    return text


def _counts(life: Mapping[str, Any]) -> str:
    again = sum(bool(one["retransmission_of"]) for one in life["callbacks"])
    failed = sum(run["outcome"] in _BAD for run in life["runs"])
    shown = len(life["events"])
    latest = f" (the latest {shown})" if shown < life["events_count"] else ""
    return (
        f"{_number(life['events_count'], 'event')}{latest} from "
        f"{_number(len(life['callbacks']), 'callback')}, {again} of them retransmissions; "
        f"{_number(len(life['runs']), 'run')}, {failed} failed; "
        f"{_number(len(life['dead_letters']), 'dead letter')}"
    )


def event_line(event: Mapping[str, Any]) -> str:
    """One event by itself: when and where it was stored, its type, its order, what it says."""
    order = f"{event['channel'] or '-'} {event['order_id'] or '-'}"
    return _line(event, f"{order:<28} {facts(event['data'])}")


def _line(event: Mapping[str, Any], rest: str) -> str:
    unreadable = f"  UNREADABLE: {event['unreadable']}" if event["unreadable"] else ""
    place = f"{local(event['stored_at'])}  #{event['stream_seq']:<9}"
    return f"{place} {event['type'] or '-':<28} {rest}{unreadable}".rstrip()


def _origin(event: Mapping[str, Any], callback: Mapping[str, Any] | None) -> str:
    if event["origin"] != "push":
        return f"by {event['origin']}, from {event['causation_id'] or 'no event that is known'}"
    place = f"#{callback['stream_seq']}" if callback and callback["stream_seq"] else "not near"
    word = (callback and callback["message_type"]) or "callback"
    again = event["retransmission_of"]
    marks = f", again: retransmission of {again}" if again else ""
    replayed = event["replay_of"]
    marks += f", its signature was used before by {replayed}" if replayed else ""
    return f"{word} {event['callback_id']} ({place}) from {event['source']}{marks}"


def _run(run: Mapping[str, Any]) -> str:
    attempt = f", attempt {run['attempt']}" if run["attempt"] > 1 else ""
    text = (
        f"    -> {run['handler']}: {run['outcome']} in {run['duration_ms']:g} ms{attempt} at "
        f"{local(run['started_at'])}"
    )
    if run["error_digest"]:
        text += f", cause {run['error_digest']} at {run['place'] or 'no place of its own'}"
    if run["api_count"]:
        text += f"; calls {_listed(run['api'], run['api_count'])}"
    if run["published_count"]:
        text += f"; publishes {_listed(run['published'], run['published_count'])}"
    return strong(text, "red") if run["outcome"] in _BAD else text


def _letter(letter: Mapping[str, Any]) -> str:
    return strong(
        f"    -> {letter['handler']}: DEAD LETTER #{letter['stream_seq']} after "
        f"{letter['attempts']} attempts: {letter['reason']} at {letter['place']}",
        "red",
    )


def _rest(runs: Mapping[Any, list[Mapping[str, Any]]]) -> Iterator[str]:
    """Runs on events that are not shown."""
    if runs:
        yield f"runs on events before these, or that are gone: {sum(map(len, runs.values()))}"


def _by_event(found: list[Mapping[str, Any]]) -> dict[Any, list[Mapping[str, Any]]]:
    by_event: dict[Any, list[Mapping[str, Any]]] = {}
    for one in found:
        by_event.setdefault(one["event_id"], []).append(one)
    return by_event


def _listed(names: list[str], count: int) -> str:
    more = f" and {count - 3} more" if count > 3 else ""
    return ", ".join(names[:3]) + more


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
