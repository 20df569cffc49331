"""Sentences for the conditions that only the workbench meets, beside those of `registry.i18n`, which says them."""

from __future__ import annotations

from typing import Final

from registry.language import marked

TEAM_SENTENCES: Final = {
    # People
    "last-owner": (
        "{email} is the only owner of {publisher} who can sign in. Make somebody else an owner first, and let them "
        "sign in once."
    ),
    "unknown-person": "{email} does not work for {publisher}. Invite them first.",
    "nobody-here": "Nobody signs in here as {email}.{hint}",
    "works-here-already": "{email} works for {publisher} already, as {role}. Change the role there instead.",
    "has-joined": "{email} has signed in, and says themselves what they are called. Ask them to change it.",
    "is-shut-out": (
        "{email} is shut out of this installation. Whoever runs it lets them in again: registry user let-in {email}."
    ),
    "still-works-here": (
        "{email} works for {publisher}, so what they need for it stays. Remove them first: registry user remove "
        "{email} --publisher {publisher}."
    ),
    "unknown-role": "{value} is no role. Choose viewer, editor, approver or owner.",
    "not-a-kind": "{value} is no kind of act. Choose one of the list, or leave it out.",
    "ends-before-it-begins": "The last day ({value}) is before the first one ({first}). Change one of the two.",
    "unknown-proposal": "There is no proposal {number} that waits. It was applied, refused or withdrawn meanwhile.",
    "stale-proposal": (
        "What this was proposed for has changed since. Refuse it, look at how things are now, and propose it anew."
    ),
    # The list
    "entry-changed-meanwhile": "{author} changed {key} while you were at it. Nothing was overwritten: look at it anew.",
    "key-taken": "{value} is the key of {name} ({taken_key}) already. Edit that one, or take another, such as {free}.",
    "reserved-key": "{value} is a word that addresses of the workbench need. Take another key, such as new-2.",
    "unknown-parent-entry": "{value} is no entry of this list, so it cannot have engaged another.{hint}",
    # Customers
    "contract-not-running": (
        "The contract of {customer} does not run today, so it cannot be added to a notice. If its first or its last "
        "day is wrong, put that right first: on its page under Customers, or by registry apply FILE (the last day also "
        "by registry customer contract-end)."
    ),
    "standing-contact": (
        "{email} is a contact of {customer}, whom {publisher} owes its notices, so nothing was erased. End that first, "
        "with another contact standing: on the customer's page, or by registry customer contact-end {customer} {email} "
        "--publisher {publisher}."
    ),
    "terms-unreadable": (
        "The terms of {customer} cannot be read (a damaged row, or one of a newer release), so nobody can say how long "
        "it must be told ahead. Set them anew: on its page under Customers, or by a registry file (registry apply)."
    ),
    "frozen-terms-unreadable": (
        "The terms of {customer} that notice {number} froze cannot be read (a damaged row, or one of a newer release), "
        "so nothing can be decided for it. Set them anew, by those that count for it now: registry notice add-customer "
        "{number} --publisher {publisher} --customer {customer}."
    ),
    # Notices
    "not-later": (
        "{requested_on} is not later. Customers were told {told_on}, and a date told is never brought forward: the "
        "first possible date is {first_on}. An earlier date needs a new notice."
    ),
    "not-holding": (
        "{customer} holds notice {number} no more: it is on record as {state}, which stays so. Nothing is left to set "
        "aside."
    ),
    "too-far-ahead": "{value} is too far ahead: {latest_on} is the latest that is taken. Look at the year.",
    "notice-changed": (
        "Notice {number} has changed since you read it, so nothing was done. Read what is different below, and decide "
        "anew."
    ),
    "clock-skips-time": (
        "On {on} clocks in {zone} are set forward over {at}. The first time after that is {next_at}: choose it, or "
        "another one."
    ),
    "announced-in-the-past": "{value} is past at that hour. Choose a later hour, or announce it once it is published.",
    "nothing-to-tell": "No change is chosen, and a notice tells of one at least. Tick one.",
    "proposal-changed": (
        "Somebody proposed other words, or edited an entry, since you read this, so nothing was done. Read what is "
        "proposed now."
    ),
    # Delivery and documents
    "contact-told-already": (
        "This statement was made for that contact of {customer} before, and goes to nobody twice. Look at what became "
        "of it, or name another contact."
    ),
    "contact-cannot-be-told": (
        "Nothing can be sent to that contact of {customer} ({because}). Name another one, or record service by other "
        "means."
    ),
    "served-in-the-future": "{value} is still to come. Give the day and time at which it was handed over or posted.",
    "document-missing": marked("A document proves this, and none was chosen. Attach the receipt or the signed letter."),
    "not-a-time": "{value} is no time of day. Write hours and minutes, such as 14:30.",
    "no-such-time": "No clock in {zone} showed {value}, since clocks were put forward then. Give the hour after.",
    "document-empty": marked("{value} holds nothing. Choose the file again, once it is saved."),
    "document-too-large": marked("{value} is larger than {megabytes} MB, the most. Scan it smaller, or attach a part."),
    "document-type-refused": marked("{value} is of a kind that is not kept here. Attach it as {taken}."),
    "document-not-what-it-says": marked(
        "{value} is called a file of the kind {called}, and its content is not one. Save it anew from the program it "
        "comes from."
    ),
    # Objections
    "objection-without-ground": marked(
        "Say on what ground: an objection without one says nothing that could be answered."
    ),
    "no-change-chosen": marked("Choose at least one change that the objection is about."),
    "not-a-change-of-notice": marked(
        "{value} is not among the changes of this notice. Choose from those that are listed."
    ),
    "nothing-written": marked("Nothing was written. Write at least a word."),
    "nobody-to-write-to": (
        "No contact of the customer can be written to by e-mail. Add a contact to the customer, or answer by another "
        "road and put a note here."
    ),
    "received-in-the-future": "{value} is still to come. Give the moment at which the objection reached you.",
    "received-before-told": (
        "{value} is before the notice was announced, at {told_at}, so that nobody could object by then. Give a later "
        "moment."
    ),
    "impossible-time": "{value} is no date with a time. Write it as 2026-10-30 14:05.",
    "unknown-road": "{value} is no way an objection comes. Choose one of those that are listed.",
    # Customers
    "customer-key-taken": "{value} is another customer's key already. Edit that one, or take another key.",
    "customer-not-known": "{value} is no other customer's key. Keys stand below the names in the list.{hint}",
    "customer-changed-meanwhile": (
        "Somebody saved {customer} while you were at it, and nothing of yours was saved. Open its page in another tab, "
        "look at what is new, and then open this form anew."
    ),
    "suppresses-a-contact": "A customer is told by this address. Say that you know, and add another contact there.",
    "another-address": "{value} is not the address that stands here. Only its keyed hash is left, and it is another.",
    "reason-not-chosen": "Choose why. The reason goes on record.",
    "table-empty": "There are no rows. Fill in the template, one customer a row below its headings, and save as CSV.",
    "table-too-large-at-once": "The table holds more than can be looked at in one go. Split it in two.",
    "table-not-kept": "What was shown is too old to be taken, or was changed on its way. Upload the table again.",
    "table-not-text": "This is no CSV file. In a spreadsheet choose “Save as”, and there “CSV UTF-8”.",
    "table-too-long": "The table has {rows} rows, and {limit} are the most at once. Split it.",
    "table-broken": "The quotation marks of a row do not match, so that its cells cannot be told apart. Save it anew.",
    "table-repeated-column": "The column {value} stands twice. Leave one of them.",
    "table-without-keys": "There is no column “key”, by which customers go. Add it, as in the template.{hint}",
    "table-row-too-wide": "The row has more cells than there are headings ({columns}). Look for a stray delimiter.",
    "date-unclear": "{value} may be either of two days. Write year, month and day, such as 2026-11-21.",
    "import-shortens-terms": (
        "The terms would get shorter ({fields}), which needs a second person. Change them on the customer's page, "
        "where somebody else approves them, and leave these cells blank here."
    ),
    "import-shorter-terms": "The terms get shorter for later notices: {fields}.",
    "import-repeated-key": "The key {value} stands in several rows: {lines}. Leave one of them.",
    "import-contact-left": (
        "{value} was a contact of this customer and was ended. A table does not bring anybody back; add the contact on "
        "the customer's page if that is meant."
    ),
    "import-contact-suppressed": (
        "{value} is not written to (see suppressions). It will stand as a contact, and no letter goes to it."
    ),
    "import-contact-of-another": "{value} is a contact of {customers} too, and stays one. Each is told by itself.",
    "import-contacts-stay": "{contacts} is not in this row, and stays a contact: a table ends nothing.",
    "import-nobody-told": "Nobody can be told: there is no contact that is written to.",
    "import-outdated": "Something changed since this was shown, so nothing was done. Look at the preview once more.",
    "import-has-refused-rows": "{rows} of the rows cannot be taken. Mend them, or say that they are to be left out.",
    "no-terms-proposal": "These are not the terms of {customer} that wait for a second person. Look at them once more.",
    "all-stand-by": "All contacts of {customer} would stand by, and nobody be told first. Let one not stand by.",
    "last-mailbox": (
        "{customer} keeps at least one contact by e-mail that can be written to: its endpoint may fail. Add another "
        "mailbox first; it may stand by."
    ),
    "owner-not-written-to": (
        "{value} is on the suppression list, and the customer has no other mailbox to be told by where the endpoint "
        "fails. Name another owner, add a contact by e-mail, or lift the suppression."
    ),
    # Settings
    "not-a-picture": "{value} is no picture that pages can show. Give a PNG or a JPEG.",
    "picture-too-large": "{value} is too large for a logo: {kilobytes} KB is the most, since every reader loads it.",
    "not-a-colour": "{value} is no colour. Write it as # and six digits or letters from a to f, such as #0d5c50.",
}
