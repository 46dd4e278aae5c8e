"""Delta CRLs: what changed since a CRL that somebody may still go by, read by other tools."""

import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.identifiers import SerialNumber
from revocation.crl import CrlHeader, build_crl, check_crl
from revocation.crl_entries import encode_removal
from revocation.crl_issue import IssuedCrl, Workplace, issue_list
from revocation.errors import CrlRefused, CrlRule
from revocation.publication import CrlPolicy, CrlScope
from revocation.reasons import Reason
from revocation.status import Revoked
from tests.support.revocation_lint import findings_in_crl
from tests.support.revocation_pki import ISSUER, Pki, write_pem
from tests.support.revocation_stores import MemoryCrlStore

PKI = Pki.new()
URL = "http://127.0.0.1:8080/crl/persons-g1/delta.crl"
POLICY = CrlPolicy(validity=timedelta(hours=10), renew_margin=timedelta(hours=1))
START = datetime.fromtimestamp(int(time.time()), UTC) - timedelta(hours=1)
HELD, REVOKED = Revoked(Reason.CERTIFICATE_HOLD, START), Revoked(Reason.SUPERSEDED, START)


def issue(store: MemoryCrlStore, now: datetime) -> IssuedCrl:
    scope = CrlScope(ISSUER, delta_url=URL)
    return issue_list(store, (PKI.issuing, scope), now, POLICY, Workplace())


def entries(der: bytes) -> dict[int, Reason]:
    found = {}
    for entry in x509.load_der_x509_crl(der):
        (reason,) = (each.value for each in entry.extensions)
        assert isinstance(reason, x509.CRLReason)
        found[entry.serial_number] = Reason.from_label(reason.reason.value)
    return found


def applied(complete: bytes, delta: bytes) -> dict[int, Reason]:
    """What a relying party holds that puts a delta on a complete CRL (RFC 5280 5.2.4)."""
    both = entries(complete) | entries(delta)
    return {serial: reason for serial, reason in both.items() if reason != Reason.REMOVE_FROM_CRL}


def test_a_delta_has_the_number_and_times_of_its_complete_crl_and_names_its_base() -> None:
    store = MemoryCrlStore()
    assert issue(store, START).delta is None
    issued = issue(store, START + timedelta(minutes=1))
    delta = x509.load_der_x509_crl(store.deltas[-1][1])
    complete = x509.load_der_x509_crl(store.der())
    kinds = [type(each.value) for each in delta.extensions if each.critical]
    assert kinds == [x509.DeltaCRLIndicator]
    of = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator).value
    number = delta.extensions.get_extension_for_class(x509.CRLNumber).value
    assert (number.crl_number, of.crl_number) == (2, 1)
    assert issued.delta is not None
    assert (issued.delta.number, issued.delta.base) == (issued.record.number, 1)
    assert (delta.last_update_utc, delta.next_update_utc) == (
        complete.last_update_utc,
        complete.next_update_utc,
    )
    freshest = complete.extensions.get_extension_for_class(x509.FreshestCRL)
    assert not freshest.critical
    (point,) = freshest.value
    assert [name.value for name in point.full_name or ()] == [URL]


def test_its_base_is_the_oldest_crl_that_is_in_force() -> None:
    store = MemoryCrlStore()
    bases = []
    for hours in (0, 4, 8, 12, 16, 20):
        delta = issue(store, START + timedelta(hours=hours)).delta
        bases.append(delta and delta.base)
    assert bases == [None, 1, 1, 2, 3, 4]


SERIALS = st.integers(1, 6).map(SerialNumber)
STEPS = st.lists(st.tuples(st.sampled_from(["revoke", "hold", "release", "issue"]), SERIALS))


@settings(max_examples=60)
@given(STEPS)
def test_any_crl_in_force_with_the_delta_is_the_complete_one(
    steps: list[tuple[str, SerialNumber]],
) -> None:
    store, now = MemoryCrlStore(), START
    complete: list[tuple[CrlHeader, bytes]] = []
    for what, serial in [*steps, ("issue", SerialNumber(1)), ("issue", SerialNumber(1))]:
        if what == "issue":
            now += timedelta(hours=2)
            issue(store, now)
            header = check_crl(store.der(), PKI.issuing.certificate, now)
            complete.append((header, store.der()))
        elif what == "release" and store.revoked.get(serial) == HELD:
            store.release(serial)
        elif what in {"revoke", "hold"} and store.revoked.get(serial) != REVOKED:
            store.revoke(serial, REVOKED if what == "revoke" else HELD)
    delta = store.deltas[-1][1]
    base = check_crl(delta, PKI.issuing.certificate, now).base
    assert base is not None
    for header, der in complete:
        if header.next_update >= now:
            assert header.number >= base
            assert applied(der, delta) == entries(store.der())


def test_openssl_goes_by_an_old_complete_crl_and_the_delta(tmp_path: Path) -> None:
    store = MemoryCrlStore()
    released, revoked, good = (SerialNumber.random() for _ in range(3))
    store.revoke(released, HELD)
    issue(store, START)
    old = store.der()
    store.release(released)
    store.revoke(revoked, REVOKED)
    issue(store, START + timedelta(minutes=5))
    write_pem(tmp_path / "ca.pem", PKI.issuing.certificate)
    pem = [x509.load_der_x509_crl(d).public_bytes(Encoding.PEM) for d in (old, store.deltas[-1][1])]
    said = {}
    for name, serial in (("released", released), ("revoked", revoked), ("good", good)):
        write_pem(tmp_path / "leaf.pem", PKI.subscriber(serial))
        for way in ((), ("-use_deltas",)):
            (tmp_path / "crls.pem").write_bytes(b"".join(pem) if way else pem[0])
            done = subprocess.run(
                ["openssl", "verify", "-crl_check", *way, "-CAfile", tmp_path / "ca.pem",
                 "-CRLfile", tmp_path / "crls.pem", tmp_path / "leaf.pem"],
                capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            said[name, bool(way)] = "revoked" if "revoked" in done.stderr else done.returncode
    assert said == {
        ("released", False): "revoked",
        ("revoked", False): 0,
        ("good", False): 0,
        ("released", True): 0,
        ("revoked", True): "revoked",
        ("good", True): 0,
    }


def test_the_linter_finds_nothing_in_a_delta() -> None:
    store = MemoryCrlStore()
    store.revoke(SerialNumber.random(), HELD)
    issue(store, START)
    store.release(next(iter(store.revoked)))
    store.revoke(SerialNumber.random(), REVOKED)
    issue(store, START + timedelta(minutes=1))
    for der in (store.der(), store.deltas[-1][1]):
        assert findings_in_crl(der) == []


def test_what_only_a_delta_may_say_is_refused_in_a_complete_crl() -> None:
    removal = encode_removal(SerialNumber(3), START)
    issuing, header = PKI.issuing, CrlHeader(3, START, START + timedelta(hours=1))
    of_delta = CrlHeader(3, START, START + timedelta(hours=1), base=2)
    delta = build_crl(issuing.certificate, issuing.key, of_delta, [removal])
    assert check_crl(delta, issuing.certificate, START) == of_delta
    with pytest.raises(CrlRefused) as refusal:
        check_crl(
            build_crl(issuing.certificate, issuing.key, header, [removal]),
            issuing.certificate,
            START,
        )
    assert refusal.value.rule is CrlRule.ENTRIES


def test_a_base_is_earlier_than_its_delta() -> None:
    with pytest.raises(ValueError, match=r"5\.2\.4"):
        CrlHeader(3, START, START + timedelta(hours=1), base=3)
