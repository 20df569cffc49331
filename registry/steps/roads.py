"""One kind of address during one run of sending: its lanes, its pace, and what was claimed for it and not begun."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from queue import Empty, SimpleQueue
from typing import Final

from sqlalchemy import Engine

from registry.channels.base import Ambiguous, Channel, Rate, TemporaryFailure
from registry.steps.claim_deliveries import Lease
from registry.steps.lanes import Answered, Lane, ManyConnections, Paced, Parcel, TakesBatches
from registry.steps.pacing import CONNECTION_LEASE, SLOWER_BY, block, give_back, heed, reserve, take_connections
from registry.steps.persist import persist
from registry.steps.prepare_letters import Prepared, Waiting
from registry.tables.engine import writing

BATCH: Final = 200
"""Letters that are claimed together. Those of a worker that died wait for half an hour, and so it is not more."""
SLICE: Final = 40
"""Letters that are made ready together where each lane's address is somebody else's, who may take long over each."""
FEW: Final = 100
"""Letters that are stored together where several lanes wait for them."""
LEAST_BATCH: Final = 2
LETTERS_A_LANE: Final = 10
"""A further connection to one provider is opened for so many letters that wait, or for a whole batch: a handful is not
worth one."""
TOO_MANY_REQUESTS: Final = HTTPStatus.TOO_MANY_REQUESTS.value
FRESH_FOR: Final = 0.25
"""Seconds for which a letter whose start is committed may wait for a connection. It is as long ago that somebody asked
whether it may go out, and whoever left since must not get it (R28)."""
LOOK_AGAIN_AFTER: Final = timedelta(seconds=5)
"""How long a road that had nothing due is left alone, while others are busy."""


class Road:
    """A channel with its lanes. `look_at`, `places` and `ask_at` are on the monotonic clock.

    Of the letters that were not begun, those `claimed` are still to be made ready, those `waiting` are. So many parcels
    are `under_way`: handed over, and not answered. `look_at` is when to claim for it again; `places` when the next
    requests may begin, where it has a pace (R31); `ask_at` when to ask for more of them; `rate` what the provider asked
    for last. `is_shut`: no request may begin for so long that what was claimed is better given back. `largest_batch` is
    how many letters may go in one request, `most_lanes` how many connections this worker may hold.
    """

    def __init__(self, channel: Channel, should_stop: Callable[[], bool] = lambda: False) -> None:
        self.channel = channel
        self._should_stop = should_stop
        self.lanes: list[Lane] = []
        self.under_way = 0
        self.claimed: deque[Lease] = deque()
        self.waiting: deque[Waiting] = deque()
        self.places: deque[float] = deque()
        self.last_publisher = 0
        self.look_at = 0.0
        self.ask_at = 0.0
        self.is_shut = False
        self.rate: Rate | None = None
        # Asked once: what a channel can do is found out by looking at each of its methods, and that takes longer than
        # many a letter.
        self._pace = channel if isinstance(channel, Paced) else None
        self._many = channel if isinstance(channel, ManyConnections) else None
        self.most_lanes = self._many.connections if self._many is not None else 1
        self.largest_batch = channel.largest_batch if isinstance(channel, TakesBatches) else 1
        self._parcels: SimpleQueue[Parcel | None] = SimpleQueue()
        self._slice = BATCH if self.is_paced or self.most_lanes == 1 else SLICE
        self._interval = timedelta(0)
        self._found_at = self._took_at = self._quick_from = 0.0
        self._came_back = 0
        self._refused_at: datetime | None = None
        self._token = secrets.token_hex(16)
        self._may_hold = False
        self._renew_at = 0.0
        self._more_at = 0.0

    @property
    def is_paced(self) -> bool:
        """Whether all its letters go to one account; otherwise each address is somebody else's."""
        return self._pace is not None

    @property
    def is_limited(self) -> bool:
        """Whether all workers together may hold so many connections and no more."""
        return self._pace is not None and self._pace.connections_in_all is not None

    @property
    def account(self) -> str:
        """What its pace belongs to."""
        return self._pace.account if self._pace is not None else self.channel.name

    @property
    def carried_at_once(self) -> int:
        """How many letters its lanes can have on the wire together."""
        return self.largest_batch * self.most_lanes

    @property
    def claimed_at_once(self) -> int:
        """How many letters to claim together: no more than may begin soon, or most would only be given back."""
        # Where many go in one request, no more than the lanes carry: places for the others would only be kept waiting.
        most = self.carried_at_once
        if self.largest_batch == 1:
            most = max(most, min(BATCH, 2 * self._slice))
        if not self._interval:
            return most
        return min(most, max(1, int(LOOK_AGAIN_AFTER / self._interval)) * self.largest_batch)

    @property
    def made_ready_at_once(self) -> int:
        """How many of the claimed letters to make ready together."""
        return max(self._slice, self.carried_at_once)

    @property
    def stored_at_once(self) -> int:
        """How many of these to store together: few where several lanes would have nothing to do meanwhile."""
        return FEW if self._goes_by_many else self.made_ready_at_once

    @property
    def unbegun(self) -> int:
        """How many letters are claimed, and not begun."""
        return len(self.claimed) + len(self.waiting)

    @property
    def next_place_at(self) -> float | None:
        """When a letter that waits for its place may begin, or a place may be asked for; None where nothing does."""
        if self.places:
            return self._place_at() if self.waiting and self.has_room else None
        now = time.monotonic()
        return self.ask_at if self.ask_at > now >= self.look_at else None

    @property
    def next_look_at(self) -> float | None:
        """When to claim for it again; None where what was claimed is not begun yet."""
        return None if self.unbegun else max(self.look_at, self.ask_at)

    @property
    def is_running_low(self) -> bool:
        """Whether it is time to look for the next letters.

        That is early where several lanes are under way, for whoever waits for their answers has the time to make them;
        not so where letters go together or keep to a pace.
        """
        if not self._goes_by_many:
            return not self.is_supplied
        return len(self.waiting) <= self.made_ready_at_once // 2

    @property
    def has_room(self) -> bool:
        """Whether one more parcel may be handed over.

        Each of several connections to one server has a letter on the wire and one behind it, whose start is on record:
        it need not wait for the database. A single connection has none, so that a crash costs it one copy at most; nor
        is there any where letters go together, keep to a pace, or go each to somebody else's server, or where that is
        so slow that the one behind waited for too long just now.
        """
        return self.under_way < self._most_under_way

    @property
    def has_room_then(self) -> bool:
        """Whether there is room for one more as soon as one of those that are under way is settled."""
        return self.under_way <= self._most_under_way

    @property
    def _most_under_way(self) -> int:
        has_one_behind = self._goes_by_many and self.is_paced and time.monotonic() >= self._quick_from
        return len(self.lanes) * (2 if has_one_behind else 1)

    @property
    def _goes_by_many(self) -> bool:
        """Whether several connections carry letters one by one, as fast as they can."""
        return len(self.lanes) > 1 and self.largest_batch == 1 and not self._interval

    @property
    def may_open_more(self) -> bool:
        """Whether it may hold more connections than it does, or must ask for how many it may."""
        return len(self.lanes) < self.most_lanes or self.is_limited

    @property
    def is_supplied(self) -> bool:
        """Whether every lane has its next letter, and where they are quick, enough while further ones are stored."""
        enough = len(self.lanes) * self.largest_batch
        if self._goes_by_many:
            enough = max(enough, self.made_ready_at_once // 4)
        return len(self.waiting) >= max(1, enough)

    def rest(self, wait: timedelta = LOOK_AGAIN_AFTER) -> None:
        """Leave the road alone for so long."""
        self.look_at = time.monotonic() + wait.total_seconds()

    def find_place(self, engine: Engine, now: datetime) -> bool:
        """Return whether a request may begin at this moment, reserving places for the next ones where few are left.

        Where there is no pace to keep to that is early: in the midst of a claim or a making there is no time for it.
        """
        if self._pace is None:
            return True
        few = min(self.unbegun, self.made_ready_at_once // 2) if self._goes_by_many else 0
        if (not self.places or len(self.places) < few) and time.monotonic() >= self.ask_at:
            wanted = max(1, -(-self.unbegun // self.largest_batch))
            pace = self._pace.requests_per_second
            reserved = persist(engine, lambda session: reserve(session, now, self.account, wanted, pace))
            began = time.monotonic() + reserved.wait.total_seconds()
            if not reserved.granted:
                self.places.clear()
                self._be_refused(now, reserved.wait)
                return False
            self.is_shut, self._refused_at, self._interval = False, None, reserved.interval
            step = reserved.interval.total_seconds()
            self.places.extend(began + step * n for n in range(reserved.granted))
        return self.has_place()

    def has_place(self) -> bool:
        """Return whether a request may begin at this moment, at a place that is reserved."""
        if self._pace is None:
            return True
        at = time.monotonic()
        if not self.places or self._place_at() > at:
            return False
        self._found_at = at
        return True

    def _be_refused(self, now: datetime, wait: timedelta) -> None:
        self.ask_at = time.monotonic() + wait.total_seconds()
        # With a clock that stands (a tick at a time of its own) no wait would ever end.
        stands = self._refused_at is not None and now <= self._refused_at
        self._refused_at = now
        if wait > LOOK_AGAIN_AFTER or stands:
            self.is_shut = True
            self.rest(wait)

    def _place_at(self) -> float:
        """When the next request may begin. After one that began late, the provider must not see two close together."""
        return max(self.places[0], self._took_at + self._interval.total_seconds() / SLOWER_BY)

    def heed(self, engine: Engine, now: datetime, answered: Answered) -> None:
        """Keep to the pace that came along with the answers, and leave alone an account that asked for it (R31)."""
        if not self.is_paced:
            # Each address is somebody else's: one that asks for patience is given it by its own retry.
            return
        last = answered.answers[-1]
        if len(answered.answers) == 1 and last.rate is None and last.code != TOO_MANY_REQUESTS:
            return
        rate = last.rate
        refused = next((answer for answer in answered.answers if answer.code == TOO_MANY_REQUESTS), None)
        if rate is not None and rate != self.rate:
            self.rate = rate
            if persist(engine, lambda session: heed(session, now, self.account, rate, uncounted=len(self.lanes))):
                # They were reserved at another pace, or at none.
                self.places.clear()
        if refused is not None and isinstance(refused, TemporaryFailure | Ambiguous):
            wait = refused.retry_after
            persist(engine, lambda session: block(session, now, self.account, wait))
            self.places.clear()

    def hand_over(self, parcel: Parcel) -> None:
        """Put a parcel on the wire at its place, or behind those that are there. There must be room."""
        if self.places:
            self.places.popleft()
            self._took_at = self._found_at
        if self.under_way >= len(self.lanes):
            parcel = replace(parcel, goes_until=time.monotonic() + FRESH_FOR)
        if self.lanes[0].has_a_thread:
            self._parcels.put(parcel)
        else:
            self.lanes[0].carry(parcel)
        # What is raised here brings no answer that could be waited for.
        self.under_way += 1
        self._came_back = max(0, self._came_back - 1)

    def take_back(self) -> None:
        """Let no lane take a letter that it has not taken by now. A batch goes: it is stored as one."""
        if self.largest_batch > 1:
            return
        with suppress(Empty):
            while (parcel := self._parcels.get_nowait()) is not None:
                self.put_back(parcel)

    def put_back(self, parcel: Parcel) -> None:
        """Have a letter wait again that was handed over and not sent. It begins anew, though its start is on record."""
        self._quick_from = time.monotonic() + LOOK_AGAIN_AFTER.total_seconds()
        self.under_way -= 1
        # They come back in turn, and so they wait: behind those that came back before.
        self.waiting.insert(self._came_back, (parcel.letters[0].lease, None))
        self._came_back += 1

    def take_prepared(self) -> list[tuple[Lease, Prepared]]:
        """Take the letters of the next batch from those that wait: nothing where one goes by itself."""
        most, waiting = self.largest_batch, self.waiting
        if most < LEAST_BATCH or len(waiting) < LEAST_BATCH or waiting[0][1] is None or waiting[1][1] is None:
            return []
        taken: list[tuple[Lease, Prepared]] = []
        while waiting and len(taken) < most and (prepared := waiting[0][1]) is not None:
            taken.append((waiting.popleft()[0], prepared))
        return taken

    def open_lanes(
        self,
        engine: Engine,
        now: datetime,
        answers: SimpleQueue[Answered],
        clock: Callable[[], datetime],
        *,
        at_least: int = 0,
    ) -> None:
        """Open as many lanes as what waits is worth, and as the channel and all workers together may hold."""
        # Where each address is somebody else's, none waits for another's server.
        letters_a_lane = max(LETTERS_A_LANE, self.largest_batch) if self.is_paced else 1
        wanted = min(self.most_lanes, -(-self.unbegun // letters_a_lane))
        wanted = max(wanted, len(self.lanes), at_least)
        in_all = self._pace.connections_in_all if self._pace is not None else None
        if in_all is not None and wanted:
            at = time.monotonic()
            if at > self._renew_at or (wanted > len(self.lanes) and at >= self._more_at):
                # Noted first: a commit whose answer is lost may stand.
                self._may_hold = True
                with writing(engine) as session:
                    held = take_connections(session, now, self.account, self._token, wanted, in_all)
                self._renew_at = at + CONNECTION_LEASE.total_seconds() / 4
                if held < wanted:
                    # The others have the rest. To ask before each letter would cost more than the letter.
                    self._more_at = at + LOOK_AGAIN_AFTER.total_seconds()
                wanted = min(held, self.most_lanes)
            else:
                wanted = len(self.lanes)
        while len(self.lanes) < wanted:
            beside = self._many.sibling() if self.lanes and self._many is not None else self.channel
            self.lanes.append(Lane(beside, self._parcels, answers, clock, self._should_stop))

    def close(self, engine: Engine) -> None:
        """End the lanes, close the connections beside the channel's own, and give back the shared ones."""
        with ExitStack() as each:
            if self._may_hold:
                each.callback(give_back, engine, self._token)
            for lane in self.lanes:
                if lane.channel is not self.channel:
                    each.callback(lane.channel.close)
                each.callback(lane.end)
                self._parcels.put(None)
