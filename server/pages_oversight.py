"""The pages of erasure and audit: how far a case has come, and what happened when."""

from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for

from audit.errors import HeaderMalformed
from audit.events import Header, parse_header
from gdpr_erasure.erasures import Approval, ErasureState
from gdpr_erasure.saga import cancel_erasure
from records.audit_log import audit_log
from records.errors import NotFound
from server.access import Act
from server.assembly import Assembly
from server.clock import utc_now
from server.erasures import approve
from server.pages_forms import BeginForm, EmptyForm, read_form
from server.pages_frame import acting, render, see

_PAGE = 50
_STATIONS = tuple(
    state for state in ErasureState if state not in {ErasureState.SCHEDULED, ErasureState.CANCELLED}
)


@dataclass(frozen=True, slots=True)
class ErasurePages:
    """Erasure cases as stations."""

    parts: Assembly

    def register(self, blueprint: Blueprint) -> None:
        """Add the pages to the blueprint."""
        add = blueprint.add_url_rule
        add("/erasures", "erasures", self.erasures)
        add("/erasures/<case_id>", "erasure", self.erasure)
        add("/erasures/<case_id>/receipt", "receipt", self.receipt)
        add("/erasures/<case_id>/approve", "approve_erasure", self.approve, methods=["POST"])
        add("/erasures/<case_id>/cancel", "cancel_erasure", self.cancel, methods=["POST"])

    def erasures(self) -> Response:
        """Every case, the newest first."""
        acting(self.parts, Act.ERASE)
        return render("erasures", cases=self.parts.erasures.all())

    def erasure(self, case_id: str) -> Response:
        """One case, its stations, and what was seen at them."""
        acting(self.parts, Act.ERASE)
        case = self.parts.erasures.erasure(case_id)
        station = ErasureState.SEALED if case.state is ErasureState.SCHEDULED else case.state
        reached = _STATIONS.index(station) if station in _STATIONS else -1
        return render("erasure", case=case, stations=list(enumerate(_STATIONS)), reached=reached)

    def receipt(self, case_id: str) -> Response:
        """The signed receipt as a file."""
        acting(self.parts, Act.ERASE)
        case = self.parts.erasures.erasure(case_id)
        if case.receipt is None:
            raise NotFound("receipt of erasure", case.id)
        answer = Response(case.receipt, mimetype="text/plain")
        answer.headers["Content-Disposition"] = f'attachment; filename="{case.id}.txt"'
        return answer

    def approve(self, case_id: str) -> Response:
        """Approve exactly the rulings that the page showed; the second person lets it begin."""
        officer = acting(self.parts, Act.ERASE)
        form = read_form(BeginForm)
        approve(self.parts, case_id, Approval(officer.id, form.sha256), utc_now())
        return see(url_for("pages.erasure", case_id=case_id))

    def cancel(self, case_id: str) -> Response:
        """End a case before it is frozen."""
        officer = acting(self.parts, Act.ERASE)
        read_form(EmptyForm)
        cancel_erasure(self.parts.erasures, case_id, officer.id, utc_now())
        return see(url_for("pages.erasure", case_id=case_id))


@dataclass(frozen=True, slots=True)
class AuditPages:
    """The audit log as a timeline."""

    parts: Assembly

    def register(self, blueprint: Blueprint) -> None:
        """Add the page to the blueprint."""
        blueprint.add_url_rule("/audit", "audit", self.audit)

    def audit(self) -> Response:
        """Fifty events before the sequence number `before`, the newest first."""
        acting(self.parts, Act.AUDIT)
        with audit_log(self.parts.database) as log:
            size = log.size()
            before = min(max(request.args.get("before", size, type=int), 0), size)
            start = max(before - _PAGE, 0)
            entries = list(log.page(start, before))
            head = log.latest_head()
        events = [
            (entry.sequence, _header(entry.header), not entry.header) for entry in reversed(entries)
        ]
        return render(
            "audit",
            events=events,
            missing=before - start - len(events),
            head=head,
            size=size,
            older=start if start > 0 else None,
            newer=min(before + _PAGE, size) if before < size else None,
        )


def _header(octets: bytes) -> Header | None:
    """What the entry says; None for one that is no header, which an auditor must see."""
    try:
        return parse_header(octets)
    except HeaderMalformed:
        return None
