"""How much is measured: the whole, in a quarter of an hour, or a quick look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Counts and rounds of every measurement. A round of ours and one of the peer's come in turn."""

    letters: int
    """To one sink over one connection, each way."""
    rounds: int
    """In which those letters go."""
    post_office_letters: int
    post_office_rounds: int
    slow_relay_letters: int
    slow_relay_rounds: int
    worker_letters: int
    worker_rounds: int
    mapped_subscriptions: int
    """Fewer: for these an object-relational mapper makes a row each."""
    mapped_rounds: int
    subscriptions: int
    fan_out_rounds: int
    few_due: int
    """The queue that a long one is compared with."""
    letters_by_one_worker: int
    """After so many letters a worker's memory is read."""
    resend_letters: int
    resend_rounds: int
    claims: int


WHOLE = Sizes(
    letters=10_000,
    rounds=10,
    post_office_letters=5_000,
    post_office_rounds=3,
    slow_relay_letters=4_000,
    slow_relay_rounds=3,
    worker_letters=10_000,
    worker_rounds=3,
    mapped_subscriptions=5_000,
    mapped_rounds=3,
    subscriptions=1_000_000,
    fan_out_rounds=3,
    few_due=1_000,
    letters_by_one_worker=2_000,
    resend_letters=5_000,
    resend_rounds=3,
    claims=15,
)

QUICK = Sizes(
    letters=2_000,
    rounds=4,
    post_office_letters=2_000,
    post_office_rounds=1,
    slow_relay_letters=2_000,
    slow_relay_rounds=1,
    worker_letters=6_000,
    worker_rounds=1,
    mapped_subscriptions=2_000,
    mapped_rounds=1,
    subscriptions=100_000,
    fan_out_rounds=1,
    few_due=1_000,
    letters_by_one_worker=1_000,
    resend_letters=2_000,
    resend_rounds=1,
    claims=5,
)
