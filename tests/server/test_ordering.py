"""Orders from request files: which name the subject has."""

import pytest

from ca.errors import Refused
from ca.issuance import prepare
from ca.requests import CertificationRequest
from ca.rules import lint
from server.ordering import server_order
from tests.support.ca_builders import NOW, a_key, an_issuer
from tests.support.pkilint_findings import pkilint_findings

LONG = f"{'a' * 50}.{'b' * 50}.example"
EXACT = f"{'c' * 56}.example"
REQUEST = CertificationRequest(a_key().public_key(), (), b"")


@pytest.mark.parametrize("profile", ["tls-server", "tls-client"])
@pytest.mark.parametrize(
    ("hosts", "named"),
    [
        (("web.example", LONG), "web.example"),
        ((LONG, "web.example"), "web.example"),
        ((EXACT, "web.example"), EXACT),
        ((LONG, "192.0.2.1"), "192.0.2.1"),
    ],
)
def test_the_subject_is_named_by_the_first_host_that_it_can_hold(
    profile: str, hosts: tuple[str, ...], named: str
) -> None:
    order = server_order(profile, REQUEST, hosts)
    assert order.host_names == hosts
    assert order.subject.attributes == (("CN", named),)
    prepared = prepare(order, an_issuer(), NOW)
    lint(prepared.copy, prepared.content)
    assert pkilint_findings(prepared.copy) == set()


def test_hosts_that_are_all_longer_are_refused_as_hosts() -> None:
    with pytest.raises(Refused, match="no host name has 64 octets or fewer") as refused:
        server_order("tls-server", REQUEST, (LONG, f"www.{LONG}"))
    (finding,) = refused.value.findings
    assert finding.rule == "name.host"
