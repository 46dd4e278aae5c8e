"""`tillid crl`: what an operator is told of the CRLs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.identifiers import IssuerName, SerialNumber
from commands.exit_codes import ExitCode
from records.guards import triggers
from records.officers import Role
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from tests.support.databases import take_away
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer

ISSUING = IssuerName("issuing")


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path / "state") as made:
        yield made


@pytest.fixture
def tillid(
    parts: Assembly,
    softhsm: SoftHsm,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    return Operator(environment_of(softhsm, parts.settings.state), capsys, monkeypatch)


def revoke_one(parts: Assembly, reason: Reason = Reason.SUPERSEDED) -> SerialNumber:
    serial = SerialNumber(an_officer(parts, Role.AUDITOR).certificate.serial_number)
    parts.statuses.revoke(ISSUING, serial, reason, "system:test", utc_now())
    return serial


def test_every_list_is_told_with_its_number_and_entries(parts: Assembly, tillid: Operator) -> None:
    given = ("--crl-shards", "2", "--crl-deltas", "--crl-keep-expired-days", "30",
             "--ocsp-validity-minutes", "480")  # fmt: skip
    assert tillid("ca", "configure", "issuing", *given).code == 0
    tillid("crl", "issue")
    revoke_one(parts)
    tillid("crl", "issue")
    found = tillid("crl", "list").result["crls"]
    ours = {each["list"]: each for each in found if each["issuer"] == "issuing"}
    assert list(ours) == ["complete", "delta", "shard 1", "shard 2"]
    assert (ours["complete"]["number"], ours["delta"]["number"], ours["delta"]["base"]) == (2, 2, 1)
    assert sorted(ours[f"shard {shard}"]["number"] for shard in (1, 2)) == [1, 2]
    assert sum(each["entries"] for name, each in ours.items() if "shard" in name) == 1
    code, said, _ = tillid.told("crl", "list")
    assert code == 0
    assert "issuing\tdelta\t2\t" in said
    code, said, _ = tillid.told("ca", "show", "issuing")
    assert "spread over 2 shards" in said
    assert "delta CRL" in said
    assert "30 days" in said
    assert "480 minutes" in said


def test_a_crl_is_told_in_words(parts: Assembly, tillid: Operator, tmp_path: Path) -> None:
    tillid("ca", "configure", "issuing", "--crl-shards", "1", "--crl-deltas")
    tillid("crl", "issue")
    revoke_one(parts, Reason.KEY_COMPROMISE)
    tillid("crl", "issue")
    code, said, _ = tillid.told("crl", "show", "issuing")
    assert code == 0
    parts_said = ("Complete CRL number 2 of CN=", "it is in force", "/crl/issuing/delta.crl",
                  "lists 1 certificates: 1 keyCompromise")  # fmt: skip
    for part in parts_said:
        assert part in said
    code, said, _ = tillid.told("crl", "show", "issuing", "--delta")
    assert said.startswith("Delta CRL, to be put on a CRL from number 1 on, number 2 of CN=")
    code, said, _ = tillid.told("crl", "show", "issuing", "--shard", "1")
    assert said.startswith("The CRL at http://127.0.0.1:8080/crl/issuing/1.crl, number 2 of CN=")
    for name, encoding in (("one.pem", Encoding.PEM), ("one.der", Encoding.DER)):
        crl = x509.load_der_x509_crl(parts.crls.whole(ISSUING))
        (tmp_path / name).write_bytes(crl.public_bytes(encoding))
        shown = tillid("crl", "show", tmp_path / name).result
        assert (shown["number"], shown["entries"], shown["in_force"]) == (2, 1, True)
        assert shown["reasons"] == {"keyCompromise": 1}


def test_what_is_no_crl_and_no_issuer_is_said(parts: Assembly, tillid: Operator) -> None:
    junk = parts.settings.state / "junk"
    junk.write_bytes(b"junk")
    for verb in ("show", "verify"):
        assert tillid("crl", verb, junk).code == ExitCode.USAGE
        code, _, said = tillid.told("crl", verb, "nobody")
        assert code == ExitCode.NOT_FOUND
        assert "nobody" in said
    code, _, said = tillid.told("crl", "show", "issuing", "--shard", "3")
    assert code == ExitCode.USAGE
    assert "tillid crl list" in said


def test_a_crl_is_verified_or_it_is_said_what_fails(
    parts: Assembly, tillid: Operator, tmp_path: Path
) -> None:
    tillid("crl", "issue")
    old = tmp_path / "old.crl"
    old.write_bytes(parts.crls.whole(ISSUING))
    serial = revoke_one(parts)
    tillid("crl", "issue")
    assert tillid("crl", "verify", "issuing").result["holds"]
    found = tillid("crl", "verify", old)
    assert found.code == 0
    assert "a later one is number 2" in found.result["checks"][-1]["said"]

    torn = tmp_path / "torn.crl"
    torn.write_bytes(old.read_bytes()[:-1] + b"\x00")
    found = tillid("crl", "verify", torn)
    assert (found.code, found.result["holds"]) == (ExitCode.CHECK_SAYS_NO, False)

    parts.crl_file(ISSUING).write_bytes(old.read_bytes())
    with parts.database.write() as tx:
        take_away(tx, "pki09")
        tx.exec_driver_sql(
            "UPDATE certificate SET crl_entry = sealed_tbs"  # noqa: S608 - a serial of ours
            f" WHERE serial = '{serial.hex}'"
        )
        for trigger in triggers("sqlite"):
            if trigger.name.endswith("_pki09"):
                tx.exec_driver_sql(trigger.create[0])
    parts.crl_file(IssuerName("root")).unlink()
    found = tillid("crl", "verify", "issuing")
    assert found.code == ExitCode.CHECK_SAYS_NO
    said = {each["name"]: each["outcome"] for each in found.result["checks"]}
    assert said == {"complete": "holds", "rows": "fails"}
    assert tillid("crl", "verify", "root").code == ExitCode.CHECK_SAYS_NO
