"""What sending needs, put together once per process."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from registry.channels.base import Channel
from registry.steps.keyring import Keyring
from registry.steps.letterhead import Letterhead


@dataclass(frozen=True)
class Dispatch:
    """What sending needs. `mail_only_to` holds addresses and `@domains`, empty for anyone (R32).

    `keyring` is read anew for every batch: another process may have added a key since this one started.
    """

    channels: Mapping[str, Channel]
    letterhead: Letterhead
    keyring: Keyring
    mail_only_to: tuple[str, ...] = ()
    jitter: Callable[[], float] = field(default=lambda: random.uniform(-1, 1))  # noqa: S311 - spreads retries only
