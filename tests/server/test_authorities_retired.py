"""The end of an issuer: nothing alive, a last CRL, no key."""

import itertools
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from ca.errors import Conflict, Refused
from ca.identifiers import IssuerName
from ca.issuers import IssuerState
from hsm.errors import KeyNotFound
from hsm.key_kinds import KeyKind
from hsm.token import Token
from records.errors import RuleBroken
from revocation.publication import NEVER
from server.clock import utc_now
from server.errors import IssuerOffline
from server.fresh_look import is_gone
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from server.retirement import retire_issuer
from server.tokens import Tokens
from tests.support.authorities import OPERATOR, Site
from tests.support.hierarchy import (
    openssl_says,
)
from tests.support.imported_keys import put_key
from tests.support.installation import an_installation
from tests.support.ocsp_client import request_for, said
from tests.support.softhsm import SoftHsm
from tests.support.wsgi import ask


def test_an_issuer_is_not_retired_while_something_that_it_issued_is_valid(site: Site) -> None:
    site.leaf()
    with pytest.raises(Refused, match="1 certificates of issuing are valid until"):
        site.retire("issuing")
    with pytest.raises(RuleBroken, match="PKI27"):
        site.parts.issuers.retire(IssuerName("issuing"), utc_now())
    assert site.parts.issuers.get("issuing").state is IssuerState.ACTIVE


def test_a_retired_issuer_leaves_a_last_crl_and_no_key(site: Site) -> None:
    leaf = site.leaf()
    site.rekey("issuing")
    token, label = site.parts.settings.hsm.issuing_token, "issuing-ca"
    assert not is_gone(site.parts.settings, token, label)
    done = [step.done for step in site.retire("issuing", revoke=True)]
    assert done[-1] == f"key issuing-ca destroyed in {token}"
    assert is_gone(site.parts.settings, token, label)
    assert not is_gone(site.parts.settings, token, "issuing-ca-2")
    last = x509.load_der_x509_crl(ask(site.app, "/crl/issuing.crl").body)
    assert last.next_update_utc == NEVER
    assert last.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None
    record = site.parts.issuers.get("issuing")
    assert record.state is IssuerState.RETIRED
    assert record.key_destroyed_at is not None
    assert site.events()[-1] == "issuer.key_destroyed"
    assert run_job("renew-crls", site.parts, Metrics.of_process()) == 0
    assert run_job("own-certificates", site.parts, Metrics.of_process()) == 0
    app = PublicApp(site.parts, site.app.metrics)
    assert ask(app, "/readyz").status == 200
    asked = request_for(site.parts, leaf.serial_number)
    answer = said(ask(app, "/ocsp/issuing", "POST", asked))
    assert answer.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
    assert [step.done[:11] for step in site.retire("issuing")] == ["was retired"]
    root = site.file("root", site.certificate("root"))
    path = site.file("path", site.certificate("issuing"))
    crls = site.crls("root", "issuing")
    told = openssl_says(site.file("leaf", leaf), root, untrusted=path, crls=crls)
    assert "certificate revoked" in told
    assert site.leaf().issuer == record.subject  # by issuing-2


def test_what_was_not_seen_to_be_gone_is_not_called_so(site: Site) -> None:
    assert not is_gone(site.parts.settings, "no-such-token", "issuing-ca")
    assert is_gone(site.parts.settings, site.parts.settings.hsm.issuing_token, "no-such-key")


def test_a_root_whose_token_is_offline_is_not_begun_to_be_retired(site: Site) -> None:
    site.retire("issuing")
    with pytest.raises(IssuerOffline):
        site.retire("root", revoke=True)
    assert site.parts.issuers.get("root").state is IssuerState.ACTIVE
    assert site.parts.issuers.unended(IssuerName("root"), utc_now(), 10) != []


@pytest.mark.parametrize("told", range(4))
def test_a_retirement_that_was_interrupted_is_finished(site: Site, told: int) -> None:
    site.leaf()
    steps = retire_issuer(site.parts, "issuing", OPERATOR, utc_now(), revoke=True)
    list(itertools.islice(steps, told))
    steps.close()  # type: ignore[attr-defined]
    site.retire("issuing", revoke=True)
    assert site.parts.issuers.get("issuing").key_destroyed_at is not None
    latest = site.parts.crls.latest(IssuerName("issuing"))
    assert latest is not None
    assert latest.next_update == NEVER


def test_a_root_ends_after_what_stands_under_it(site: Site) -> None:
    with site.online():
        with pytest.raises(Refused, match="issuing issues under root"):
            site.retire("root", revoke=True)
        site.retire("issuing")
        with pytest.raises(Refused, match="1 certificates of root are valid"):
            site.retire("root")
        site.retire("root", revoke=True)
    assert site.parts.issuers.get("root").key_destroyed_at is not None
    with pytest.raises(Conflict):
        site.rekey("issuing")


def test_the_same_key_in_a_standby_is_destroyed_as_well(
    softhsm: SoftHsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SoftHSM clones no key: both are brought in, as if the first had been made in its token.
    monkeypatch.setattr(Tokens, "check_for_use", lambda *_: None)
    key = ec.generate_private_key(ec.SECP256R1())
    holders = [softhsm.store.create_token(f"twin-{word}") for word in ("a", "b")]
    for location in holders:
        put_key(Token.open(location), "issuing-ca", key)
    settings = {
        "TILLID_HSM__ROOT_TOKEN": "root-of-twins",
        "TILLID_HSM__ISSUING_TOKEN": "twin-a",
        "TILLID_HSM__ISSUING_STANDBY": "twin-b",
    }
    with an_installation(softhsm, tmp_path / "state", **settings) as parts:
        *_, last = retire_issuer(parts, "issuing", OPERATOR, utc_now(), revoke=True)
        assert last.done == "key issuing-ca destroyed in twin-a and twin-b"
        for location in holders:
            assert is_gone(parts.settings, location.label, "issuing-ca")
            assert not Token.open(location).has_key("issuing-ca")


def test_a_key_in_a_file_is_destroyed_as_well(softhsm: SoftHsm, tmp_path: Path) -> None:
    settings = {"TILLID_HSM__SOFTWARE_ML_DSA": "true", "TILLID_HSM__ISSUING_TOKEN": "of-files"}
    with an_installation(softhsm, tmp_path / "state", **settings) as parts:
        parts.tokens.generate("of-files", "post-quantum", KeyKind.ML_DSA_44)
        assert not is_gone(parts.settings, "of-files", "post-quantum")
        parts.tokens.destroy_key("of-files", "post-quantum")
        assert is_gone(parts.settings, "of-files", "post-quantum")
        with pytest.raises(KeyNotFound):
            parts.tokens.destroy_key("of-files", "post-quantum")
