"""apache: `SSLCARevocationCheck` and `SSLOCSPEnable` for those who call it."""

from functools import partial

from tests.support.status_matrix import (
    Channel,
    Client,
    Party,
    Said,
    State,
    Verdict,
    each_cell,
    first_of,
)
from tests.support.tls_servers import as_client

_SIGNS = {
    "alert certificate revoked": Verdict.REVOKED,
    "alert certificate expired": Verdict.EXPIRED,
    "alert handshake failure": Verdict.UNKNOWN,
    "answered 204": Verdict.GOOD,
}


def _as_client(port: str, party: Party, state: State) -> Said:
    text = as_client(party, state, port)
    return Said(first_of(text, _SIGNS), text)


CLIENTS = (
    Client("apache SSLCARevocationCheck", Channel.CRL, partial(_as_client, "apache-crl")),
    Client("apache SSLOCSPEnable", Channel.POST, partial(_as_client, "apache-ocsp")),
)


@each_cell(*CLIENTS)
def test_apache_sees_each_state(apache: Party, client: Client, state: State) -> None:
    client.check(apache, state)
