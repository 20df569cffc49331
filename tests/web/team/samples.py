"""One of everything that an address of the workbench can name, made by the steps that make it in life."""

from __future__ import annotations

from sqlalchemy import select

from registry.domain.documents import Upload
from registry.steps.attachments import attach
from registry.steps.lookup import get_customer, get_notice, get_publisher
from registry.steps.publish_notice import submit_notice
from registry.steps.record import Actor
from registry.steps.record_objection import record_objection
from registry.tables import Delivery, Objection, Passkey, Person, Subscription, Suppression
from tests.web.colleagues import EDDA, OLA, VERA, Team
from tests.web.team.addresses import Samples
from tests.world import BREMEN, HANOI, antopsis

BY_EDDA = Actor(EDDA.email, "web")
CLERK = "  - {key: clerk, name: Clerk, purposes: [Sign-in of users]}\n"


def make_samples(team: Team, customers: str = HANOI + BREMEN, entries: str = "") -> Samples:
    """Announce Helsinki, have Bremen object, submit a second notice, and keep one of everything besides.

    `customers` and `entries` are what the file has of them, as YAML; Hanoi and Bremen are among the customers.
    """
    world = team.site.world
    team.site.follow("reader@reader.example")
    announced = world.announce(antopsis(helsinki=True, customers=customers, more_entries=entries))
    world.tick()
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, announced)
        record_objection(session, world.at, publisher, notice, "bremen", BY_EDDA, received_at=world.at, ground="No.")
    world.apply(antopsis(helsinki=True, customers=customers, approvals=1, more_entries=entries + CLERK), BY_EDDA)
    submitted = world.draft(actor=BY_EDDA)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        submit_notice(session, world.at, publisher, get_notice(session, publisher, submitted), BY_EDDA)
        ola = session.scalars(select(Person.id).where(Person.email == OLA.email)).one()
        vera = session.scalars(select(Person.id).where(Person.email == VERA.email)).one()
        passkey = Passkey(
            person_id=ola,
            name="Key",
            credential_id=b"k",
            public_key=b"p",
            backup_state=False,
            device_type="single_device",
            usage="secondary",
            lastuse_datetime=world.at,
        )
        session.add(passkey)
        suppressed = Suppression(
            publisher_id=publisher.id, channel="email", lookup_hmac="0" * 64, reason="asked", since_at=world.at
        )
        session.add(suppressed)
        session.flush()
        bremen = get_customer(session, publisher, "bremen")
        contact = session.scalars(select(Subscription.id).where(Subscription.customer_id == bremen.id)).first()
        upload = Upload("receipt.txt", b"Handed over on 30 September.")
        document = attach(
            session,
            world.at,
            publisher,
            BY_EDDA,
            purpose="service",
            subject=("notice", announced),
            customer_id=bremen.id,
            upload=upload,
        )
        follower = session.scalars(select(Subscription.id).where(Subscription.customer_id.is_(None))).first()
        delivery = session.scalars(select(Delivery.id).where(Delivery.statement_id.is_not(None))).first()
        objection = session.scalars(select(Objection.id)).first()
        assert contact is not None
        assert follower is not None
        assert delivery is not None
        assert objection is not None
        number: dict[str, str | int] = {
            "number": announced,
            "key": "bremen",
            "part": "terms",
            "int:number": document.id,
            "int:contact": contact,
            "int:follower": follower,
            "int:objection": objection,
            "int:passkey_id": passkey.id,
            "int:session_id": 1,
        }
        of_entries = (
            *("entry", "approve_entry_edit", "assess_entry", "keep_entry_draft", "drop_edit", "edit_entry"),
            *("entry_translations", "save_translations"),
        )
        return Samples(
            number,
            {
                **{(name, "key"): "clerk" for name in of_entries},
                **{(name, "key"): "stripe" for name in ("entry_history", "remove_entry")},
                **{
                    (name, "number"): submitted
                    for name in ("approve_notice", "edit_notice", "discard_notice", "notice_audience")
                },
                **{(name, "number"): submitted for name in ("send_back_notice", "pin_notice", "weigh_notice")},
                ("weigh_notice", "key"): "clerk",
                **{(name, "int:number"): delivery for name in ("delivery", "delivery_letter", "resend")},
                **{(name, "int:number"): delivery for name in ("outbox_letter", "outbox_frame")},
                **{
                    (name, "int:number"): vera
                    for name in ("colleague", "send_again", "rename_colleague", "remove_colleague", "change_role")
                },
                ("suppression", "int:number"): suppressed.id,
            },
        )
