"""What Resend's answers mean for a letter. Pure: a reply goes in, an answer comes out.

| Reply | Answer |
|---|---|
| 2xx with a name for each letter | Accepted |
| 2xx that cannot be read, or with another number of names | Ambiguous |
| 400, 413, 422 in Resend's own words | PermanentFailure; for a batch RefusedTogether |
| the same, blaming the sender, the API key or the idempotency key; any other 4xx | TemporaryFailure |
| 409 `concurrent_idempotent_requests` | Ambiguous: the first request is still under way |
| 409 `invalid_idempotent_request` | TakenWithOtherBytes |
| 429, also for a quota that is used up | TemporaryFailure with the pause that was asked for |
| 503 `service_unavailable` | TemporaryFailure: the API says that it is not there |
| any other 5xx | Ambiguous: an error while answering says nothing about what was taken |
| 3xx | TemporaryFailure; 302 and 303 Ambiguous, for they may follow a request that was carried out |

What is wrong with the installation (a key, a domain, a quota, an address of the API) is never a letter's fault, and no
letter is given up for it. A letter is given up only on a refusal that was read whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from registry.channels.base import Accepted, Ambiguous, Answer, PermanentFailure, Rate, TemporaryFailure
from registry.channels.resend_wire import Reply

PAUSE_FOR_QUOTA = timedelta(hours=1)
"""How long to leave Resend alone once a quota is used up and nothing says until when. The daily one comes back at
midnight UTC, the monthly one when somebody pays; once an hour is soon enough to notice either."""

PAUSE_WHILE_UNDER_WAY = timedelta(seconds=30)
"""How long to let a request with the same key run on before asking again, where Resend names no time."""

LONGEST_WINDOW = timedelta(days=1)
"""What is longer is no pace but some other number, such as a date: to keep to it would stop all mail."""

_REFUSALS = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}  # 400, 413, 422
)
_QUOTAS = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded"})
# Names and messages of a refusal that speak of this installation. Resend calls a bad API key a `validation_error`.
_BLAMES_INSTALLATION = re.compile(
    r"invalid_idempotency_key|invalid_from_address|api[ _]key|idempotency|[`'\"](?:from|reply_?to)[`'\"]|not verified",
    re.IGNORECASE,
)
_NAME_OF_LETTER = re.compile(r"[!-~]{1,200}")
_SECONDS = re.compile(r"\s*([0-9]{1,9})(?:\.[0-9]+)?\s*")
_LIMIT = re.compile(r"\s*([0-9]{1,9})\b")
_POLICY = re.compile(r"\s*([0-9]{1,9})\b|.*;\s*q=([0-9]{1,9})\b")
_WINDOW = re.compile(r";\s*w=([0-9]{1,9})\b")
_SHOWN_OF_FOREIGN_TEXT = 200


@dataclass(frozen=True)
class RefusedTogether(TemporaryFailure):
    """A batch was refused, none of its letters was taken, and Resend names only the first thing it disliked.

    The same batch will be refused again: send each of its letters by itself, so that only the one at fault fails.
    """

    is_about_batch: bool = field(default=True, kw_only=True)


@dataclass(frozen=True)
class TakenWithOtherBytes(Ambiguous):
    """Resend took something else under this key within 24 hours (409 `invalid_idempotent_request`).

    What was taken was most likely the same letter in other words, so saying that it was not taken would be as wrong as
    saying that it was. Asking again with the same key and bytes has the same answer until the key is forgotten, and
    after that would be a second letter: a person must look.
    """

    is_final: bool = field(default=True, kw_only=True)


def answer_for_letter(reply: Reply, rate: Rate | None) -> Answer:
    """Return what became of a letter that was sent by itself. `rate` goes into the answer."""
    if reply.status // 100 != 2:
        return _refusal(reply, rate, is_batch=False)
    name = _name_of(_parsed(reply))
    if name is None:
        return Ambiguous(reply.status, f"the answer names no letter: {_words(reply)}", rate=rate)
    return Accepted(reply.status, "taken by Resend", provider_ref=name, rate=rate)


def answers_for_batch(reply: Reply, count: int, rate: Rate | None) -> list[Answer]:
    """Return what became of each of the `count` letters of a batch, in their order.

    The names in `data` stand in the order of the letters. A batch is taken whole or not at all; where the answer lists
    `errors` all the same (position and message of each letter that was left out), those letters failed and the names
    belong to the others. An answer that does not add up is Ambiguous for every letter.
    """
    if reply.status // 100 != 2:
        return [_refusal(reply, rate, is_batch=count > 1)] * count
    parsed = _parsed(reply)
    data = parsed.get("data") if isinstance(parsed, dict) else None
    names = [_name_of(item) for item in data] if isinstance(data, list) else []
    left_out = _left_out(parsed, count)
    if left_out is None or None in names or len(names) + len(left_out) != count or len(set(names)) != len(names):
        text = f"the answer names {len(names)} letters for {count}: {_words(reply)}"
        return [Ambiguous(reply.status, text, rate=rate)] * count
    remaining = iter(names)
    return [
        _item_refusal(reply.status, left_out[position], rate)
        if position in left_out
        else Accepted(reply.status, "taken by Resend", provider_ref=next(remaining), rate=rate)
        for position in range(count)
    ]


def read_rate(headers: Mapping[str, str], before: Rate | None) -> Rate | None:
    """Return the pace in the `ratelimit-*` headers of an answer, or None where they are not there.

    `ratelimit-limit` is the number of requests in a window. The window's length stands in `ratelimit-policy` (`w=`,
    seconds), of several policies in the one with that number, or is taken from `ratelimit-reset`. That one counts down
    while the window runs, so of the answers with the same limit the longest one holds: `before` is the rate that was
    read last. No window is shorter than a second, and none longer than LONGEST_WINDOW is believed.
    """
    limit = _LIMIT.match(headers.get("ratelimit-limit", ""))
    if limit is None or int(limit[1]) == 0:
        return None
    requests = int(limit[1])
    policies = f"{headers.get('ratelimit-limit', '')},{headers.get('ratelimit-policy', '')}"
    window = _window_of(requests, policies)
    if window is not None:
        return Rate(requests, max(window, timedelta(seconds=1)))
    reset = _seconds(headers.get("ratelimit-reset"))
    if reset is None or reset > LONGEST_WINDOW:
        return None
    longest = before.per if before is not None and before.requests == requests else timedelta(0)
    return Rate(requests, max(reset, longest, timedelta(seconds=1)))


def _window_of(requests: int, policies: str) -> timedelta | None:
    """The window of the policy for that many requests, the longest of several; or of the only one, whatever its number.

    Written as `3000;w=86400, 2;w=1`, or by its newer form as `"burst";q=2;w=1`.
    """
    windows: list[tuple[int | None, timedelta]] = []
    for policy in policies.split(","):
        window = _WINDOW.search(policy)
        if window is not None and (length := timedelta(seconds=int(window[1]))) <= LONGEST_WINDOW:
            number = _POLICY.match(policy)
            windows.append((int(number[1] or number[2]) if number else None, length))
    fitting = [length for number, length in windows if number == requests]
    if fitting:
        return max(fitting)
    return windows[0][1] if len(windows) == 1 else None


def read_pause(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long the answer asks to be left alone, by `Retry-After` (seconds or a date) or `ratelimit-reset`."""
    asked = headers.get("retry-after")
    pause = _seconds(asked)
    if pause is None and asked is not None:
        pause = _until(asked, headers.get("date"))
    return pause if pause is not None else _seconds(headers.get("ratelimit-reset"))


def _refusal(reply: Reply, rate: Rate | None, *, is_batch: bool) -> Answer:
    status, words, name = reply.status, _words(reply), _error(reply)[0]
    pause = read_pause(reply.headers) if "retry-after" in reply.headers else None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        if name in _QUOTAS:
            # A time in seconds is the pace's, not the quota's.
            pause = max(pause or PAUSE_FOR_QUOTA, PAUSE_FOR_QUOTA)
        return TemporaryFailure(status, words, pause or read_pause(reply.headers), rate=rate)
    if status == HTTPStatus.CONFLICT:
        if name == "invalid_idempotent_request":
            return TakenWithOtherBytes(status, words, rate=rate)
        if name == "resource_locked":
            return TemporaryFailure(status, words, pause, rate=rate)
        return Ambiguous(status, words, pause or PAUSE_WHILE_UNDER_WAY, rate=rate)
    if status in _REFUSALS and name is not None and not _BLAMES_INSTALLATION.search(words):
        return RefusedTogether(status, words, rate=rate) if is_batch else PermanentFailure(status, words, rate=rate)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and is_batch:
        return RefusedTogether(status, words, rate=rate)
    is_absent = status == HTTPStatus.SERVICE_UNAVAILABLE and name == "service_unavailable"
    was_refused = status // 100 == 4 or (status // 100 == 3 and status not in (HTTPStatus.FOUND, HTTPStatus.SEE_OTHER))
    if is_absent or was_refused:
        return TemporaryFailure(status, words, pause, rate=rate)
    return Ambiguous(status, words, pause, rate=rate)


def _item_refusal(status: int, message: str, rate: Rate | None) -> Answer:
    if _BLAMES_INSTALLATION.search(message):
        return TemporaryFailure(status, message, rate=rate)
    return PermanentFailure(status, message, rate=rate)


def _left_out(parsed: object, count: int) -> dict[int, str] | None:
    """Position and message of each letter the answer says was left out; None where that list makes no sense."""
    errors = parsed.get("errors") if isinstance(parsed, dict) else None
    if errors is None:
        return {}
    if not isinstance(errors, list):
        return None
    left_out: dict[int, str] = {}
    for error in errors:
        position = error.get("index") if isinstance(error, dict) else None
        if type(position) is not int or not 0 <= position < count or position in left_out:
            return None
        message = error.get("message")
        left_out[position] = message if isinstance(message, str) else "left out of the batch without a reason"
    return left_out


def _name_of(item: object) -> str | None:
    name = item.get("id") if isinstance(item, dict) else None
    return name if isinstance(name, str) and _NAME_OF_LETTER.fullmatch(name) else None


def _parsed(reply: Reply) -> object:
    if not reply.is_whole:
        return None
    try:
        parsed: object = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return parsed


def _error(reply: Reply) -> tuple[str | None, str]:
    """The name and the message of Resend's own error; no name where somebody else answered, or half of it is gone."""
    parsed = _parsed(reply)
    if not isinstance(parsed, dict):
        return None, ""
    name, message = parsed.get("name"), parsed.get("message")
    return name if isinstance(name, str) else None, message if isinstance(message, str) else ""


def _words(reply: Reply) -> str:
    name, message = _error(reply)
    if name is not None:
        return f"{name}: {message}"
    shown = reply.body[:_SHOWN_OF_FOREIGN_TEXT].decode("utf-8", "replace")
    return f"{reply.status} without an error in Resend's form{'' if reply.is_whole else ', cut short'}: {shown}"


def _seconds(value: str | None) -> timedelta | None:
    matched = _SECONDS.fullmatch(value or "")
    return None if matched is None else timedelta(seconds=float(value or 0))


def _until(then: str, now: str | None) -> timedelta | None:
    """From the server's own time to a date it named; this machine's clock may be off."""
    try:
        left = parsedate_to_datetime(then) - parsedate_to_datetime(now or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return max(left, timedelta(0))
