"""A PIN that is in no file: the service is born with a descriptor of what was one."""

import pytest

from tests.support.status import crl
from tests.support.workshop import Workshop

# The file is gone once the shell has opened it; the descriptor is all that is left.
HAND_OVER = 'exec 9<"$0"; rm "$0"; exec "$@"'


@pytest.mark.slow
def test_every_process_of_the_service_logs_in_by_the_descriptor(workshop: Workshop) -> None:
    with workshop.empty() as service:
        pin = service.state / "softhsm" / "pins" / "tillid-service.pin"
        uri = "pkcs11:token=tillid-service?pin-source=fd:9"
        service.environment["TILLID_HSM__SERVICE_TOKEN"] = uri
        service.started_by = ("/bin/sh", "-c", HAND_OVER, str(pin))
        service.start()
        assert not pin.exists()
        assert service.public("/readyz").body == b"ready\n"
        assert crl(service).issuer
        done = service.tillid("hsm", "login")  # this process was not born with it
        assert done.returncode == 9
        assert "PIN file cannot be read" in done.stdout
