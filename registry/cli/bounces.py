"""`registry bounce`: what comes back by mail is taken from the mail server's pipe, and what was kept is read."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any, Final

import click

from registry.cli.failures import explain_failure, report
from registry.cli.invocation import Invocation, Refusal, Section, pass_invocation
from registry.cli.printing import plain, print_json, print_lines, stamp, table, words_of
from registry.cli.values import NO_INPUT, NUMBER
from registry.steps.keyring import load_keyring
from registry.steps.receive_mail import Happened, Received, receive_mail
from registry.steps.stored_mail import ListedMail, get_mail, list_mail
from registry.tables.engine import reading, writing

TRY_AGAIN: Final = 75
"""EX_TEMPFAIL of sysexits.h: the mail server keeps the message and brings it again."""
TRY_AGAIN_STATUS: Final = "4.3.0"
"""Postfix heeds an enhanced status at the beginning of a failing command's output more than its exit code."""
TAKE: Final = "take"
SHOWN: Final = 50


class _Pipe(Section):
    """Takes the message where no other command is named, and lets nothing that fails lose it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `registry bounce --recipient ADDRESS` as `registry bounce take --recipient ADDRESS`."""
        asks_for_help = bool(args) and args[0] in ctx.help_option_names
        if not args or (args[0].startswith("-") and not asks_for_help):
            args = [TAKE, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever keeps a message from being taken, also a mistyped option, is for another try."""
        try:
            return super().invoke(ctx)
        except (Refusal, click.exceptions.Exit):
            raise
        except Exception as error:
            if ctx.invoked_subcommand != TAKE:
                raise
            click.echo(f"{TRY_AGAIN_STATUS} The message was not taken.", err=True)
            run = ctx.ensure_object(Invocation)
            report(explain_failure(error), error, as_json=run.as_json, debug=False)
            return TRY_AGAIN


@click.group(cls=_Pipe, short_help="Take mail that came back, and read what was kept.")
def bounce() -> None:
    """Take a message to the bounce address from standard input, or read what was kept.

    `registry bounce < message` is `registry bounce take < message`.
    """


@bounce.command(
    TAKE,
    short_help="Take one message from standard input.",
    examples=[
        "registry bounce take < message",
        "registry bounce take --recipient bounces+k1.17.9f86d081884c7d659a2f@registry.example < message",
    ],
)
@click.option("--recipient", metavar="ADDRESS", help="The address it was delivered to, as the mail server knows it.")
@pass_invocation
def take(run: Invocation, recipient: str | None) -> None:
    """Take one message from standard input: for the pipe of a mail server.

    Exits 0 once the message is on record or kept for a person, and 75 where that could not be done, so that the mail
    server keeps it and tries again.
    """
    if sys.stdin is None:
        # No refusal: in a mail server's pipe that would lose the message.
        raise click.ClickException(NO_INPUT)
    if sys.stdin.isatty():
        raise Refusal("No message stands on standard input. Give one: registry bounce < message.")
    message = sys.stdin.buffer.read()
    with writing(run.wiring.engine) as session:
        keyring = load_keyring(session, run.now)
        received = receive_mail(session, run.now, keyring, run.wiring.bounce_address, message, recipient)
    if run.as_json:
        print_json(received)
    else:
        click.echo(_say(received))


def _say(received: Received) -> str:
    kind = words_of(received.kind.value) if received.kind else ""
    match received.happened:
        case Happened.RECORDED:
            return f"Recorded of letter {received.delivery}: {kind}."
        case Happened.KNOWN:
            return "Nothing changed: this message came before."
        case Happened.ADDRESS_FAILS:
            return "A test of a publisher's own address came back. A task says so."
        case Happened.ADDRESS_ANSWERS:
            return "It is about a test of a publisher's own address, which takes mail. Nothing to do."
        case _:
            recorded = f"Recorded of letter {received.delivery}: {kind}. " if received.kind else ""
            return (
                f"{recorded}Kept as mail {received.mail} for a person ({received.reason}): "
                f"registry bounce show {received.mail}"
            )


@bounce.command("list", examples=["registry bounce list", "registry bounce list --limit 200"])
@click.option("--limit", type=click.IntRange(1, 10_000), default=SHOWN, show_default=True, help="How many at the most.")
@pass_invocation
def list_kept(run: Invocation, limit: int) -> None:
    """List the mail that was kept for a person, the newest first."""
    with reading(run.wiring.engine) as session:
        found = list_mail(session, limit)
    if run.as_json:
        print_json([_document(each) for each in found])
    elif not found:
        click.echo("No mail was kept for a person.")
    else:
        rows = [
            (
                str(each.mail.id),
                stamp(each.mail.received_at, "UTC"),
                each.mail.reason if each.mail.body is not None else f"{each.mail.reason} (erased)",
                each.publisher or "–",
                each.customer or "–",
                each.notice or "–",
            )
            for each in found
        ]
        print_lines(table(("Mail", "Came", "Why kept", "Publisher", "Customer", "Notice"), rows))


@bounce.command(
    examples=["registry bounce show 12", "registry bounce show 12 --raw > message.eml"],
)
@click.argument("mail", type=NUMBER)
@click.option("--raw", is_flag=True, help="Its bytes as they came, to be saved and opened in a mail program.")
@pass_invocation
def show(run: Invocation, mail: int, raw: bool) -> None:
    """Show one message that was kept. What could act upon a terminal is shown as �; --raw gives it untouched."""
    with reading(run.wiring.engine) as session:
        found = get_mail(session, mail)
    body = found.mail.body
    if run.as_json:
        print_json(_document(found) | {"message": body.decode("utf-8", "replace") if body is not None else None})
        return
    if body is None:
        raise Refusal(f"Mail {mail} was erased, and only its digest is left: SHA-256 {found.mail.sha256}.")
    if raw:
        click.echo(body, nl=False)
        return
    about = ", ".join(
        f"{name} {value}"
        for name, value in (("publisher", found.publisher), ("customer", found.customer), ("notice", found.notice))
        if value
    )
    click.echo(f"Mail {mail}, came {stamp(found.mail.received_at, 'UTC')}, kept as {found.mail.reason}")
    click.echo(f"About {about or 'no letter that is known'}")
    click.echo("")
    click.echo(_harmless(body.decode("utf-8", "replace")))


def _harmless(text: str) -> str:
    """Return a stranger's text without what a terminal would obey: escapes, and what turns the direction around."""
    return "".join(
        character
        if character in "\n\t" or not unicodedata.category(character).startswith("C")
        else "\N{REPLACEMENT CHARACTER}"
        for character in text.replace("\r\n", "\n")
    )


def _document(listed: ListedMail) -> dict[str, Any]:
    mail = listed.mail
    return {
        "mail": mail.id,
        "received_at": plain(mail.received_at),
        "reason": mail.reason,
        "sha256": mail.sha256,
        "is_erased": mail.body is None,
        "publisher": listed.publisher,
        "customer": listed.customer,
        "notice": listed.notice,
        "delivery": mail.delivery_id,
    }
