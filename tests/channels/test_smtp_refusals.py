"""Whose fault a refusal for good is, by the wordings that mail servers are known for: both sides of the line."""

from __future__ import annotations

import time

import pytest

from registry.channels.base import PermanentFailure, TemporaryFailure
from registry.channels.smtp_refusals import blames_installation
from tests.channels.conftest import ChannelMaker, EnvelopeMaker
from tests.channels.scripted_server import ScriptedServer

OURS = [
    # Postfix
    "504 5.5.2 <worker>: Helo command rejected: need fully-qualified hostname",
    "554 5.7.1 <worker.local>: Helo command rejected: Access denied",
    "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org",
    "550 5.7.1 Service unavailable; client [192.0.2.7] blocked using bl.example",
    "554 5.7.1 Service unavailable; Sender address [notices@antopsis.example] blocked using dbl.example",
    "550 5.7.1 <unknown[192.0.2.7]>: Client host [192.0.2.7] blocked",
    "550 5.7.25 <unknown[192.0.2.7]>: Client host rejected: cannot find your reverse hostname, [192.0.2.7]",
    "553 5.7.1 <notices@antopsis.example>: Sender address rejected: not logged in",
    "550 5.1.8 <notices@antopsis.example>: Sender address rejected: Domain not found",
    "550 5.1.1 <dpo@customer.example>: Recipient address rejected: undeliverable address: host mx.customer.example"
    "[198.51.100.9] said: 554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using bl.example",
    # Exim, sendmail, qmail, cPanel
    "550 relay not permitted",
    "550 Sender verify failed",
    "550 rejected because 192.0.2.7 is in a black list at bl.example",
    "550 5.7.1 Rejected: 192.0.2.7 listed at bl.example",
    "550 5.7.1 <dpo@customer.example>... Relaying denied. Proper authentication required.",
    "553 5.1.8 <notices@antopsis.example>... Domain of sender address notices@antopsis.example does not exist",
    "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
    "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)",
    "550 Domain antopsis.example has exceeded the max emails per hour (200/200 (100%)) allowed. Message discarded.",
    # Google
    "550-5.7.1 Invalid credentials for relay [192.0.2.7]. The IP address you have\r\n"
    "550 5.7.1 registered in your Workspace SMTP Relay service does not match",
    "550-5.7.1 The IP you're using to send mail is not authorized to\r\n550 5.7.1 send email directly to our servers.",
    "550 5.7.0 Mail relay denied [192.0.2.7].",
    "550 5.7.0 Mail Sending denied.",
    "550 5.4.5 Daily user sending limit exceeded",
    "550 5.7.1 Daily SMTP relay limit exceeded for customer.",
    "550 5.7.0 Must issue a STARTTLS command first",
    "554 5.7.0 Too many unauthenticated commands",
    "550-5.7.26 This mail has been blocked because the sender is\r\n550 5.7.26 unauthenticated.",
    "550 5.7.1 Unauthenticated email from antopsis.example is not accepted due to domain's\n DMARC policy.",
    "550-5.7.1 [192.0.2.7 12] Our system has detected an unusual rate of\r\n"
    "550 5.7.1 unsolicited mail originating from your IP address.",
    # Exchange
    "550 5.7.1 Client was not authenticated",
    "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
    "550 5.7.64 TenantAttribution; Relay Access Denied",
    "550 5.1.8 Access denied, bad outbound sender",
    "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
    "550 5.2.2 Submission quota exceeded",
    "550 5.2.121 Recipient's per hour message receive limit from specific sender exceeded",
    "550 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour",
    "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Cannot submit message",
    "554 5.2.252 SendAsDenied; registry@antopsis.example not allowed to send as notices@antopsis.example",
    "550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit",
    "550 5.7.501 Service unavailable. Spam abuse detected from IP range",
    "550 5.7.502 Access denied, banned sender",
    "550 5.7.506 Access Denied, Bad HELO",
    "550 5.7.509 Access denied, sending domain antopsis.example does not pass DMARC verification",
    "550 5.7.513 Service unavailable, Client host [192.0.2.7] blocked by customer.example using Customer Block list",
    "550 5.7.606 Access denied, banned sending IP [192.0.2.7]",
    "550 5.7.705 Access denied, tenant has exceeded threshold",
    "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP",
    "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains",
    "550 5.7.1 Recipient not authorized, your IP has been found on a block list",
    "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your Internet service provider "
    "since part of their network is on our block list (S3150).",
    # Amazon SES, SendGrid, Postmark, Yahoo, Brevo, Fastmail, Mimecast, Proofpoint, Cisco
    "554 Message rejected: Email address is not verified. The following identities failed the check in region EU",
    "554 Message rejected: Sending paused for this account. For more information, please check the inbox of the email"
    " address associated with your AWS account.",
    "550 The from address does not match a verified Sender Identity.",
    "550 The 'From' address you supplied is not a Sender Signature on your account.",
    "553 From address not verified - see http://help.yahoo.com",
    "525 5.7.1 Unauthorized IP address",
    "502 5.7.0 Your SMTP account is not yet activated. Please contact us",
    "551 5.7.1 Not authorised to send from this header address",
    "550 SPF Sender Invalid - envelope rejected",
    "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.7",
    "554 Your access to this mail system has been rejected due to the sending MTA's poor reputation.",
    "554 Access denied: User `arn:aws:iam::123456789012:user/ses-smtp' is not authorized to perform"
    " `ses:SendRawEmail' on resource `arn:aws:ses:eu-west-1:123456789012:identity/antopsis.example'",
    # SparkPost, Mailgun, SendGrid, Resend, MailerSend, cPanel
    "550 5.7.1 Unconfigured Sending Domain <antopsis.example>",
    "550 5.7.1 Domain mg.antopsis.example is not allowed to send: The domain is unverified and requires DNS",
    "550 5.7.1 Domain sandbox1.mailgun.example is not allowed to send: Free accounts are for test purposes only.",
    "550 Maximum credits exceeded",
    "550 The antopsis.example domain is not verified. Please, add and verify your domain",
    "550 The antopsis.example domain must be verified in your account to send emails",
    "550 Outgoing mail from antopsis.example has been suspended",
    '550 Outgoing mail from "notices@antopsis.example" has been suspended.',
    # A pace, and what passes by itself
    "552 5.5.3 Too many recipients",
    "552 Too many recipients",
    "550 5.7.1 Too many recipients received this hour",
    "550 5.7.1 Message rate limit exceeded",
    "554 5.7.1 Greylisted, please try again in 300 seconds",
    "550 5.1.0 Sender unknown",
    "503 5.5.1 Bad sequence of commands",
]

THEIRS = [
    # The address
    "550 5.1.1 <dpo@customer.example>: Recipient address rejected: User unknown in virtual mailbox table",
    "550 5.1.1 <sender-unknown@customer.example>: Recipient address rejected: User unknown in local recipient table",
    "550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n"
    "550 5.1.1 double-checking the recipient's email address for typos or unnecessary spaces.",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)",
    "550 5.7.504 [dpo@customer.example]: Recipient address rejected: Access denied",
    "550 5.1.1 <ip@customer.example>: Recipient address rejected: User unknown in virtual mailbox table",
    "550 5.1.1 <dmarc@customer.example>: user unknown",
    "550 unknown user: helo@spf.customer.example",
    "550 5.1.1 host mx.customer.example said: mailbox not found on this server",
    "550 5.1.1 [198.51.100.9] user not found in the directory",
    "550 No such user here",
    "550 Address unknown",
    "553 5.1.2 We weren't able to find the recipient domain.",
    "550-Requested action not taken: mailbox unavailable\r\n"
    "550 For explanation visit https://postmaster.gmx.net/en/error-messages?ip=192.0.2.7&c=unkn",
    "550 5.2.1 The email account that you tried to reach is disabled.",
    "550 5.1.1 Sorry, your recipient account is closed",
    "550 5.1.1 host mx.customer.example[203.0.113.9] said: mailbox bob could not be found in directory",
    "550 mx.customer.example[203.0.113.9]: mailbox bob could not be found in directory",
    "550 5.1.1 host mx.customer.example[203.0.113.9] said: 550 5.1.1 User unknown; sender rejected",
    "550 5.1.1 <dpo@customer.example>: no such user. Client host [192.0.2.7] blocked",
    "550 5.1.3 Bad recipient address syntax: relay access denied",
    "551 5.1.6 Mailbox has moved; sender address is not known at the new one",
    "550 5.1.10 Recipient not found; email address not verified",
    # The mailbox
    "552 5.2.2 The email account that you tried to reach is over quota.",
    "552 5.2.2 Mailbox full",
    "552 5.2.2 Mailbox full: the recipient has used up its monthly quota",
    "552 Mailbox full: the recipient has used up its monthly quota",
    "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages",
    "550 5.2.1 Recipient daily receiving limit exceeded",
    "550 quota exceeded (mailbox for user is full)",
    "554 5.7.1 The transaction failed because the recipient's mailbox is full",
    "552 5.2.3 Your message exceeded the message size limits",
    "552 5.3.4 Message size exceeds fixed limit",
    "552 5.3.4 Message exceeds the outgoing size limit",
    "552 Message exceeds the outgoing size limit",
    # Who the recipient takes letters from
    "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
    "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check",
    "550 5.7.124 Sender not in allowed-senders list",
    "550 5.7.12 Sender was not authenticated by organization",
    "550 5.7.505 Access denied, banned recipient",
    "554 5.7.1 Service unavailable; Recipient address [dpo@customer.example] blocked using list.example",
    "550 5.7.1 Sender blocked by recipient",
    "550 5.7.1 Sender blocked by user",
    "550 5.7.1 Sender not permitted to post to group bob",
    "550 5.7.1 The sender is on the recipient's block list",
    "550 Sender is not allowed to send to this recipient",
    "550 5.7.1 You have been blocked by the recipient",
    "550 5.7.1 Domain antopsis.example is not allowed to send to this recipient",
    "550 5.7.1 Domain antopsis.example is not permitted to send mail to bob",
    "550 User is not authorized to receive mail from outside",
    "550 5.2.1 Mail to dpo@customer.example has been suspended",
    "550 5.1.1 <greylisted@customer.example>: user unknown",
    "550 5.1.1 Recipient unknown; too many recipients of this kind",
    "550 Mail to domain customer.example is not accepted here",
    # What the recipient takes
    "554 5.7.1 Refused",
    "554 5.7.1 Message rejected as spam by Content Filtering.",
    "550 5.7.1 This message violates customer.example email policy. - gcdp",
    "550-5.7.1 [192.0.2.7 12] Our system has detected that this message is\r\n550 5.7.1 likely unsolicited mail.",
    "552 5.7.0 This message was blocked because its content presents a potential security issue.",
    "554 5.7.1 Message contains a link that is on a URI blacklist",
    "554 5.6.0 The mail message is malformed. Not accepted",
    "554 5.4.14 Hop count exceeded - possible mail loop",
]


def reply_of(lines: str) -> tuple[int, str]:
    """Return a reply's code and words as the wire reads them."""
    return int(lines[:3]), "\n".join(line[4:] for line in lines.split("\r\n"))


@pytest.mark.parametrize("reply", OURS)
def test_what_this_installation_can_mend_is_its_own_fault(reply: str) -> None:
    assert blames_installation(*reply_of(reply))


@pytest.mark.parametrize("reply", THEIRS)
def test_what_only_the_recipient_can_mend_is_for_good(reply: str) -> None:
    assert not blames_installation(*reply_of(reply))


@pytest.mark.parametrize("stage", ["rcpt", "data", "dot"])
def test_a_channel_takes_it_so_wherever_it_is_said(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, stage: str
) -> None:
    ours, theirs = next(each for each in OURS if "Invalid credentials" in each), THEIRS[2]
    with ScriptedServer({stage: [ours, theirs]}) as server:
        channel = open_channel(server.url)
        assert type(channel.send(make_envelope())) is TemporaryFailure
        assert type(channel.send(make_envelope())) is PermanentFailure


@pytest.mark.parametrize(
    "piece", ["ip ", "1", "1.", "[1", "client host ", "client [", "sender ", "\n5.1.1 ", "server "]
)
def test_a_server_that_talks_without_end_is_not_searched_without_end(piece: str) -> None:
    began = time.process_time()
    blames_installation(550, piece * (65_536 // len(piece)))
    assert time.process_time() - began < 1
