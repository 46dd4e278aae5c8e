"""The pages about certificates: find one, see how it stands, revoke it."""

from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for

from ca.identifiers import IssuerName, SerialNumber
from ra.applications import ApplicationId
from ra.errors import MalformedField
from records.certificate_rows import CertificateRecord
from records.errors import Conflict, NotFound
from revocation.causes import Cause
from server.access import RIGHTS, Act
from server.assembly import Assembly
from server.clock import utc_now
from server.errors import NotAllowed
from server.pages_forms import EmptyForm, HoldForm, RevocationForm, read_form
from server.pages_frame import acting, render, see
from server.revocations import (
    grounds_of,
    hold_certificate,
    is_issuer,
    may_be_held,
    release_certificate,
    revoke_certificate,
)

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
        add(f"{one}/hold", "suspension", self.suspension)
        add(f"{one}/hold", "hold", self.hold, methods=["POST"])
        add(f"{one}/release", "release", self.release, methods=["POST"])

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
            may_revoke=record.status in {"issued", "held"}
            and Act.REVOKE in RIGHTS[officer.role]
            and not is_issuer(self.parts, _place(record)),
            may_hold=record.status == "issued"
            and Act.REVOKE in RIGHTS[officer.role]
            and may_be_held(record.profile),
            may_release=record.status == "held" and Act.RELEASE in RIGHTS[officer.role],
        )

    def revocation(self, issuer: str, serial: str) -> Response:
        """Ask for the reason, and say what cannot be undone."""
        return render("revoke", certificate=self._revocable(issuer, serial))

    def revoke(self, issuer: str, serial: str) -> Response:
        """Revoke for good."""
        record = self._revocable(issuer, serial)
        officer = acting(self.parts, Act.REVOKE)
        form = read_form(RevocationForm)
        grounds = grounds_of(form.cause, None, form.invalid_since or None)
        revoke_certificate(self.parts, _place(record), grounds, officer.id, utc_now())
        return _see_again(record)

    def suspension(self, issuer: str, serial: str) -> Response:
        """Ask for the cause of a hold."""
        acting(self.parts, Act.REVOKE)
        record = self._record(issuer, serial)
        return render("hold", certificate=record, days=self._longest_hold())

    def hold(self, issuer: str, serial: str) -> Response:
        """Put on hold."""
        officer = acting(self.parts, Act.REVOKE)
        record, cause = self._record(issuer, serial), Cause(read_form(HoldForm).cause)
        hold_certificate(self.parts, _place(record), cause, officer.id, utc_now())
        return _see_again(record)

    def release(self, issuer: str, serial: str) -> Response:
        """Lift a hold."""
        officer = acting(self.parts, Act.RELEASE)
        record = self._record(issuer, serial)
        read_form(EmptyForm)
        release_certificate(self.parts, _place(record), officer, utc_now())
        return _see_again(record)

    def _longest_hold(self) -> int:
        return self.parts.settings.revocation.longest_hold_days

    def _revocable(self, issuer: str, serial: str) -> CertificateRecord:
        acting(self.parts, Act.REVOKE)
        record = self._record(issuer, serial)
        if record.status not in {"issued", "held"}:
            raise Conflict(f"certificate {record.issuer}/{record.serial_number.hex}", record.status)
        if is_issuer(self.parts, _place(record)):
            # An issuer takes every certificate below it along: nobody does that on a page, alone.
            raise NotAllowed("system operator")
        return record

    def _record(self, issuer: str, serial: str) -> CertificateRecord:
        try:
            place = IssuerName(issuer), SerialNumber.from_hex(serial)
        except ValueError:
            raise NotFound("certificate", f"{issuer}/{serial}") from None
        return self.parts.certificates.record(*place)


def _place(record: CertificateRecord) -> tuple[IssuerName, SerialNumber]:
    return record.issuer, record.serial_number


def _see_again(record: CertificateRecord) -> Response:
    return see(url_for("pages.certificate", issuer=record.issuer, serial=record.serial_number.hex))


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
