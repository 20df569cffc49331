"""The people who sign in, as Flask-Security needs them: the rows of the tables, with its mixins and its datastore."""

from __future__ import annotations

from typing import Any, ClassVar

from flask_security import RoleMixin, SQLAlchemyUserDatastore, UserMixin, WebAuthnMixin
from sqlalchemy import exists, select
from sqlalchemy.orm import Mapped, relationship

from registry.database import db
from registry.tables import Membership, Passkey, Person, Publisher


class MemberPasskey(Passkey, WebAuthnMixin):
    """A passkey, as Flask-Security looks it up."""

    def get_user_mapping(self) -> dict[str, Any]:
        """Say whose it is."""
        return {"id": self.person_id}


class Member(Person, UserMixin):  # type: ignore[misc]  # the mixin lets no column be empty
    """A person, as Flask-Security signs them in. What they may do stands in their memberships, not in its roles."""

    roles: ClassVar[list[RoleMixin]] = []  # type: ignore[misc]  # the mixin declares one for each row
    webauthn: Mapped[list[MemberPasskey]] = relationship(  # type: ignore[assignment]  # the mixin declares a plain list
        MemberPasskey,
        primaryjoin=Person.id == Passkey.person_id,
        foreign_keys=Passkey.person_id,
        cascade="all, delete-orphan",
    )

    def check_tf_required(
        self, tf_setup_methods: list[tuple[str, str]], tf_fresh: bool
    ) -> tuple[bool, list[tuple[str, str]]]:
        """Ask for a second proof from whoever has set one up, however they begin.

        Whoever has a passkey instead of the password is asked for it where a publisher they work for requires two
        proofs. Whoever has nothing yet signs in, and reaches no such publisher before they set something up
        (`team.access`): there they are free to choose, and what they choose is theirs alone.
        """
        return bool(tf_setup_methods) or (bool(self.webauthn) and self.check_tf_required_setup()), tf_setup_methods

    def check_tf_required_setup(self) -> bool:
        """Return whether a publisher this person works for requires a second factor."""
        requires = exists(Membership.id).where(
            Membership.person_id == self.id,
            Membership.publisher_id == Publisher.id,
            Publisher.requires_second_factor,
        )
        return bool(db.session.scalar(select(requires)))

    @property
    def has_second_factor(self) -> bool:
        """Whether this person proves who they are in two ways: codes, or a passkey."""
        return self.tf_primary_method is not None or bool(self.webauthn)


class NoRole(RoleMixin):
    """Flask-Security wants a class of roles that hold everywhere. There are none."""


def make_datastore() -> SQLAlchemyUserDatastore:
    """Return where Flask-Security finds and keeps people."""
    return SQLAlchemyUserDatastore(db, Member, NoRole, MemberPasskey)
