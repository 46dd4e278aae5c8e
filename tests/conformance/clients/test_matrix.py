"""What the matrix rests on: the premises of its states, and that no cell is left out."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from revocation.reasons import Reason
from tests.support.status_matrix import BY_NAME, STATES, Party, State, Verdict, run
from tests.support.status_town import Town
from tests.support.workshop import rows


def _responder(party: Party, state: State, tmp_path: Path) -> x509.Certificate:
    answer = tmp_path / "answer.der"
    run(
        *("openssl", "ocsp", "-no_nonce", "-issuer", party.file(f"{state.name}.issuer.pem")),
        *("-cert", party.file(f"{state.name}.pem"), "-url", party.ocsp_url(state)),
        *("-noverify", "-respout", str(answer)),
    )
    (signer,) = ocsp.load_der_ocsp_response(answer.read_bytes()).certificates
    return signer


def _leaf(party: Party, state: State) -> x509.Certificate:
    return x509.load_pem_x509_certificate((party.folder / f"{state.name}.pem").read_bytes())


def test_two_signers_of_one_key_answer_for_the_older_generation(
    party: Party, tmp_path: Path
) -> None:
    before = _responder(party, BY_NAME["older-responder"], tmp_path)
    after = _responder(party, BY_NAME["older-good"], tmp_path)
    assert before.public_key() == after.public_key()
    assert before.not_valid_after_utc < after.not_valid_after_utc


def test_both_generations_have_one_name_and_two_keys(party: Party) -> None:
    older, newer = (
        x509.load_pem_x509_certificate((party.folder / f"{name}.pem").read_bytes())
        for name in ("issuing", "issuing-2")
    )
    assert older.subject == newer.subject
    assert older.public_key() != newer.public_key()


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_what_is_unissued_and_only_that_is_in_no_record(town: Town, state: State) -> None:
    leaf = _leaf(town.party, state)
    query = f"SELECT status FROM certificate WHERE serial = '{leaf.serial_number:036x}'"  # noqa: S608 - ours
    known = {Verdict.UNKNOWN: [], Verdict.REVOKED: [("revoked",)], Verdict.GOOD: [("issued",)]}
    on_hold = state.reason is Reason.CERTIFICATE_HOLD
    assert rows(town.service, query) == ([("held",)] if on_hold else known[state.status])
    issuer = x509.load_pem_x509_certificate(
        (town.party.folder / f"{state.name}.issuer.pem").read_bytes()
    )
    leaf.verify_directly_issued_by(issuer)


@pytest.mark.parametrize("name", ["issuing", "issuing-2"])
def test_a_crl_lists_what_its_own_key_signed_and_nothing_else(party: Party, name: str) -> None:
    crl = x509.load_pem_x509_crl((party.folder / f"{name}.crl").read_bytes())
    revoked = {
        x509.load_pem_x509_certificate(
            (party.folder / f"{state.name}{kind}.pem").read_bytes()
        ).serial_number
        for state in STATES
        for kind in ("", ".client")
        if state.generation == name and state.reason is not None
    }
    assert {entry.serial_number for entry in crl} == revoked
