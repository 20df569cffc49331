"""What a step refuses, each by the name of its condition; `registry.i18n` has the sentences."""

from __future__ import annotations

from registry.domain.errors import RegistryError


class UnknownPublisher(RegistryError):
    """No publisher has this slug. Params: slug, near."""

    code = "unknown-publisher"


class UnknownEntry(RegistryError):
    """The publisher has no entry with this key. Params: key, publisher, near."""

    code = "unknown-entry"


class UnknownNotice(RegistryError):
    """The publisher has no notice with this number. Params: number, publisher, known."""

    code = "unknown-notice"


class UnknownCustomer(RegistryError):
    """The publisher has no such customer, or the notice does not concern it. Params: key, publisher, near."""

    code = "unknown-customer"


class ContractNotRunning(RegistryError):
    """The customer's contract does not run today, in its own zone, and the act asks for that. Params: customer."""

    code = "contract-not-running"


class TermsUnreadable(RegistryError):
    """The terms on record of a customer cannot be read, and the act asks for them. Params: customer, publisher."""

    code = "terms-unreadable"


class FrozenTermsUnreadable(RegistryError):
    """The terms that a notice froze for a customer cannot be read. Params: customer, publisher, number."""

    code = "frozen-terms-unreadable"


class UnknownDelivery(RegistryError):
    """No delivery has this Message-ID. Params: message_id."""

    code = "unknown-delivery"


class UnknownObjection(RegistryError):
    """The notice has no open objection of this customer. Params: number, customer."""

    code = "unknown-objection"


class EditLocked(RegistryError):
    """The entry stands in an open notice already (R4). Params: key, number."""

    code = "entry-in-open-notice"


class NothingToAnnounce(RegistryError):
    """No edit waits for a notice. Params: publisher."""

    code = "nothing-to-announce"


class StaleBase(RegistryError):
    """The list changed under a draft (R4). Params: key, number, change (what the list differs by now)."""

    code = "stale-base"


class NotApproved(RegistryError):
    """Approvals are missing for exactly this content (R16). Params: number, required, given."""

    code = "not-approved"


class OwnApproval(RegistryError):
    """Nobody approves what they wrote or last changed (R16). Params: actor, subject."""

    code = "own-approval"


class CommandLineMayNotApprove(RegistryError):
    """The publisher requires approvals and does not take them from the command line (R16). Params: publisher."""

    code = "command-line-may-not-approve"


class ApprovalNeeded(RegistryError):
    """The act needs a second person where the publisher requires approvals. Params: publisher, what."""

    code = "approval-needed"


class ReasonMissing(RegistryError):
    """The act is only done with a reason or basis on record. Params: what."""

    code = "reason-missing"


class NotHolding(RegistryError):
    """The customer holds the notice no more, so there is no hold to set aside. Params: customer, number, state."""

    code = "not-holding"


class CorrectionUndoesChange(RegistryError):
    """The correction would leave the list as it is, so the notice is to be withdrawn. Params: key, number."""

    code = "correction-undoes-change"


class DateInThePast(RegistryError):
    """A notice may take effect today at the earliest (R24). Params: requested_on, today."""

    code = "date-in-the-past"


class FutureAsOf(RegistryError):
    """Nobody knows the list of a day to come (R6). Params: on, today."""

    code = "future-as-of"


class BeforeFounding(RegistryError):
    """The list did not exist on that day. Params: on, founded_on."""

    code = "before-founding"


class TimeTravelRefused(RegistryError):
    """`tick --at` is for trying out, never where evidence is made (R39). Params: because."""

    code = "time-travel-refused"
