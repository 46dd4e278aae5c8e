"""The pages about bulk revocation: plan one from a list, look at it, and begin it as the second."""

from dataclasses import dataclass

from flask import Blueprint, Response, url_for

from revocation.selections import Selection, read_list
from server.access import Act
from server.assembly import Assembly
from server.clock import utc_now
from server.pages_forms import BeginForm, PlanForm, read_form
from server.pages_frame import acting, render, see
from server.revocations import grounds_of


@dataclass(frozen=True, slots=True)
class RevocationPages:
    """Many certificates at once; two persons."""

    parts: Assembly

    def register(self, blueprint: Blueprint) -> None:
        """Add the pages to the blueprint."""
        add = blueprint.add_url_rule
        add("/revocations", "revocations", self.newest)
        add("/revocations", "plan", self.plan, methods=["POST"])
        add("/revocations/<bulk_id>", "bulk", self.bulk)
        add("/revocations/<bulk_id>/begin", "begin", self.begin, methods=["POST"])

    def newest(self) -> Response:
        """The newest ones, and the form for another plan."""
        acting(self.parts, Act.REVOKE)
        found = self.parts.bulk_revocations.all()
        return render("revocations", found=found, alone=self._alone())

    def plan(self) -> Response:
        """Write down what a list selects; nothing is revoked yet."""
        officer = acting(self.parts, Act.REVOKE)
        form = read_form(PlanForm)
        selection = Selection(read_list(form.certificates.splitlines()))
        grounds = grounds_of(form.cause, None, None)
        planned = self.parts.bulk_revocations.plan(selection, grounds, officer.id, utc_now())
        return see(url_for("pages.bulk", bulk_id=planned.id))

    def bulk(self, bulk_id: str) -> Response:
        """What is selected, its digest, and how far it is."""
        acting(self.parts, Act.REVOKE)
        found = self.parts.bulk_revocations.get(bulk_id)
        counts = self.parts.bulk_revocations.counts(bulk_id)
        return render("bulk", bulk=found, counts=counts, alone=self._alone())

    def begin(self, bulk_id: str) -> Response:
        """Confirm the digest that the page showed."""
        officer = acting(self.parts, Act.REVOKE)
        digest = read_form(BeginForm).sha256
        self.parts.bulk_revocations.begin(bulk_id, digest, officer.id, utc_now())
        return see(url_for("pages.bulk", bulk_id=bulk_id))

    def _alone(self) -> int:
        return self.parts.settings.revocation.alone_per_hour
