"""What comes before the wire: letters are claimed for a road, and made ready slice by slice (DESIGN §4.4).

The next slice is read while the last one is on its way, and its letters are made one by one in the moments in which
somebody else is waited for: the mail server, or the database (`work_ahead`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice

from sqlalchemy import Engine

from registry.steps.claim_deliveries import claim_deliveries, go_straight_on
from registry.steps.dispatch import Dispatch
from registry.steps.keyring import load_keyring
from registry.steps.prepare_letters import Making
from registry.steps.roads import Road
from registry.tables.engine import writing


class Supply:
    """Keeps roads supplied with letters. `dispatch` has the keyring as it was at the last claim.

    `limit` is how many letters may be claimed in all, None for as many as are due; `clock` gives aware UTC. `meanwhile`
    is called in the midst of long work for a road whose lanes must not wait for all of it; it must change no delivery.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime],
        dispatch: Dispatch,
        limit: int | None,
        meanwhile: Callable[[Road], object],
    ) -> None:
        self.dispatch = dispatch
        self._meanwhile = meanwhile
        self._engine, self._clock = engine, clock
        self._left = limit
        self._making: dict[Road, Making] = {}

    def may_have_more(self, road: Road) -> bool:
        """Return whether a claim for this road could find something now."""
        return self._left != 0 and time.monotonic() >= road.look_at

    def claim(self, road: Road) -> None:
        """Claim for a road that has no letter left to make ready; leave it alone for a while where nothing is due."""
        wanted = road.claimed_at_once if self._left is None else min(road.claimed_at_once, self._left)
        with writing(self._engine) as session:
            now = self._clock()
            leases = claim_deliveries(
                session,
                now,
                road.channel,
                self.dispatch.mail_only_to,
                wanted,
                after_publisher=road.last_publisher,
                # On SQLite this is the one writer.
                between=go_straight_on if self._engine.dialect.name == "sqlite" else partial(self._meanwhile, road),
            )
            if leases:
                # After the claim: a key that was added meanwhile may be the one that an address was restored under.
                self.dispatch = replace(self.dispatch, keyring=load_keyring(session, now))
        if not leases:
            road.rest()
            return
        if self._left is not None:
            self._left -= len(leases)
        road.last_publisher = leases[-1].publisher_id
        road.claimed.extend(leases)

    def begin_ahead(self, road: Road) -> None:
        """Read what the next ones are made of that were claimed, so that `work_ahead` can make them.

        The claim is on record first: a letter that ends the worker that makes it ready ends three of them, not all.
        """
        if road not in self._making:
            leases = list(islice(road.claimed, road.made_ready_at_once))
            with writing(self._engine) as session:
                self._making[road] = Making(session, self._clock(), leases, self.dispatch)

    def work_ahead(self) -> bool:
        """Make one letter of those that were read; return whether there was one. Takes some 30 µs, raises nothing."""
        return any(making.make_one() for making in self._making.values())

    def make_ready(self, road: Road) -> None:
        """Have the next ones ready of those that were claimed, each few as soon as they are stored."""
        self.begin_ahead(road)
        making, few = self._making.pop(road), road.stored_at_once
        while making.made or making.make_one():
            while making.made < few and making.make_one():
                self._meanwhile(road)
            with writing(self._engine) as session:
                stored = making.store(session, few)
            for each in stored:
                road.claimed.popleft()
                road.waiting.append(each)
            self._meanwhile(road)

    def forget(self, road: Road) -> None:
        """Leave unmade what was read: its letters are given back."""
        self._making.pop(road, None)
