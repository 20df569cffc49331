"""Transfer grounds in plain words, beside their legal name and citation.

A plain sentence says what a ground amounts to for a reader who is no lawyer. It never replaces the legal name, which
stands beside it, and it says no more than the publisher has stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from registry.domain.transfers import UNKNOWN, load_mechanisms
from registry.pages.wording import NOT_STATED, place_name, short_date

_EU_CLAUSES = "Standard contractual clauses of the European Commission bind the recipient"
_EU_AUTHORISED = "authorised by a data protection authority"

PLAIN_WORDS = {
    "none.same-area": "The data stays in the legal area it comes from",
    "eu.art45": "The European Commission has found the protection in the destination adequate",
    "eu.art45.us-dpf": "The recipient is certified under the EU–US Data Privacy Framework",
    "eu.art46.scc2021.m1": f"{_EU_CLAUSES}, from controller to controller",
    "eu.art46.scc2021.m2": f"{_EU_CLAUSES}, from controller to processor",
    "eu.art46.scc2021.m3": f"{_EU_CLAUSES}, from processor to processor",
    "eu.art46.scc2021.m4": f"{_EU_CLAUSES}, from processor to controller",
    "eu.art46.bcr-c": "Approved binding corporate rules apply throughout the recipient’s group",
    "eu.art46.bcr-p": "Approved binding corporate rules for processors apply throughout the recipient’s group",
    "eu.art46.scc-sa": "Standard contractual clauses of a data protection authority bind the recipient",
    "eu.art46.instrument": "A legally binding instrument between public bodies",
    "eu.art46.coc": "The recipient has committed itself to an approved code of conduct",
    "eu.art46.cert": "The recipient holds an approved certification and has committed itself to its safeguards",
    "eu.art46.adhoc": f"A contract of its own, {_EU_AUTHORISED}",
    "eu.art46.admin": f"An arrangement between public bodies, {_EU_AUTHORISED}",
    "eu.art49.1a": "An exception: the person concerned has explicitly agreed",
    "eu.art49.1b": "An exception: needed for a contract with the person concerned",
    "eu.art49.1c": "An exception: needed for a contract in the interest of the person concerned",
    "eu.art49.1d": "An exception: needed for important reasons of public interest",
    "eu.art49.1e": "An exception: needed for legal claims",
    "eu.art49.1f": "An exception: needed to protect somebody’s vital interests",
    "eu.art49.1g": "An exception: the data comes from a public register",
    "eu.art49.2": "An exception: compelling legitimate interests, for a limited number of people",
    "uk.adequacy": "The United Kingdom has found the protection in the destination good enough",
    "uk.us-bridge": "The recipient is certified under the UK Extension to the EU–US Data Privacy Framework",
    "uk.idta": "The United Kingdom’s International Data Transfer Agreement binds the recipient",
    "uk.addendum": "The EU’s standard contractual clauses, with the United Kingdom’s addendum, bind the recipient",
    "uk.bcr": "Binding corporate rules under United Kingdom law apply throughout the recipient’s group",
    "ch.adequacy": "The Swiss Federal Council has found the protection in the destination adequate",
    "ch.us-dpf": "The recipient is certified under the Swiss–US Data Privacy Framework",
    "ch.scc": "The EU’s standard contractual clauses, adapted to Swiss law, bind the recipient",
    "ch.bcr": "Binding corporate rules under Swiss law apply throughout the recipient’s group",
    "vn.ctia": "An impact assessment of the transfer has been made for the Vietnamese authority",
    "vn.ctia-exempt": "Vietnamese law asks for no impact assessment of this transfer",
    "vn.decree13": "An impact assessment under the earlier Vietnamese decree",
    "cn.security-assessment": "The Cyberspace Administration of China has assessed the security of the transfer",
    "cn.standard-contract": "China’s standard contract binds the recipient, and is filed with the authority",
    "cn.certification": "The transfer is certified under Chinese law",
    "cn.exempt": "Chinese law exempts this transfer",
    "br.adequacy": "The Brazilian authority has found the protection in the destination adequate",
    "br.scc": "Brazil’s standard contractual clauses bind the recipient",
    "br.specific-clauses": "Clauses of its own, approved by the Brazilian authority",
    "br.gcr": "Global corporate rules, approved by the Brazilian authority",
    "tr.standard-contract": "Türkiye’s standard contract binds the recipient",
    "tr.undertaking": "An undertaking, permitted by the Turkish authority",
    "tr.bcr": "Binding corporate rules under Turkish law apply throughout the recipient’s group",
    "jp.whitelist": "Japan’s authority has designated the destination as equivalent",
    "jp.equivalent-measures": "The recipient keeps up measures equivalent to Japanese law",
    "jp.consent": "The person concerned was informed and has agreed",
    "kr.entrustment-disclosed": "Needed for a contract with the person concerned, and disclosed",
    "kr.certification": "The recipient holds a certification recognised in South Korea",
    "kr.equivalency": "South Korea has recognised the protection in the destination as equivalent",
    "kr.consent": "The person concerned has separately agreed",
    "ca-qc.pia-agreement": "A privacy impact assessment and a written agreement under the law of Quebec",
    "in.default": "Indian law permits the transfer unless the destination is restricted",
    "other": "Another ground, described by the publisher",
}
"""What each mechanism amounts to, by its id; a test sees to it that none is missing."""

REGIMES = {
    "eu": "EU law",
    "uk": "UK law",
    "ch": "Swiss law",
    "vn": "Vietnamese law",
    "cn": "Chinese law",
    "br": "Brazilian law",
    "tr": "Turkish law",
    "jp": "Japanese law",
    "kr": "South Korean law",
    "ca-qc": "Quebec law",
    "in": "Indian law",
}


@dataclass(frozen=True)
class GroundInWords:
    """One transfer ground as people read it; what is None is not stated (R7).

    `plain` is the sentence, `legal` the legal name with its citation and whose law it is.
    """

    destination: str | None
    plain: str
    legal: str | None
    details: str | None
    assessment: str | None
    checked: str | None

    @property
    def in_one_line(self) -> str:
        """Everything about the ground in one line of plain text, for a table's cell, a feed or a file."""
        ground = f"{self.plain} – {self.legal}" if self.legal else self.plain
        line = f"{self.destination}: {ground}" if self.destination else ground
        extras = [
            self.details,
            f"transfer impact assessment: {self.assessment}" if self.assessment else None,
            f"checked on {self.checked}" if self.checked else None,
        ]
        return "; ".join([line, *(extra for extra in extras if extra)])


def ground_in_words(transfer: Mapping[str, Any]) -> GroundInWords:
    """Say one transfer, given as its JSON document, in words.

    A document may be older than this release: a mechanism that is not known any more is shown by its id.
    """
    mechanism_id = transfer.get("mechanism", UNKNOWN)
    destination, regime = transfer.get("destination"), transfer.get("regime")
    mechanism = load_mechanisms().get(mechanism_id)
    plain = NOT_STATED if mechanism_id == UNKNOWN else PLAIN_WORDS.get(mechanism_id, mechanism_id)
    legal = [REGIMES.get(regime, regime)] if regime else []
    if mechanism is not None and mechanism_id not in {UNKNOWN, "other"}:
        legal = [mechanism.label.replace("->", " to "), mechanism.citation, *legal]
    checked_on = transfer.get("checked_on")
    return GroundInWords(
        destination=place_name(destination) if destination else None,
        plain=plain,
        legal=", ".join(legal) or None,
        details=transfer.get("details"),
        assessment=_assessment(transfer.get("assessment") or {}),
        checked=short_date(date.fromisoformat(checked_on)) if checked_on else None,
    )


def _assessment(assessment: Mapping[str, Any]) -> str | None:
    made_on = assessment.get("made_on")
    parts = [
        assessment.get("reference"),
        f"made on {short_date(date.fromisoformat(made_on))}" if made_on else None,
        f"none, because: {assessment['none_because']}" if assessment.get("none_because") else None,
    ]
    return ", ".join(part for part in parts if part) or None
