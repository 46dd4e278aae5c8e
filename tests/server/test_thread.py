"""The thread in one process: apply, vet, approve, issue, revoke, erase."""

from pathlib import Path

from tests.support.installation import an_installation
from tests.support.softhsm import SoftHsm


def test_a_ceremony_makes_a_root_and_an_issuing_authority(softhsm: SoftHsm, tmp_path: Path) -> None:
    with an_installation(softhsm, tmp_path / "state") as parts:
        root, issuing = parts.issuers.all()

    assert root.name == root.parent == "root"
    assert issuing.certificate is not None
    assert root.certificate is not None
    issuing.certificate.verify_directly_issued_by(root.certificate)
