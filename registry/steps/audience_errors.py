"""What the steps about subscriptions, contacts and the installation refuse; `registry.i18n` has the sentences."""

from __future__ import annotations

from registry.domain.errors import RegistryError


class UnknownToken(RegistryError):
    """No link of ours has this token: it was cut, mistyped, or made up. Params: none."""

    code = "unknown-token"


class UsedToken(RegistryError):
    """The link has done its work already. Params: publisher (slug), confirmed (whether the subscription stands)."""

    code = "used-token"


class ExpiredToken(RegistryError):
    """The link was not used within its 7 days. Params: publisher (slug), audience."""

    code = "expired-token"


class SubscriptionEnded(RegistryError):
    """The subscription has ended, so nothing about it can be chosen any more. Params: publisher (slug), because."""

    code = "subscription-ended"


class ContactMayNotLeave(RegistryError):
    """A contract contact cannot end the duty to tell its company, only name another contact (R34).

    Params: publisher (slug), customer (its name).
    """

    code = "contact-may-not-leave"


class StandingContact(ContactMayNotLeave):
    """The address to be erased is a customer's standing contact, which is ended first (R34, R36).

    Params: publisher (slug), customer (its key), email.
    """

    code = "standing-contact"


class NotAContact(RegistryError):
    """Only a contract contact can be replaced by another (R34). Params: publisher (slug)."""

    code = "not-a-contact"


class UnknownContact(RegistryError):
    """The customer has no contact at this address. Params: email, customer (its key), publisher (slug)."""

    code = "unknown-contact"


class LastContact(RegistryError):
    """A customer keeps at least one contact that can be written to (R34).

    Params: customer (its key), publisher (slug).
    """

    code = "last-contact"


class LastMailbox(RegistryError):
    """A customer keeps at least one mailbox that can be written to, since an endpoint may fail (R13, R34).

    Params: customer (its key), publisher (slug).
    """

    code = "last-mailbox"


class InstallationNotBound(RegistryError):
    """The database belongs to no installation yet; the first start of the service binds it (R32). Params: none."""

    code = "installation-not-bound"


class UnknownAddress(RegistryError):
    """Nothing is known of the address, or it was erased already. Params: publisher."""

    code = "unknown-address"


class LetterOnTheWire(RegistryError):
    """A letter to the address is being sent at this moment. Params: publisher."""

    code = "letter-on-the-wire"


class LegalHoldStands(RegistryError):
    """What was to be erased is needed for a claim (R36, GDPR art. 17(3)(e)).

    Params: publisher, hold (its number), scope (publisher, customer or notice) and subject (which one), reason.
    """

    code = "legal-hold-stands"


class UnknownLegalHold(RegistryError):
    """The publisher has no legal hold of this number. Params: hold, publisher, near, known."""

    code = "unknown-legal-hold"


class LegalHoldLifted(RegistryError):
    """The legal hold was lifted before. Params: hold, publisher, lifted_at."""

    code = "legal-hold-lifted"


class LegalHoldNeedsAnother(RegistryError):
    """Where approvals are required, nobody lifts the legal hold they set. Params: hold, publisher, actor."""

    code = "legal-hold-needs-another"
