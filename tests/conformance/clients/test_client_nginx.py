"""nginx: `ssl_crl` and `ssl_ocsp` for those who call it, `ssl_stapling` for its own certificate."""

from tests.support.service import until
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
from tests.support.tls_servers import as_client, fetching

_SIGNS = {
    "certificate revoked": Verdict.REVOKED,
    "certificate has expired": Verdict.EXPIRED,
    "certificate status unknown": Verdict.UNKNOWN,
    "SUCCESS": Verdict.GOOD,
}


def _by_crl(party: Party, state: State) -> Said:
    text = as_client(party, state, "nginx-crl")
    return Said(first_of(text, _SIGNS), text)


def _by_ocsp(party: Party, state: State) -> Said:
    text = as_client(party, state, "nginx-ocsp")
    return Said(first_of(text, _SIGNS), text)


def _for_stapling(party: Party, state: State) -> Said:
    """What it staples is good; of anything else it writes in its log and staples nothing."""
    port, log = party.port(fetching(state)), party.folder / "nginx.log"
    said = Said(None, "")

    def is_seen() -> bool:
        nonlocal said
        connect = ("openssl", "s_client", "-status", "-connect", f"127.0.0.1:{port}")
        text = run(*connect).text
        if "Cert Status: good" in text:
            said = Said(Verdict.GOOD, text)
        for line in log.read_text().splitlines():
            if line.endswith(f'/{state.name}.chain.pem"') and "certificate status" in line:
                said = Said(Verdict(line.split('"')[1]), line)
        return said.verdict is not None

    until("nginx knows", is_seen, rest=0.01)
    return said


CLIENTS = (
    Client("nginx ssl_crl", Channel.CRL, _by_crl, meanwhile=frozenset({"GET"})),  # it staples, too
    Client("nginx ssl_ocsp", Channel.GET, _by_ocsp),
    Client("nginx ssl_stapling", Channel.GET, _for_stapling, by_path=False),
)


@each_cell(*CLIENTS)
def test_nginx_sees_each_state(nginx: Party, client: Client, state: State) -> None:
    client.check(nginx, state)
