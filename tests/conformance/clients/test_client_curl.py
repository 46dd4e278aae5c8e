"""curl: `--crlfile`, and `--cert-status` with what the TLS server staples."""

import re

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
from tests.support.tls_servers import stapling

_SIGNS = {
    "certificate revoked": Verdict.REVOKED,
    "revocation reason": Verdict.REVOKED,
    "certificate has expired": Verdict.EXPIRED,
    "certificate status verification FAILED": Verdict.UNKNOWN,
    "answered 200": Verdict.GOOD,
}
# It has no word for this one, and takes no reason for the number -1.
_WORDS = {reason: f"{reason.label} ({int(reason)})" for reason in Reason} | {
    Reason.PRIVILEGE_WITHDRAWN: "(UNKNOWN) (9)",
    Reason.UNSPECIFIED: "(UNKNOWN) (-1)",
}


def _curl(party: Party, state: State, *options: str) -> Said:
    ran = run(
        *("curl", "--silent", "--show-error", "--write-out", "answered %{http_code}"),
        *("--cacert", party.file("root.pem"), *options),
        f"https://127.0.0.1:{party.port(stapling(state))}/",
    )
    reason = re.search(r"revocation reason: (.*)", ran.text)
    return Said(first_of(ran.text, _SIGNS), ran.text, reason and reason[1])


def _by_crl(party: Party, state: State) -> Said:
    return _curl(party, state, "--crlfile", party.file("crls.pem"))


def _by_staple(party: Party, state: State) -> Said:
    return _curl(party, state, "--cert-status")


CLIENTS = (
    Client("curl --crlfile", Channel.CRL, _by_crl),
    Client("curl --cert-status", Channel.STAPLE, _by_staple, words=_WORDS),
)


@each_cell(*CLIENTS)
def test_curl_sees_each_state(nginx: Party, client: Client, state: State) -> None:
    client.check(nginx, state)
