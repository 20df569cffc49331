"""All tables, so that whoever imports this package has the whole schema in `Base.metadata`."""

from __future__ import annotations

from registry.tables.audience import (
    Address,
    ConfirmToken,
    Customer,
    CustomerTerms,
    EndpointRequest,
    Subscription,
    SubscriptionKind,
    SubscriptionProduct,
    Suppression,
)
from registry.tables.base import Base
from registry.tables.deliveries import Attempt, Delivery, Outcome, SendBatch
from registry.tables.endpoints import Endpoint, EndpointSecret
from registry.tables.entries import Entry, EntryInternal, EntryKey, EntryVersion, ListPeriod, PendingEdit
from registry.tables.events import Event
from registry.tables.installation import Artefact, Installation, RingKey
from registry.tables.legal_holds import LegalHold
from registry.tables.notices import Approval, Letter, Notice, NoticeChange, NoticeCustomer, Statement
from registry.tables.objections import Acknowledgement, Objection
from registry.tables.pacing import FailingSweep, ProviderConnection, ProviderPacing, SweepSlot
from registry.tables.people import Membership, Passkey, Person, SignIn
from registry.tables.publishers import Product, Publisher, PublisherTerms
from registry.tables.tasks import AddressCheck, StoredMail, Task
from registry.tables.workbench import Attachment, EntryDraft, ObjectionNote, Proposal

__all__ = [
    "Acknowledgement",
    "Address",
    "AddressCheck",
    "Approval",
    "Artefact",
    "Attachment",
    "Attempt",
    "Base",
    "ConfirmToken",
    "Customer",
    "CustomerTerms",
    "Delivery",
    "Endpoint",
    "EndpointRequest",
    "EndpointSecret",
    "Entry",
    "EntryDraft",
    "EntryInternal",
    "EntryKey",
    "EntryVersion",
    "Event",
    "FailingSweep",
    "Installation",
    "LegalHold",
    "Letter",
    "ListPeriod",
    "Membership",
    "Notice",
    "NoticeChange",
    "NoticeCustomer",
    "Objection",
    "ObjectionNote",
    "Outcome",
    "Passkey",
    "PendingEdit",
    "Person",
    "Product",
    "Proposal",
    "ProviderConnection",
    "ProviderPacing",
    "Publisher",
    "PublisherTerms",
    "RingKey",
    "SendBatch",
    "SignIn",
    "Statement",
    "StoredMail",
    "Subscription",
    "SubscriptionKind",
    "SubscriptionProduct",
    "Suppression",
    "SweepSlot",
    "Task",
]
