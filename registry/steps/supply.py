"""What comes before the wire: letters are claimed for a road, and made ready slice by slice (DESIGN §4.4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import islice

from sqlalchemy import Engine

from registry.steps.claim_deliveries import claim_deliveries
from registry.steps.dispatch import Dispatch
from registry.steps.keyring import load_keyring
from registry.steps.prepare_letters import prepare_letters
from registry.steps.roads import Road
from registry.tables.engine import writing


class Supply:
    """Keeps roads supplied with letters. `dispatch` has the keyring as it was at the last claim.

    `limit` is how many letters may be claimed in all, None for as many as are due; `clock` gives aware UTC.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime], dispatch: Dispatch, limit: int | None) -> None:
        self.dispatch = dispatch
        self._engine, self._clock = engine, clock
        self._left = limit

    def may_have_more(self, road: Road) -> bool:
        """Return whether a claim for this road could find something now."""
        return self._left != 0 and time.monotonic() >= road.look_at

    def claim(self, road: Road) -> None:
        """Claim for a road that has no letter left to make ready; leave it alone for a while where nothing is due."""
        wanted = road.claimed_at_once if self._left is None else min(road.claimed_at_once, self._left)
        with writing(self._engine) as session:
            now = self._clock()
            leases = claim_deliveries(
                session, now, road.channel, self.dispatch.mail_only_to, wanted, after_publisher=road.last_publisher
            )
        if not leases:
            road.rest()
            return
        if self._left is not None:
            self._left -= len(leases)
        road.last_publisher = leases[-1].publisher_id
        road.claimed.extend(leases)
        with writing(self._engine) as session:
            # After the claim: a key that was added meanwhile may be the one that an address was restored under.
            self.dispatch = replace(self.dispatch, keyring=load_keyring(session, self._clock()))

    def make_ready(self, road: Road) -> None:
        """Make the next ones ready of those that were claimed.

        The claim is on record first: a letter that ends the worker that makes it ready ends three of them, not all.
        """
        leases = list(islice(road.claimed, road.made_ready_at_once))
        with writing(self._engine) as session:
            prepared = prepare_letters(session, self._clock(), leases, self.dispatch)
        for lease in leases:
            road.claimed.popleft()
            road.waiting.append((lease, prepared.get(lease.delivery_id)))
