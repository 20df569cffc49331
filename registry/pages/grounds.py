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
from registry.language import Words, marked
from registry.language import gettext as _
from registry.pages.wording import NOT_STATED, place_name, short_date

PLAIN_WORDS = Words(
    {
        "none.same-area": marked("The data stays in the legal area it comes from"),
        "eu.art45": marked("The European Commission has found the protection in the destination adequate"),
        "eu.art45.us-dpf": marked("The recipient is certified under the EU–US Data Privacy Framework"),
        "eu.art46.scc2021.m1": marked(
            "Standard contractual clauses of the European Commission bind the recipient, from controller to controller"
        ),
        "eu.art46.scc2021.m2": marked(
            "Standard contractual clauses of the European Commission bind the recipient, from controller to processor"
        ),
        "eu.art46.scc2021.m3": marked(
            "Standard contractual clauses of the European Commission bind the recipient, from processor to processor"
        ),
        "eu.art46.scc2021.m4": marked(
            "Standard contractual clauses of the European Commission bind the recipient, from processor to controller"
        ),
        "eu.art46.bcr-c": marked("Approved binding corporate rules apply throughout the recipient’s group"),
        "eu.art46.bcr-p": marked(
            "Approved binding corporate rules for processors apply throughout the recipient’s group"
        ),
        "eu.art46.scc-sa": marked("Standard contractual clauses of a data protection authority bind the recipient"),
        "eu.art46.instrument": marked("A legally binding instrument between public bodies"),
        "eu.art46.coc": marked("The recipient has committed itself to an approved code of conduct"),
        "eu.art46.cert": marked(
            "The recipient holds an approved certification and has committed itself to its safeguards"
        ),
        "eu.art46.adhoc": marked("A contract of its own, authorised by a data protection authority"),
        "eu.art46.admin": marked("An arrangement between public bodies, authorised by a data protection authority"),
        "eu.art49.1a": marked("An exception: the person concerned has explicitly agreed"),
        "eu.art49.1b": marked("An exception: needed for a contract with the person concerned"),
        "eu.art49.1c": marked("An exception: needed for a contract in the interest of the person concerned"),
        "eu.art49.1d": marked("An exception: needed for important reasons of public interest"),
        "eu.art49.1e": marked("An exception: needed for legal claims"),
        "eu.art49.1f": marked("An exception: needed to protect somebody’s vital interests"),
        "eu.art49.1g": marked("An exception: the data comes from a public register"),
        "eu.art49.2": marked("An exception: compelling legitimate interests, for a limited number of people"),
        "uk.adequacy": marked("The United Kingdom has found the protection in the destination good enough"),
        "uk.us-bridge": marked("The recipient is certified under the UK Extension to the EU–US Data Privacy Framework"),
        "uk.idta": marked("The United Kingdom’s International Data Transfer Agreement binds the recipient"),
        "uk.addendum": marked(
            "The EU’s standard contractual clauses, with the United Kingdom’s addendum, bind the recipient"
        ),
        "uk.bcr": marked("Binding corporate rules under United Kingdom law apply throughout the recipient’s group"),
        "ch.adequacy": marked("The Swiss Federal Council has found the protection in the destination adequate"),
        "ch.us-dpf": marked("The recipient is certified under the Swiss–US Data Privacy Framework"),
        "ch.scc": marked("The EU’s standard contractual clauses, adapted to Swiss law, bind the recipient"),
        "ch.bcr": marked("Binding corporate rules under Swiss law apply throughout the recipient’s group"),
        "vn.ctia": marked("An impact assessment of the transfer has been made for the Vietnamese authority"),
        "vn.ctia-exempt": marked("Vietnamese law asks for no impact assessment of this transfer"),
        "vn.decree13": marked("An impact assessment under the earlier Vietnamese decree"),
        "cn.security-assessment": marked(
            "The Cyberspace Administration of China has assessed the security of the transfer"
        ),
        "cn.standard-contract": marked(
            "China’s standard contract binds the recipient, and is filed with the authority"
        ),
        "cn.certification": marked("The transfer is certified under Chinese law"),
        "cn.exempt": marked("Chinese law exempts this transfer"),
        "br.adequacy": marked("The Brazilian authority has found the protection in the destination adequate"),
        "br.scc": marked("Brazil’s standard contractual clauses bind the recipient"),
        "br.specific-clauses": marked("Clauses of its own, approved by the Brazilian authority"),
        "br.gcr": marked("Global corporate rules, approved by the Brazilian authority"),
        "tr.standard-contract": marked("Türkiye’s standard contract binds the recipient"),
        "tr.undertaking": marked("An undertaking, permitted by the Turkish authority"),
        "tr.bcr": marked("Binding corporate rules under Turkish law apply throughout the recipient’s group"),
        "jp.whitelist": marked("Japan’s authority has designated the destination as equivalent"),
        "jp.equivalent-measures": marked("The recipient keeps up measures equivalent to Japanese law"),
        "jp.consent": marked("The person concerned was informed and has agreed"),
        "kr.entrustment-disclosed": marked("Needed for a contract with the person concerned, and disclosed"),
        "kr.certification": marked("The recipient holds a certification recognised in South Korea"),
        "kr.equivalency": marked("South Korea has recognised the protection in the destination as equivalent"),
        "kr.consent": marked("The person concerned has separately agreed"),
        "ca-qc.pia-agreement": marked("A privacy impact assessment and a written agreement under the law of Quebec"),
        "in.default": marked("Indian law permits the transfer unless the destination is restricted"),
        "other": marked("Another ground, described by the publisher"),
    }
)
"""What each mechanism amounts to, by its id; a test sees to it that none is missing."""

LEGAL_NAMES = (
    marked("No restricted transfer (recipient and access inside the exporting area)"),
    marked("EU adequacy decision"),
    marked("EU-US Data Privacy Framework"),
    marked("EU SCC 2021/914 Module 1 (controller->controller)"),
    marked("EU SCC 2021/914 Module 2 (controller->processor)"),
    marked("EU SCC 2021/914 Module 3 (processor->processor)"),
    marked("EU SCC 2021/914 Module 4 (processor->controller)"),
    marked("Binding corporate rules - controller"),
    marked("Binding corporate rules - processor"),
    marked("SCC adopted by a supervisory authority"),
    marked("Public-body instrument"),
    marked("Approved code of conduct + commitments"),
    marked("Approved certification + commitments"),
    marked("Ad hoc clauses, SA-authorised"),
    marked("Administrative arrangement, SA-authorised"),
    marked("Derogation: explicit consent"),
    marked("Derogation: contract with data subject"),
    marked("Derogation: contract in data subject's interest"),
    marked("Derogation: public interest"),
    marked("Derogation: legal claims"),
    marked("Derogation: vital interests"),
    marked("Derogation: public register"),
    marked("Derogation: compelling legitimate interests"),
    marked("UK adequacy regulations / approved transfers"),
    marked("UK Extension to the EU-US DPF"),
    marked("UK IDTA"),
    marked("UK Addendum to EU SCCs"),
    marked("UK BCR"),
    marked("Swiss Federal Council list"),
    marked("Swiss-US DPF"),
    marked("EU SCCs with Swiss adaptations"),
    marked("BCR (Swiss)"),
    marked("Cross-border transfer impact-assessment dossier"),
    marked("Exempt from dossier"),
    marked("(legacy) OTIA dossier"),
    marked("CAC security assessment"),
    marked("China standard contract (filed)"),
    marked("PI export certification"),
    marked("Exempt (<100k non-sensitive, contract, HR, emergency)"),
    marked("ANPD adequacy"),
    marked("ANPD SCCs, unmodified"),
    marked("Specific clauses approved by ANPD"),
    marked("Global corporate rules approved by ANPD"),
    marked("KVKK standard contract"),
    marked("KVKK undertaking + Board permission"),
    marked("KVKK BCR"),
    marked("PPC-designated country"),
    marked("System of equivalent measures"),
    marked("Informed consent"),
    marked("Entrustment/storage for contract, disclosed"),
    marked("PIPC-notified certification"),
    marked("PIPC equivalency recognition"),
    marked("Separate consent"),
    marked("Quebec PIA + written agreement"),
    marked("Permitted unless notified"),
)
"""The legal names of the mechanisms as `load_mechanisms` has them, here to be translated; a test compares the two."""

REGIMES = Words(
    {
        "eu": marked("EU law"),
        "uk": marked("UK law"),
        "ch": marked("Swiss law"),
        "vn": marked("Vietnamese law"),
        "cn": marked("Chinese law"),
        "br": marked("Brazilian law"),
        "tr": marked("Turkish law"),
        "jp": marked("Japanese law"),
        "kr": marked("South Korean law"),
        "ca-qc": marked("Quebec law"),
        "in": marked("Indian law"),
    }
)


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
            _("transfer impact assessment: %(assessment)s", assessment=self.assessment) if self.assessment else None,
            _("checked on %(date)s", date=self.checked) if self.checked else None,
        ]
        return "; ".join([line, *(extra for extra in extras if extra)])


def ground_in_words(transfer: Mapping[str, Any]) -> GroundInWords:
    """Say one transfer, given as its JSON document, in words.

    A document may be older than this release: a mechanism that is not known any more is shown by its id.
    """
    mechanism_id = transfer.get("mechanism", UNKNOWN)
    destination, regime = transfer.get("destination"), transfer.get("regime")
    mechanism = load_mechanisms().get(mechanism_id)
    plain = _(NOT_STATED) if mechanism_id == UNKNOWN else PLAIN_WORDS.get(mechanism_id, mechanism_id)
    legal = [REGIMES.get(regime, regime)] if regime else []
    if mechanism is not None and mechanism_id not in {UNKNOWN, "other"}:
        legal = [_(mechanism.label).replace("->", _(" to ")), mechanism.citation, *legal]
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
        _("made on %(date)s", date=short_date(date.fromisoformat(made_on))) if made_on else None,
        _("none, because: %(reason)s", reason=assessment["none_because"]) if assessment.get("none_because") else None,
    ]
    return ", ".join(part for part in parts if part) or None
