"""wget: `--crl-file`."""

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
    "has been revoked": Verdict.REVOKED,
    "has expired": Verdict.EXPIRED,
    "200 OK": Verdict.GOOD,
}


def _by_crl(party: Party, state: State) -> Said:
    ran = run(
        *("wget", "--output-document=-", "--tries=1", "--no-hsts", "--no-config"),
        *("--ca-certificate", party.file("root.pem")),
        *("--crl-file", party.file(f"{state.generation}.crls.pem")),
        f"https://127.0.0.1:{party.port(stapling(state))}/",
    )
    return Said(first_of(ran.text, _SIGNS), ran.text)


CLIENTS = (Client("wget --crl-file", Channel.CRL, _by_crl),)


@each_cell(*CLIENTS)
def test_wget_sees_each_state(nginx: Party, client: Client, state: State) -> None:
    client.check(nginx, state)
