"""What each kind of act on record is in words. A kind that has none here is said by its code, and nothing breaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    # Notices
    "notice.drafted": "Drafted the notice",
    "notice.revised": "Changed the draft",
    "notice.emptied": "Emptied the draft: its changes were taken back",
    "notice.changes_picked": "Chose which changes the draft holds",
    "notice.edits_kept": "Kept the edits of the notice that was taken back, to wait for another one",
    "notice.weighed": "Weighed the change of {entry}: {weight}, where {computed} was computed",
    "notice.submitted": "Submitted the notice",
    "notice.test_sent": "Sent a letter of the notice to oneself, as a test",
    "notice.sent_back": "Sent the notice back to its author",
    "notice.approved": "Approved the notice",
    "notice.published": "Published the notice",
    "notice.announced": "Announced the notice: letters are on their way",
    "notice.announce_refused": "Could not announce the notice",
    "notice.held": "Put the notice on hold",
    "notice.redated": "Moved the date of the held notice",
    "notice.released": "Let the notice go on: nothing holds it any more",
    "notice.postponed": "Postponed the notice",
    "correction.proposed": "Proposed the words of a correction of the notice",
    "correction.approved": "Approved the words of a correction of the notice",
    "notice.corrected": "Corrected the notice",
    "notice.target_corrected": "Carried a correction of {entry} into the notice",
    "notice.withdrawn": "Withdrew the notice",
    "notice.took_effect": "The notice took effect",
    "statement.announcement": "Made the announcement",
    "statement.correction": "Made the correction that customers read",
    "statement.reminder": "Made the reminder",
    "statement.postponement": "Made the postponement that customers read",
    "statement.withdrawal": "Made the withdrawal that customers read",
    "statement.effect": "Made the statement that the change is in effect",
    # The list
    "publisher.founded": "Stated the list as it is, for the first time",
    "entry.edited": "Edited the entry",
    "entry.corrected": "Corrected details of the entry, at once and without a letter",
    "entry.edit_dropped": "Took back the waiting edit of the entry",
    "edit.approved": "Approved the edit of the entry",
    "entry.internals": "Changed the private facts of the entry",
    "entry.moved": "Gave the entry another key; it was {former_key}",
    # Customers
    "customer.added": "Added the customer",
    "customer.changed": "Changed the customer",
    "customer.contract_ended": "Recorded the contract’s last day, {until_on}",
    "customer.terms_changed": "Changed the customer’s terms",
    "customer.terms_proposed": "Proposed other terms of the customer, for a second person to approve",
    "customer.terms_proposal_dropped": "Dropped the proposed terms of the customer",
    "customer.added_to_notice": "Added {customer} to the notice",
    "customer.received": "{customer} received the notice: its clock runs",
    "customer.receipt_revoked": "Took back the receipt of {customer}: its letter came back",
    "customer.deemed": "Deemed {customer} to have received the notice, by a clause of its contract",
    "customer.served": "Recorded that {customer} was served by other means",
    "customer.exempted": "Recorded that {customer} holds the notice no more",
    "customer.overridden": "Set the hold of {customer} aside",
    "customer.approved": "Recorded the approval of {customer}",
    "customer.decision_lapsed": "What was decided for {customer} lapsed by the correction",
    "customer.dropped": "{customer} dropped out of the notice: its contract has ended",
    "customers.imported": "Took customers from a file",
    "customers.exported": "Took customers’ contacts away as a file",
    "contact.added": "Added a contact of {customer}",
    "contact.changed": "Changed a contact of the customer",
    "customer.acknowledged": "{customer} acknowledged a letter of the notice by its link",
    "contact.change_requested": "A contact named another in its place",
    "contact.change_asked_again": "A contact named another in its place, once more",
    "contact.change_refused": "Refused another contact: nobody writes to that address",
    # Objections
    "objection.received": "{customer} objected",
    "objection.taken_up": "Took up the objection of {customer}",
    "objection.added_to": "{customer} added to its objection",
    "objection.noted": "Noted something on the objection of {customer}",
    "objection.answered": "Answered the objection of {customer}",
    "objection.resolved": "Closed the objection of {customer}",
    "objection.refunded": "Recorded what {customer} was refunded",
    "objection.moot": "The objection of {customer} is moot: the notice was withdrawn",
    # Letters
    "delivery.accepted": "The mail server took the letter",
    "delivery.delivered": "The letter was delivered",
    "delivery.retry_wait": "The letter waits to be tried again",
    "delivery.ambiguous": "Nobody can say whether the letter went out",
    "delivery.bounced": "The letter came back",
    "delivery.failed": "The letter was refused",
    "delivery.cancelled": "Cancelled the letter",
    "delivery.skipped": "Left the letter out",
    "delivery.needs_attention": "The letter needs a person",
    "delivery.receipt_not_counted": "The receipt of the letter does not count",
    "delivery.untold_not_found_out": "It could not be found out whether anybody else of the customer has the letter",
    "delivery.reported_sent": "The provider has the letter and will try",
    "delivery.reported_relayed": "The letter went on to a server that reports no deliveries",
    "delivery.reported_expanded": "The letter went on to a list of further recipients",
    "delivery.reported_delayed": "The letter is delayed on its way",
    "delivery.reported_bounced_transient": "Something came back, and nobody says that the letter is lost",
    "delivery.reported_delivered": "The letter was reported as delivered",
    "delivery.reported_complained": "The letter was reported as unwanted",
    "delivery.reported_gave_up": "The letter was reported as lost, for a reason that passes",
    "delivery.reported_refused": "The letter was reported as refused",
    "delivery.reported_bounced": "The letter was reported as lost: its address takes no mail",
    "delivery.reported_failed": "The provider took the letter and could not send it",
    "delivery.reported_suppressed": "The provider did not try: the address had failed before",
    "delivery.lease_lapsed": "Took the letter over from a worker that ended",
    "delivery.called_in": "Wrote to a contact that stands by",
    "delivery.requeued": "Made letters due again that needed a person",
    "deliveries.downloaded": "Took the letters of the notice away as a file",
    "delivery.resent": "Sent the letter to another contact",
    "document.attached": "Attached a document",
    "reconcile.mended": "Added letters that were missing",
    # Followers, contacts' wishes and addresses
    "subscription.requested": "Somebody asked to follow the list",
    "subscription.asked_again": "Somebody asked again to follow the list",
    "subscription.refused": "Refused a wish to follow: nobody writes to that address",
    "subscription.confirmed": "Confirmed a subscription",
    "subscription.changed": "Changed what a subscription is told of",
    "subscription.paused": "Stopped the letters to a follower for a while, at its own wish",
    "subscription.resumed": "A follower wants letters again",
    "subscription.move_requested": "A follower asked for its letters at another address",
    "subscription.move_asked_again": "A follower asked once more for its letters at another address",
    "subscription.move_refused": "Refused to send a follower’s letters elsewhere: nobody writes to that address",
    "subscription.ended": "A subscription ended",
    "suppression.added": "Writes to an address no more",
    "suppression.lifted": "Writes to an address again",
    "endpoint.requested": "Somebody asked to have changes posted to an address on the web",
    "endpoint.asked_again": "Somebody asked again to have changes posted to an address on the web",
    "endpoint.request_refused": "Refused a wish to have changes posted to an address on the web",
    "endpoint.added": "Added an address on the web",
    "endpoint.verified": "An address on the web proved itself",
    "endpoint.not_verified": "An address on the web did not prove itself",
    "endpoint.ended": "An address on the web ended",
    "endpoint.owner_told": "Told the owner that an address on the web fails",
    "endpoint.owner_not_told": "Could not tell the owner that an address on the web fails",
    "endpoint.owner_changed": "Named another owner of an address on the web",
    "endpoint.secret_rotated": "Gave an address on the web another secret",
    "address_check.came_back": "A check of the publisher’s own address came back",
    # People
    "person.invited": "Invited {person} as {role}",
    "person.invited_again": "Invited {person} once more, as {role}",
    "person.role_changed": "Changed the role of {person}",
    "person.removed": "Removed {person}",
    "person.renamed": "Corrected the name of {person}",
    "person.link_made": "Made a link for {person} to choose a password",
    "person.shut_out": "Shut {person} out of the installation",
    "person.let_in": "Let {person} into the installation again",
    "person.erased": "Erased what is known of {person}, but for the record",
    "person.signed_in": "Signed in",
    "person.signed_out": "Signed out",
    "person.session_ended": "Ended a session of {person}",
    "person.password_set": "{person} chose a first password",
    "person.password_reset": "{person} chose another password by a link",
    "person.password_changed": "{person} changed the password",
    "person.second_factor_on": "{person} set up a second proof",
    "person.second_factor_off": "{person} gave up a second proof",
    "person.second_factors_taken": "Took every second proof of {person} away",
    "person.passkey_added": "{person} added a passkey",
    "person.passkey_removed": "{person} removed a passkey",
    "person.recovery_codes_made": "{person} had recovery codes made",
    "person.recovery_code_used": "{person} signed in by a recovery code",
    "person.codes_refused": "Somebody knew the password of {person}, and gave wrong codes",
    "person.sign_in_failed": "Somebody failed to sign in as {person}",
    # The publisher, tasks, erasure
    "publisher.created": "Added the publisher",
    "publisher.updated": "Changed the publisher’s settings",
    "publisher.logo_removed": "Took the logo off the public pages",
    "proposal.made": "Proposed a change, for a second person to approve",
    "proposal.approved": "Approved a proposed change",
    "proposal.applied": "Made a proposed change",
    "proposal.refused": "Refused a proposed change",
    "proposal.withdrawn": "Took a proposed change back",
    "publisher.second_factor": "Changed whether everybody needs a second proof of who they are",
    "terms.approved": "Approved other terms",
    "customer_terms.approved": "Approved other terms of a customer",
    "override.proposed": "Proposed that a customer’s hold is set aside",
    "override.approved": "Approved that a customer’s hold is set aside",
    "task.opened": "A task arose for a person",
    "task.closed": "The task is done",
    "legal_hold.set": "Set a legal hold",
    "legal_hold.lifted": "Lifted a legal hold",
    "address.erased": "Erased an address",
    "retention.erased": "Erased what had had its days",
    "record.exported": "Exported the record",
}

_OTHERWISE: Final[Mapping[str, tuple[str, str, str]]] = {
    "notice.withdrawn": ("was_told", "no", "Took the notice back before anybody was told of it"),
    "objection.resolved": ("cure", "withdrawn", "Closed the objection of {customer}, which withdrew it"),
    "customer.receipt_revoked": (
        "after_effect",
        "yes",
        "A letter to {customer} came back after the notice had taken effect, which stays as it was",
    ),
}
"""What is said instead where a value of the payload says so: its name, what it is, and the sentence."""

AREAS: Final = (
    ("notice", "Notices"),
    ("correction", "Corrections that are proposed"),
    ("override", "Holds set aside"),
    ("statement", "What notices said"),
    ("entry", "The list"),
    ("edit", "Edits that are approved"),
    ("customer", "Customers"),
    ("customers", "Customers by file"),
    ("customer_terms", "Shorter terms of customers"),
    ("terms", "Shorter terms of the publisher"),
    ("contact", "Contacts of customers"),
    ("objection", "Objections"),
    ("delivery", "Letters"),
    ("deliveries", "Letters as a file"),
    ("reconcile", "Letters that were missing"),
    ("address_check", "Checks of the publisher’s own address"),
    ("document", "Documents"),
    ("subscription", "Followers and subscriptions"),
    ("suppression", "Addresses not written to"),
    ("endpoint", "Addresses on the web"),
    ("person", "People and sign-ins"),
    ("publisher", "Publisher and settings"),
    ("proposal", "Proposals"),
    ("task", "Tasks"),
    ("legal_hold", "Legal holds"),
    ("address", "Erased addresses"),
    ("retention", "Erasure by time"),
    ("record", "Exports of the record"),
)
"""The kinds as people choose among them: the part before the dot, and what it is."""

SUBJECTS: Final = (
    ("notice", "Notice"),
    ("entry", "Entry"),
    ("customer", "Customer"),
    ("person", "Person"),
    ("publisher", "Publisher"),
    ("delivery", "Letter"),
    ("subscription", "Subscription"),
    ("suppression", "Suppression"),
    ("endpoint", "Address on the web"),
    ("task", "Task"),
    ("legal_hold", "Legal hold"),
    ("address", "Address"),
)
"""What an act can be about, and how people call it."""

WHO_IS_MEANT: Final = {"customer": "a customer", "person": "somebody"}
"""What stands where the name is not known."""


class _Values(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return WHO_IS_MEANT.get(name, "(not recorded)")


def say_act(kind: str, values: Mapping[str, str]) -> str:
    """Return what an act was, in words; of a kind without a sentence its code in plain words."""
    sentence = SENTENCES.get(kind)
    name, value, otherwise = _OTHERWISE.get(kind, ("", "", ""))
    if otherwise and values.get(name) == value:
        sentence = otherwise
    if sentence is None:
        return kind.replace("_", " ").replace(".", ": ").capitalize()
    said = sentence.format_map(_Values(values))
    # An address is left as it is written.
    return said if "@" in said.partition(" ")[0] else said[:1].upper() + said[1:]


def say_subject_kind(kind: str) -> str:
    """Return what people call a kind of subject."""
    return dict(SUBJECTS).get(kind, kind.replace("_", " ").capitalize())
