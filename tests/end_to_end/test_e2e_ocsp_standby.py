"""The service token goes away under the running service, and OCSP is answered all the same."""

import shutil
from pathlib import Path

import pytest
from cryptography.x509 import ocsp

from hsm.softhsm import softhsm_library
from tests.support.pkcs11_shim import Shim
from tests.support.service import until
from tests.support.token_faults import FAULTS, Outage
from tests.support.workshop import Verified, Workshop, rows

STANDBY = "ocsp-standby"


@pytest.mark.slow
def test_another_key_answers_while_the_service_token_is_away_and_after_a_restart(
    workshop: Workshop, shim_library: Path
) -> None:
    with workshop.verified() as story:
        outage = _with_standby(story, shim_library)
        story.service.start()
        signers = "SELECT count(*) FROM certificate WHERE profile = 'ocsp-signer'"
        assert rows(story.service, f"{signers} AND issuer = 'issuing'") == [(2,)]
        usual = _signer(outage)
        FAULTS["removed"](outage.shim)
        assert outage.ask_package().status == 503
        assert _signer(outage) != usual
        story.service.stop()
        story.service.start()
        assert _signer(outage) != usual
        outage.shim.obey()
        until("the service token", lambda: outage.ask_package().status == 200)
        story.service.stop()
        story.service.start()
        assert _signer(outage) == usual


def _with_standby(story: Verified, library: Path) -> Outage:
    """The service token behind a shim and a module of its own, beside the other tokens."""
    service, shim = story.service, Shim.in_folder(library, story.service.state / "shim")
    service.environment["TILLID_HSM__OCSP_STANDBY"] = STANDBY
    service.verb("hsm", "init", STANDBY)
    copied = shutil.copy(softhsm_library(), shim.folder / "second.so")
    pin = service.state / "softhsm" / "pins" / "tillid-service.pin"
    service.environment |= shim.environment | {"SHIM_MODULE": str(copied)}
    service.environment["TILLID_HSM__SERVICE_TOKEN"] = (
        f"pkcs11:token=tillid-service?module-path={shim.module}&pin-source=file:{pin}"
    )
    return Outage(story, shim)


def _signer(outage: Outage) -> bytes:
    """The key that signs an answer now."""
    answer = outage.ask_ocsp()
    assert answer.status == 200
    found = ocsp.load_der_ocsp_response(answer.body).responder_key_hash
    assert found is not None
    return found
