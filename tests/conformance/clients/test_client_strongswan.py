"""strongSwan: `pki --verify --online`, by OCSP (POST) alone and by the CRLs it fetches alone."""

import re
from functools import cache

from revocation.reasons import Reason
from tests.support.status_matrix import (
    Channel,
    Client,
    Party,
    Said,
    State,
    Verdict,
    each_cell,
    first_of,
    run,
)

_SIGNS = {
    ", certificate not revoked": Verdict.GOOD,  # what one list said, another may take back
    "certificate was revoked": Verdict.REVOKED,
    "subject certificate invalid": Verdict.EXPIRED,
    "contains no status on our certificate": Verdict.UNKNOWN,
    "certificate status is good": Verdict.GOOD,
}
WORDS = {
    Reason.UNSPECIFIED: "unspecified",
    Reason.KEY_COMPROMISE: "key compromise",
    Reason.CA_COMPROMISE: "ca compromise",
    Reason.AFFILIATION_CHANGED: "affiliation changed",
    Reason.SUPERSEDED: "superseded",
    Reason.CESSATION_OF_OPERATION: "cessation of operation",
    Reason.CERTIFICATE_HOLD: "certificate hold",
    Reason.PRIVILEGE_WITHDRAWN: "(9)",  # it has no word for it
}


@cache
def _settings(party: Party, left_out: str) -> str:
    file = party.folder / f"strongswan-{left_out}.conf"
    off = f"revocation {{ enable_{left_out} = no }}"
    file.write_text(f"pki {{ load_modular = no\n plugins {{ {off} }} }}\n")
    return str(file)


def _verify(party: Party, state: State, left_out: str, *given: str) -> Said:
    ran = run(
        *("pki", "--verify", "--online", "--in", party.file(f"{state.name}.pem")),
        *("--cacert", party.file(f"{state.name}.issuer.pem")),
        *("--cacert", party.file("root.pem"), *given),
        STRONGSWAN_CONF=_settings(party, left_out),
    )
    reason = re.search(r"certificate was revoked .*, reason: (.*)", ran.text)
    return Said(first_of(ran.text, _SIGNS), ran.text, reason and reason[1])


def _by_ocsp(party: Party, state: State) -> Said:
    return _verify(party, state, "crl")


def by_crl(party: Party, state: State, *crls: str) -> Said:
    """By these CRLs, and by those that it fetches."""
    given = (part for crl in crls for part in ("--crl", party.file(crl)))
    return _verify(party, state, "ocsp", *given)


CLIENTS = (
    Client("pki --verify --online, OCSP", Channel.POST, _by_ocsp, words=WORDS),
    Client("pki --verify --online, CRL", Channel.CRL, by_crl, words=WORDS),
)


@each_cell(*CLIENTS)
def test_strongswan_sees_each_state(party: Party, client: Client, state: State) -> None:
    client.check(party, state)
