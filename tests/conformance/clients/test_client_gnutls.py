"""GnuTLS: `certtool` by CRL, `ocsptool` by POST, `gnutls-cli` by what a TLS server staples."""

import re

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
    "certificate chain is revoked": Verdict.REVOKED,
    "expired certificate": Verdict.EXPIRED,
    "Chain verification output: Verified.": Verdict.GOOD,
    "Handshake was completed": Verdict.GOOD,
}


def certtool(party: Party, state: State, *crls: str) -> Said:
    ran = run(
        *("certtool", "--verify", "--infile", party.file(f"{state.name}.chain.pem")),
        *("--load-ca-certificate", party.file("root.pem")),
        *(part for crl in crls for part in ("--load-crl", party.file(crl))),
    )
    return Said(first_of(ran.text, _SIGNS), ran.text)


def _by_crl(party: Party, state: State) -> Said:
    return certtool(party, state, f"{state.generation}.crls.pem")


def _by_ocsp(party: Party, state: State) -> Said:
    ran = run(
        *("ocsptool", f"--ask={party.ocsp_url(state)}"),
        *("--load-cert", party.file(f"{state.name}.pem")),
        *("--load-issuer", party.file(f"{state.name}.issuer.pem")),
        *("--load-trust", party.file("all.pem")),
    )
    assert "Verifying OCSP Response: Success" in ran.text, ran.text
    told = re.search(r"Certificate Status: (\w+)", ran.text)
    return Said(Verdict(told[1]) if told else None, ran.text)


def _by_staple(party: Party, state: State) -> Said:
    port = str(party.port(stapling(state)))
    trusted = ("--x509cafile", party.file("root.pem"))
    ran = run("gnutls-cli", *trusted, "--port", port, "127.0.0.1")
    assert "OCSP status request" in ran.text or "NOT trusted" in ran.text, ran.text
    return Said(first_of(ran.text, _SIGNS), ran.text)


CLIENTS = (
    Client("certtool --load-crl", Channel.CRL, _by_crl),
    Client("ocsptool --ask", Channel.POST, _by_ocsp, by_path=False),
    # It holds only a stapled "revoked" against a server.
    Client("gnutls-cli", Channel.STAPLE, _by_staple, known_as={"unissued": Verdict.GOOD}),
)


@each_cell(*CLIENTS)
def test_gnutls_sees_each_state(nginx: Party, client: Client, state: State) -> None:
    client.check(nginx, state)
