"""E-mail addresses that letters will be sent to."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from registry.domain.errors import InvalidInput, Problem


def read_email_address(value: str, field: str = "email") -> str:
    """Return `value` in the one form it is stored and sent to, or raise `InvalidInput` naming `field`.

    It judges the form alone and asks no name server. The part before the @ must be ASCII, because not every mail
    server takes others; an international domain comes back in its ASCII form. Domains that can never receive mail
    (`localhost`, `.invalid`, `.local`) are refused; `.example` and `.test`, kept for documents and tests, are not.
    """
    try:
        checked = validate_email(
            value.strip(), allow_smtputf8=False, check_deliverability=False, strict=True, test_environment=True
        )
    except EmailNotValidError as error:
        raise InvalidInput([Problem(field, value, "impossible-email-address", {"reason": str(error)})]) from None
    return checked.ascii_email or checked.normalized
