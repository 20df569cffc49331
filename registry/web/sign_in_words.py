"""What the sign-in says: Flask-Security's messages in words of people, the subjects of its letters, and of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Said = tuple[str, str]
"""A message and its category: `error` is shown as one, all others as news."""

_OLD_PAGE: Final = "That page was too old, or was sent twice. Begin again here."
_WRONG_CODE: Final = (
    "That code does not fit. Take the one your app shows now; a code that was used already is not taken again."
)
_OTHER_PASSKEY: Final = "This passkey does not belong to an account here. It may have been removed."

MESSAGES: Final[dict[str, Said]] = {
    # Signing in
    "GENERIC_AUTHN_FAILED": ("This address and password do not go together. Look at both again.", "error"),
    "INVALID_PASSWORD": ("This is not your password.", "error"),
    "PASSWORD_NOT_PROVIDED": ("Type your password.", "error"),
    "EMAIL_NOT_PROVIDED": ("Type your e-mail address.", "error"),
    "INVALID_EMAIL_ADDRESS": ("This is not an e-mail address. One looks like name@example.com.", "error"),
    "DISABLED_ACCOUNT": ("This account is shut. Ask an owner of your publisher.", "error"),
    "USER_DOES_NOT_EXIST": ("Nobody here has this address.", "error"),
    "UNAUTHENTICATED": ("Sign in first.", "error"),
    "LOGIN": ("Sign in first.", "info"),
    "ANONYMOUS_USER_REQUIRED": ("You are signed in already.", "info"),
    "INVALID_REDIRECT": ("After signing in you are led to pages of the workbench alone.", "error"),
    "API_ERROR": (_OLD_PAGE, "error"),
    "REAUTHENTICATION_REQUIRED": ("What you are about to do needs a fresh proof that it is you.", "info"),
    "REAUTHENTICATION_SUCCESSFUL": ("Thank you. You can go on for a quarter of an hour.", "info"),
    # Passwords
    "FORGOT_PASSWORD": ("Forgotten your password?", "info"),
    "PASSWORD_RESET_REQUEST": (
        "If %(email)s can sign in here, a letter with a link is on its way. Look into the folder for spam too. "
        "There are at most three letters a day.",
        "info",
    ),
    "GENERIC_RECOVERY": ("If this address can sign in here, a letter with a link is on its way.", "info"),
    "PASSWORD_RESET_EXPIRED": ("This link is older than %(within)s. Ask for a new one here.", "error"),
    "INVALID_RESET_PASSWORD_TOKEN": (
        "This link opens nothing. It may have been used already, or have lost a piece on the way. Ask for a new one.",
        "error",
    ),
    "PASSWORD_RESET_NO_LOGIN": ("Your password is set. Sign in with it.", "success"),
    "PASSWORD_CHANGE": ("Your password is changed, and you are signed out everywhere else.", "success"),
    "PASSWORD_IS_THE_SAME": ("This is the password you have now. Choose another.", "error"),
    "PASSWORD_INVALID_LENGTH": ("A password has %(length)s characters or more. A few words in a row do well.", "error"),
    "RETYPE_PASSWORD_MISMATCH": ("This is not what you typed above.", "error"),
    "PASSWORD_MISMATCH": ("This is not what you typed above.", "error"),
    # Codes
    "TWO_FACTOR_INVALID_TOKEN": (_WRONG_CODE, "error"),
    "INVALID_CODE": (_WRONG_CODE, "error"),
    "TWO_FACTOR_LOGIN_SUCCESSFUL": ("You are signed in.", "success"),
    "TWO_FACTOR_CHANGE_METHOD_SUCCESSFUL": ("Done: from now on a code from your app is asked for.", "success"),
    "TWO_FACTOR_PERMISSION_DENIED": ("Signing in took too long, or was begun anew elsewhere. Begin again.", "error"),
    "TWO_FACTOR_METHOD_NOT_AVAILABLE": ("This cannot be chosen. Choose what is offered.", "error"),
    "TWO_FACTOR_DISABLED": ("Codes are switched off: your password alone signs you in.", "success"),
    "TWO_FACTOR_SETUP_EXPIRED": ("That took longer than %(within)s. Begin again.", "error"),
    "INVALID_RECOVERY_CODE": ("This is none of your recovery codes, or was used already.", "error"),
    "NO_RECOVERY_CODES_SETUP": ("You have no recovery codes yet.", "info"),
    # Passkeys
    "WEBAUTHN_EXPIRED": ("That took longer than %(within)s. Try again.", "error"),
    "WEBAUTHN_NAME_REQUIRED": ("Give the passkey a name, such as “Work laptop”.", "error"),
    "WEBAUTHN_NAME_INUSE": ("You have a passkey named “%(name)s”. Choose another name.", "error"),
    "WEBAUTHN_NAME_DISALLOWED_CHARACTERS": ("A name has letters, numbers, spaces and hyphens.", "error"),
    "INVALID_INPUT": ("This cannot be used as a name.", "error"),
    "INVALID_INPUT_LENGTH": ("A name has at most %(length)s characters.", "error"),
    "WEBAUTHN_REGISTER_SUCCESSFUL": ("The passkey “%(name)s” is added.", "success"),
    "WEBAUTHN_CREDENTIAL_ID_INUSE": ("This passkey is here already.", "error"),
    "WEBAUTHN_UNKNOWN_CREDENTIAL_ID": (_OTHER_PASSKEY, "error"),
    "WEBAUTHN_ORPHAN_CREDENTIAL_ID": (_OTHER_PASSKEY, "error"),
    "WEBAUTHN_MISMATCH_USER_HANDLE": ("This passkey belongs to somebody else.", "error"),
    # Its cause is written for engineers.
    "WEBAUTHN_NO_VERIFY": (
        "The passkey could not be checked. It may not have asked for your fingerprint, face or PIN: try again.",
        "error",
    ),
    "WEBAUTHN_CREDENTIAL_WRONG_USAGE": (
        "This passkey was added for the other way: instead of the password, or after it.",
        "error",
    ),
    # The company's sign-in
    "IDENTITY_NOT_REGISTERED": (
        "%(id)s has not been invited here. Ask an owner of your publisher to invite this address.",
        "error",
    ),
    "OAUTH_HANDSHAKE_ERROR": ("Your company's sign-in did not go through. Try again.", "error"),
}
"""By Flask-Security's name. What is not here is never said by what is switched on."""

LABELS: Final = {"authenticator": "A code from your app", "webauthn": "A passkey or security key"}
"""How the ways of a second proof are named where one is chosen, by Flask-Security's name."""

PASSWORD_LETTER: Final = "Choose a new password"  # noqa: S105 - the subject of a letter


@dataclass(frozen=True)
class Notice:
    """A letter that tells somebody what happened to their account: its subject, and the first sentence."""

    subject: str
    said: str


NOTICES: Final[dict[str, Notice]] = {
    "person.password_set": Notice("Your password is set", "A password was chosen for your account."),
    "person.password_reset": Notice(
        "Your password was set anew", "A new password was chosen for your account by a link from a letter."
    ),
    "person.password_changed": Notice("Your password was changed", "The password of your account was changed."),
    "person.second_factor_on": Notice(
        "Codes from an app are asked for", "From now on, a code from an app is asked for when you sign in."
    ),
    "person.second_factor_off": Notice(
        "Codes from an app are switched off", "Codes from an app are no longer asked for when you sign in."
    ),
    "person.passkey_added": Notice("A passkey was added", "A passkey was added to your account."),
    "person.passkey_removed": Notice("A passkey was removed", "A passkey was removed from your account."),
    "person.recovery_code_used": Notice("A recovery code was used", "Somebody signed in with a recovery code."),
    "person.recovery_codes_made": Notice(
        "New recovery codes were made", "New recovery codes were made for your account. The old ones open nothing now."
    ),
    "person.second_factors_taken": Notice(
        "Your second proofs were taken away",
        "Whoever runs this service took away your codes, recovery codes and passkeys, and ended all your sessions. You "
        "sign in by your password now: do so, and set up a second proof anew.",
    ),
    "person.codes_refused": Notice(
        "Somebody may know your password",
        "Somebody typed your password, and then five wrong codes. They did not get in.",
    ),
}
"""By the act that is put on record."""
