"""Clients that are given the CRLs of both keys of an authority at once, which share their name.

RFC 5280 tells them apart by the key that signed (sections 5.2.1 and 6.3.3). OpenSSL, Java and
pyhanko do; GnuTLS and NSS keep one CRL for a name, so docs/hierarchy.md says what to give them.
"""

from pathlib import Path

import pytest

from tests.support.status_matrix import Party, run

OLDER, NEWER = "older-revoked", "revoked-superseded"


@pytest.mark.parametrize("order", [("issuing", "issuing-2"), ("issuing-2", "issuing")])
@pytest.mark.parametrize("leaf", [OLDER, NEWER])
def test_openssl_finds_the_crl_of_the_right_key(
    party: Party, tmp_path: Path, order: tuple[str, str], leaf: str
) -> None:
    crls = tmp_path / "crls.pem"
    lists = ((party.folder / f"{name}.crl").read_bytes() for name in ("root", *order))
    crls.write_bytes(b"".join(lists))
    ran = run(
        *("openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-crl_check_all"),
        *("-CRLfile", str(crls), "-CAfile", party.file("root.pem")),
        *("-untrusted", party.file("between.pem"), party.file(f"{leaf}.pem")),
    )
    assert "certificate revoked" in ran.text


def _certtool(party: Party, *crls: str) -> str:
    return run(
        *("certtool", "--verify", "--infile", party.file(f"{OLDER}.chain.pem")),
        *("--load-ca-certificate", party.file("root.pem")),
        *(part for crl in crls for part in ("--load-crl", party.file(crl))),
    ).text


def test_gnutls_forgets_the_crl_of_one_key_for_that_of_the_other(party: Party) -> None:
    assert "chain is revoked" in _certtool(party, "issuing.crls.pem")
    assert "Chain verification output: Verified." in _certtool(party, "crls.pem")


def test_nss_takes_no_crl_of_a_second_key(party: Party, tmp_path: Path) -> None:
    where = ("-d", f"sql:{tmp_path}")
    run("certutil", "-N", *where, "--empty-password")
    said = {}
    for name in ("root", "issuing", "issuing-2"):
        run("certutil", "-A", *where, "-n", name, "-t", "CT,C,C", "-i", party.file(f"{name}.pem"))
    for name in ("issuing", "issuing-2"):
        said[name] = run("crlutil", "-I", *where, "-i", party.file(f"{name}.crl.der")).code
    assert sorted(said.values()) == [0, 1]
