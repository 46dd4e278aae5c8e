"""The pages about certificates: find one, see how it stands, revoke it."""

from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for

from ca.identifiers import IssuerName, SerialNumber
from ra.applications import ApplicationId
from ra.errors import MalformedField
from records.certificate_rows import CertificateRecord
from records.errors import Conflict, NotFound
from revocation.reasons import Reason
from server.access import RIGHTS, Act
from server.assembly import Assembly
from server.clock import utc_now
from server.errors import NotAllowed
from server.pages_forms import RevocationForm, read_form
from server.pages_frame import acting, render, see

_LISTED = 50


@dataclass(frozen=True, slots=True)
class CertificatePages:
    """Everything about certificates; nothing here names a person."""

    parts: Assembly

    def register(self, blueprint: Blueprint) -> None:
        """Add the pages to the blueprint."""
        add = blueprint.add_url_rule
        one = "/certificates/<issuer>/<serial>"
        add("/certificates", "certificates", self.find)
        add(one, "certificate", self.certificate)
        add(f"{one}/revoke", "revocation", self.revocation)
        add(f"{one}/revoke", "revoke", self.revoke, methods=["POST"])

    def find(self) -> Response:
        """Certificates by serial number or application; without a question the newest ones."""
        acting(self.parts, Act.FIND)
        asked = request.args.get("q", "").strip()
        wanted = _wanted(asked)
        found = [] if wanted is None else self.parts.certificates.find(_LISTED, **wanted)
        return render(
            "certificates",
            asked=asked,
            understood=wanted is not None,
            found=found,
            most=_LISTED,
        )

    def certificate(self, issuer: str, serial: str) -> Response:
        """How one certificate stands, here, in the CRL and in the directories."""
        officer = acting(self.parts, Act.FIND)
        record = self._record(issuer, serial)
        crl = self.parts.crls.latest(record.issuer)
        return render(
            "certificate",
            certificate=record,
            publications=self.parts.publications.of_certificate(
                record.issuer, record.serial_number
            ),
            crl=crl,
            in_crl=self.parts.crls.is_listed(record.issuer, record.serial_number),
            may_revoke=record.status == "issued"
            and Act.REVOKE in RIGHTS[officer.role]
            and not self._is_issuer(record),
        )

    def revocation(self, issuer: str, serial: str) -> Response:
        """Ask for the reason, and say what cannot be undone."""
        return render("revoke", certificate=self._revocable(issuer, serial))

    def revoke(self, issuer: str, serial: str) -> Response:
        """Revoke for good."""
        record = self._revocable(issuer, serial)
        officer = acting(self.parts, Act.REVOKE)
        reason = Reason.from_label(read_form(RevocationForm).reason)
        self.parts.statuses.revoke(
            record.issuer, record.serial_number, reason, officer.id, utc_now()
        )
        return see(
            url_for("pages.certificate", issuer=record.issuer, serial=record.serial_number.hex)
        )

    def _revocable(self, issuer: str, serial: str) -> CertificateRecord:
        acting(self.parts, Act.REVOKE)
        record = self._record(issuer, serial)
        if record.status != "issued":
            raise Conflict(f"certificate {record.issuer}/{record.serial_number.hex}", record.status)
        if self._is_issuer(record):
            # An issuer takes every certificate below it along: nobody does that on a page, alone.
            raise NotAllowed("system operator")
        return record

    def _record(self, issuer: str, serial: str) -> CertificateRecord:
        try:
            place = IssuerName(issuer), SerialNumber.from_hex(serial)
        except ValueError:
            raise NotFound("certificate", f"{issuer}/{serial}") from None
        return self.parts.certificates.record(*place)

    def _is_issuer(self, record: CertificateRecord) -> bool:
        serials = {
            each.certificate.serial_number
            for issuer in self.parts.issuers.all()
            for each in issuer.certificates
        }
        return record.serial_number in serials


def _wanted(asked: str) -> dict[str, str] | None:
    """The column that the question is about; None when it is of no form that can be found."""
    if not asked:
        return {}
    try:
        return {"application_id": ApplicationId(asked.upper())}
    except MalformedField:
        pass
    try:
        return {"serial": SerialNumber.from_hex(asked.replace(" ", "")).hex}
    except ValueError:
        return None
