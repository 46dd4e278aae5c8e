"""OpenSSL: `verify` by CRL, `ocsp` by POST, and by GET what curl fetched."""

import re
from base64 import b64encode
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from revocation.reasons import Reason
from tests.support.status_matrix import (
    BY_NAME,
    STATES,
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
    "certificate revoked": Verdict.REVOKED,
    "certificate has expired": Verdict.EXPIRED,
    "different CRL scope": Verdict.UNKNOWN,
    ".pem: OK": Verdict.GOOD,
}
# It has no word for this one, and an unspecified one is not in the answer (RFC 5280 5.3.1).
_WORDS = {reason: reason.label for reason in Reason} | {
    Reason.PRIVILEGE_WITHDRAWN: "(UNKNOWN)",
    Reason.UNSPECIFIED: None,
}


def verify(party: Party, state: State, *crls: str) -> Said:
    ran = run(
        *("openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore"),
        *("-CAfile", party.file("root.pem"), "-untrusted", party.file("between.pem")),
        *(*crls, party.file(f"{state.name}.pem")),
    )
    return Said(first_of(ran.text, _SIGNS), ran.text)


def _by_file(party: Party, state: State) -> Said:
    return verify(party, state, "-crl_check_all", "-CRLfile", party.file("crls.pem"))


def _by_download(party: Party, state: State) -> Said:
    # It takes the root's CRL from the root certificate's own address, which has none.
    return verify(party, state, "-crl_check", "-crl_download")


def _about(party: Party, state: State, *options: str) -> list[str]:
    issuer, asked = party.file(f"{state.name}.issuer.pem"), party.file(f"{state.name}.pem")
    return ["openssl", "ocsp", *options, "-issuer", issuer, "-cert", asked]


def _said(text: str, name: str) -> Said:
    found = re.search(rf"{name}\.pem: (\w+)", text)
    assert "Response verify OK" in text, text
    assert "WARNING" not in text, text
    reason = re.search(r"Reason: (.+)", text)
    return Said(Verdict(found[1]) if found else None, text, reason and reason[1])


def _by_post(options: tuple[str, ...], party: Party, state: State) -> Said:
    trust = ("-url", party.ocsp_url(state), "-CAfile", party.file("root.pem"))
    return _said(run(*_about(party, state, *options), *trust).text, state.name)


def _by_get(party: Party, state: State) -> Said:
    """Asks by a request in the path (RFC 6960 A.1): curl sends it, openssl made it and judges."""
    request, answer = party.file("asked.der"), party.file("answered.der")
    run(*_about(party, state, "-no_nonce"), "-reqout", request)
    encoded = quote(b64encode(Path(request).read_bytes()), safe="")
    run("curl", "--silent", "--fail", "--output", answer, f"{party.ocsp_url(state)}/{encoded}")
    judged = ("-respin", answer, "-CAfile", party.file("root.pem"))
    return _said(run(*_about(party, state, "-no_nonce"), *judged).text, state.name)


def _ocsp(name: str, *options: str) -> Client:
    ask = partial(_by_post, options)
    return Client(f"openssl ocsp {name}", Channel.POST, ask, by_path=False, words=_WORDS)


CLIENTS = (
    Client("openssl verify -CRLfile", Channel.CRL, _by_file),
    Client("openssl verify -crl_download", Channel.CRL, _by_download),
    _ocsp("SHA-1, nonce", "-sha1", "-nonce"),
    _ocsp("SHA-1, no nonce", "-sha1", "-no_nonce"),
    _ocsp("SHA-256, nonce", "-sha256", "-nonce"),
    _ocsp("SHA-256, no nonce", "-sha256", "-no_nonce"),
    Client("openssl ocsp in the path", Channel.GET, _by_get, by_path=False, words=_WORDS),
)


@each_cell(*CLIENTS)
def test_openssl_sees_each_state(party: Party, client: Client, state: State) -> None:
    client.check(party, state)


@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
def test_openssl_hears_of_several_certificates_at_once(party: Party, digest: str) -> None:
    asked = [state for state in STATES if state.generation == "issuing-2"][:10]
    ran = run(
        *("openssl", "ocsp", digest, "-issuer", party.file("issuing-2.pem")),
        *(part for state in asked for part in ("-cert", party.file(f"{state.name}.pem"))),
        *("-url", party.ocsp_url(asked[0]), "-CAfile", party.file("root.pem")),
    )
    told = {state.name: _said(ran.text, state.name).verdict for state in asked}
    assert told == {state.name: state.status for state in asked}


def test_openssl_hears_nothing_good_of_a_serial_that_nobody_has(party: Party) -> None:
    ran = run(
        *("openssl", "ocsp", "-issuer", party.file("issuing-2.pem"), "-serial", "0x4f" + "a5" * 17),
        *("-url", party.ocsp_url(BY_NAME["good"]), "-CAfile", party.file("root.pem")),
    )
    assert ": unknown" in ran.text
