"""The settings as forms: the fields of each, what they mean, and how what was typed becomes the publisher's facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from registry.domain.publishers import ProductFacts, PublisherFacts
from registry.domain.retention import FOREVER
from registry.domain.terms import Deemed, list_time_zones
from registry.language import language_name
from registry.pages.wording import place_name

TEXT, NUMBER, CHOICE, TICK, COLOUR = "text", "number", "choice", "tick", "colour"


@dataclass(frozen=True)
class Field:
    """One field of a form: `name` is the fact's, dotted below `notice` and `retention`; `choices` are pairs."""

    name: str
    label: str
    hint: str = ""
    kind: str = TEXT
    choices: tuple[tuple[str, str], ...] = ()
    is_required: bool = False


@dataclass(frozen=True)
class SettingsForm:
    """One part of the settings."""

    part: str
    title: str
    lede: str
    fields: tuple[Field, ...]


_PUBLISHER = SettingsForm(
    "publisher",
    "The publisher",
    "What readers of the page and of letters see of you.",
    (
        Field("name", "Name", "As people know you.", is_required=True),
        Field("legal_name", "Legal name", "As contracts name you, with its legal form."),
        Field(
            "contact",
            "Contact for replies and objections",
            "Every letter names this address. It is tested once a day.",
            is_required=True,
        ),
        Field("sender", "Sender of letters", "Of a domain of yours that the operator lets mail leave for."),
        Field("website", "Website"),
        Field("privacy_url", "Privacy notice", "Letters and forms link to it (GDPR Art. 13)."),
        Field("imprint_url", "Imprint"),
        Field("inquiries", "What you promise about questions", "For example: answered within five working days."),
        Field("country", "Country of establishment", "Its code, such as DE."),
        Field("time_zone", "Time zone", "All dates of your list and notices are in it.", is_required=True),
        Field("language", "Language", "A language tag, such as en or de.", is_required=True),
        Field("host", "Host name of your own", "For example subprocessors.example.com, once it leads here."),
    ),
)
_TERMS = SettingsForm(
    "terms",
    "Notice terms",
    "What your contracts promise by default. A customer’s own contract may say otherwise. New terms bind later notices "
    "only; shorter ones need a colleague’s yes where approvals are required.",
    (
        Field(
            "notice.days",
            "Days of notice",
            "Whole days before a binding change.",
            NUMBER,
            is_required=True,
        ),
        Field("notice.objection_days", "Days to object", "Counted from receipt.", NUMBER, is_required=True),
        Field(
            "notice.counting",
            "How days are counted",
            "The day of receipt is never counted (Reg. 1182/71 Art. 3).",
            CHOICE,
            (("calendar", "Calendar days"), ("business", "Working days")),
        ),
        Field(
            "notice.roll_to_working_day",
            "A period that ends on a holiday or weekend ends with the next working day",
            "As Reg. 1182/71 Art. 3(4) and BGB § 193 have it.",
            TICK,
        ),
        Field("notice.holidays", "Whose public holidays count", "A country or one of its parts, such as DE or DE-SN."),
        Field("notice.time_zone", "Time zone of the days", "Of customers without one of their own.", is_required=True),
        Field("notice.language", "Language of the terms", "", is_required=True),
        Field(
            "notice.authorisation",
            "Authorisation",
            "General: customers may object. Specific: each must approve before anything changes (GDPR Art. 28(2)).",
            CHOICE,
            (("general", "General written authorisation"), ("specific", "Specific authorisation")),
        ),
        Field(
            "notice.objection",
            "An objection in time",
            "",
            CHOICE,
            (("hold", "holds the change until it is resolved"), ("record", "is recorded, and holds nothing")),
        ),
        Field(
            "notice.undeliverable",
            "A customer that nothing reaches",
            "",
            CHOICE,
            (("hold", "holds the change until it is reached"), ("deemed", "counts as told after the days below")),
        ),
        Field("notice.deemed_after_days", "Days after which it counts as told", "", NUMBER),
        Field("notice.clause", "The clause that says so", "Without a clause in the contract nobody is deemed told."),
        Field(
            "notice.clock_starts_on",
            "The clock starts",
            "Delivered needs a mail provider that reports delivery.",
            CHOICE,
            (
                ("accepted", "when the recipient’s server took it"),
                ("delivered", "when delivery is reported"),
            ),
        ),
        Field("notice.receipt_by_webhook", "A webhook can prove receipt", "Only where your contracts say so.", TICK),
        Field("reminder_days", "Remind customers this many days before", "Empty for no reminder.", NUMBER),
        Field(
            "dispatch_margin_days",
            "Days allowed for letters to arrive",
            "Dates are planned as if receipt were this many days after the announcement.",
            NUMBER,
            is_required=True,
        ),
    ),
)
_APPROVALS = SettingsForm(
    "approvals",
    "Approvals",
    "How many colleagues must approve a notice before it is published. Nobody approves what they wrote.",
    (
        Field("approvals_required", "Approvals required", "0 to 5. With 1, two people see every notice.", NUMBER),
        Field(
            "command_line_may_approve",
            "The command line may approve",
            "A name is only claimed there. Leave it off unless a script of yours approves.",
            TICK,
        ),
    ),
)
_BRAND = SettingsForm(
    "brand",
    "Brand",
    "Your colour on your public pages. Where it would be hard to read it is adapted, and its hue stays.",
    (Field("colour", "Colour", "As # and six digits or letters a to f, such as #0d5c50. Empty for ours.", COLOUR),),
)
_RETENTION = SettingsForm(
    "retention",
    "How long personal data is kept",
    "In days after it has served, or the word forever. What proves a notice is kept by default for four years.",
    (
        Field("retention.followers", "Followers", "Address and name, from the end of the subscription."),
        Field("retention.contacts", "Contacts of customers", "From their end or that of the contract."),
        Field("retention.letters", "Words of letters", "From the end of the notice they are about."),
        Field("retention.answers", "Answers of mail servers", "From the answer and the end of the notice."),
        Field(
            "retention.objections",
            "Objections",
            "Who objected, why, and what was written about it, from the closing and the end of the notice.",
        ),
        Field("retention.documents", "Documents", "Attached to a notice or an objection; from then, and from its end."),
        Field("retention.drafts", "Drafts", "From their last touch; of settings proposed, from the decision."),
        Field("retention.sign_ins", "Sign-ins", "From where and with which browser, from the session’s end."),
    ),
)
FORMS: Final = {form.part: form for form in (_PUBLISHER, _TERMS, _APPROVALS, _BRAND, _RETENTION)}

_LABELS: Final = {field.name: field.label for form in FORMS.values() for field in form.fields}


def form_values(facts: PublisherFacts) -> dict[str, Any]:
    """Return the facts as the fields of the forms have them, by name."""
    document = facts.model_dump(mode="json")
    values = {name: value for name, value in document.items() if name not in {"notice", "retention"}}
    values |= {f"notice.{name}": value for name, value in document["notice"].items()}
    values |= {f"retention.{name}": value for name, value in document["retention"].items()}
    deemed = facts.notice.undeliverable
    if isinstance(deemed, Deemed):
        values |= {
            "notice.undeliverable": "deemed",
            "notice.deemed_after_days": deemed.deemed_after_days,
            "notice.clause": deemed.clause,
        }
    return values


def given_settings(form: SettingsForm, facts: PublisherFacts, typed: Mapping[str, str]) -> dict[str, Any]:
    """Return the publisher's facts with what was typed into one form, as a registry file would have them.

    What is left empty is left out, which is an error where there must be something; it is for the domain to say so.
    """
    document: dict[str, Any] = facts.model_dump(mode="json")
    for field in form.fields:
        group, _, name = field.name.rpartition(".")
        into = document[group] if group else document
        value = _value(field, typed.get(field.name, "").strip())
        if value is None:
            into.pop(name, None)
            # No reminder is a choice of its own; left out it would be the default.
            if name == "reminder_days":
                into[name] = None
        else:
            into[name] = value
    notice = document["notice"]
    deemed = {name: notice.pop(name) for name in ("deemed_after_days", "clause") if name in notice}
    if notice.get("undeliverable") == "deemed":
        notice["undeliverable"] = deemed
    return document


def _value(field: Field, text: str) -> Any:
    if field.kind == TICK:
        return bool(text)
    if not text:
        return None
    is_number = field.kind == NUMBER or (field.name.startswith("retention.") and text != FOREVER)
    return int(text) if is_number and text.isascii() and text.isdigit() and len(text) < 10 else text


def show_settings(facts: PublisherFacts) -> list[tuple[SettingsForm, list[tuple[str, Any]]]]:
    """Return each part of the settings with its fields in words."""
    values = form_values(facts)
    return [
        (form, [(each.label, _in_words(each, values.get(each.name))) for each in form.fields])
        for form in FORMS.values()
    ]


def differences(
    facts: PublisherFacts,
    products: Sequence[ProductFacts],
    wanted: PublisherFacts,
    wanted_products: Sequence[ProductFacts],
) -> list[tuple[str, Any, Any]]:
    """Return what proposed settings would change: label, before, after."""
    before, after = form_values(facts), form_values(wanted)
    fields = {field.name: field for form in FORMS.values() for field in form.fields}
    changed: list[tuple[str, Any, Any]] = [
        (field.label, _in_words(field, before.get(name)), _in_words(field, after.get(name)))
        for name, field in fields.items()
        if before.get(name) != after.get(name)
    ]
    names = [", ".join(product.name for product in each) for each in (products, wanted_products)]
    if names[0] != names[1]:
        changed.append(("Products", names[0], names[1]))
    return changed


def _in_words(field: Field, value: Any) -> Any:
    if field.kind == TICK:
        return "Yes" if value else "No"
    if field.kind == CHOICE:
        return dict(field.choices).get(value, value)
    if field.name.startswith("retention.") and isinstance(value, int):
        return f"{value:,} days"
    if field.name == "country" and value:
        return f"{place_name(value)} ({value})"
    if field.name in {"language", "notice.language"} and value:
        return f"{language_name(value)} ({value})"
    return value


def label_fields(needs: str | None) -> str:
    """Say which fields need a second person, by their labels."""
    names = [name.strip() for name in (needs or "").split(",")]
    return ", ".join(_LABELS.get(name, name) for name in names if name)


def time_zones() -> list[str]:
    """Return the zones that may be named, for a list of suggestions."""
    return sorted(list_time_zones())
