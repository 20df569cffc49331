"""What became of letters, counted for whoever sent them and told to the log: numbers of rows, and never an address."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from typing import Final

from registry.steps.claim_deliveries import Lease

_LOG: Final = logging.getLogger("registry.delivery")


class DeliveryLog:
    """Counts letters by the state they ended in, and tells the log of them: one line for those that shared their fate.

    A line names the channel, the state, the code that was answered, the notice and the deliveries. It is written once
    what it says is committed, and after at most as many letters as are claimed at once.
    """

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self._untold: defaultdict[tuple[str, str, int | None, str | None], list[int]] = defaultdict(list)

    def note(self, lease: Lease, state: str, code: int | None = None) -> None:
        """Note that the letter under this lease is in `state` now, after an answer with `code` if there was one."""
        self.ended[state] += 1
        self._untold[lease.channel, state, code, lease.notice].append(lease.delivery_id)

    def tell(self) -> None:
        """Write what was noted since the last time."""
        untold, self._untold = self._untold, defaultdict(list)
        for (channel, state, code, notice), deliveries in untold.items():
            facts = {"channel": channel, "state": state, "code": code, "notice": notice, "deliveries": deliveries}
            _LOG.info("deliveries", extra={"facts": facts})
