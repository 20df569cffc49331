"""The words of the registry that more than one module needs (DESIGN §4). Values are what files and JSON carry."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """The legal part an organisation on the list plays. `category` stands for a kind of recipient without a name."""

    SUBPROCESSOR = "subprocessor"
    PROCESSOR = "processor"
    AFFILIATE = "affiliate"
    INDEPENDENT_CONTROLLER = "independent_controller"
    CUSTOMER_DIRECTED = "customer_directed"
    CATEGORY = "category"


class LocationFunction(StrEnum):
    """What is done at a place. A place of remote access is not a place of processing."""

    PROCESSING = "processing"
    STORAGE = "storage"
    BACKUP = "backup"
    SUPPORT_ACCESS = "support_access"
    TRANSIT = "transit"


class ConditionWhen(StrEnum):
    """When an engagement concerns a customer at all."""

    ALWAYS = "always"
    OPT_IN = "opt_in"
    OPT_OUT = "opt_out"
    FEATURE = "feature"
    REGION = "region"
    CUSTOMER_CHOICE = "customer_choice"


class ChangeKind(StrEnum):
    """What a difference between two versions is about (DESIGN §4.2). Every field belongs to exactly one."""

    ADDITION = "addition"
    REMOVAL = "removal"
    ENTITY = "entity"
    RENAME = "rename"
    ROLE = "role"
    LOCATION = "location"
    PURPOSE = "purpose"
    DATA = "data"
    TRANSFER = "transfer"
    PRODUCT = "product"
    CONDITION = "condition"
    CHAIN = "chain"
    RETENTION = "retention"
    EDITORIAL = "editorial"


class Weight(StrEnum):
    """What a change asks of the publisher (R3): wait for the clock, tell, or neither. Ordered by `heavier`."""

    EDITORIAL = "editorial"
    INFORMING = "informing"
    BINDING = "binding"


def heavier(first: Weight, second: Weight) -> Weight:
    """Return the weightier of two: binding over informing over editorial (R3)."""
    order = list(Weight)
    return max(first, second, key=order.index)


class StatementKind(StrEnum):
    """The numbered messages a notice speaks in (R15)."""

    ANNOUNCEMENT = "announcement"
    CORRECTION = "correction"
    REMINDER = "reminder"
    POSTPONEMENT = "postponement"
    WITHDRAWAL = "withdrawal"
    EFFECT = "effect"


EXPLAINS: Final = frozenset({StatementKind.ANNOUNCEMENT, StatementKind.CORRECTION})
"""What tells the changes whole, and so the publisher's own words about them; the others refer to it."""


class ServiceLetterKind(StrEnum):
    """Letters that are no statement of a notice: about a subscription, an endpoint, or a customer's answer."""

    CONFIRM = "confirm"
    CONFIRM_ENDPOINT = "confirm_endpoint"
    ALREADY_SUBSCRIBED = "already_subscribed"
    ADDRESS_CHANGE = "address_change"
    ENDPOINT_FAILING = "endpoint_failing"
    ACKNOWLEDGED = "acknowledged"
    OBJECTION_RECEIVED = "objection_received"
    OBJECTION_REPLY = "objection_reply"


class Audience(StrEnum):
    """Why somebody is told: a contract contact of a customer, or a follower by their own wish (R34)."""

    CUSTOMER = "customer"
    FOLLOWER = "follower"


class ChannelKind(StrEnum):
    """The road a statement travels to a subscription, which is the sort of address it has."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    SLACK = "slack"
    TEAMS = "teams"
