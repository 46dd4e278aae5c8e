"""NSS's softoken, another implementation of PKCS#11: what is not SoftHSM's works the same there."""

from pathlib import Path

import pytest

from tests.support.softhsm import run_python

USE = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hsm.key_kinds import KeyKind
from server.settings_sources import load_settings
from server.tokens import Tokens
state, module = Path(sys.argv[1]), sys.argv[2]
database = state / "nss"
database.mkdir()
(state / "pins").mkdir()
(state / "pins" / "nss-token.so-pin").write_text("")  # NSS starts with no PIN for its officer
environment = {
    "TILLID_STATE": str(state),
    "TILLID_HSM__MODULE": module,
    "TILLID_HSM__MODULE_ARGUMENTS": f"configdir='sql:{database}' dbTokenDescription='nss-token' "
    "certPrefix='' keyPrefix='' secmod='' flags=",
    "TILLID_HSM__SOFTHSM_DIRECTORY": "",
    "TILLID_HSM__PIN_DIRECTORY": str(state / "pins"),
    "TILLID_HSM__SERVICE_TOKEN": "pkcs11:token=nss-token;manufacturer=Mozilla%20Foundation",
}
tokens = Tokens(load_settings(environment, state).hsm)
name = "nss-token"
print(tokens.initialise(name), tokens.initialise(name))
token = tokens.open(name)
for kind in (KeyKind.EC_P256, KeyKind.EC_P384, KeyKind.EC_P521, KeyKind.RSA_2048):
    token.generate_key(kind.lower(), kind)
for facts in token.key_facts():
    token.check_use(facts)
token.check_health()
key = token.private_key("rsa-2048")
pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
key.public_key().verify(key.sign(b"m", pss, hashes.SHA256()), b"m", pss, hashes.SHA256())
token._module.restart()
token.check_health()
tokens.change_pin(name)
token._module.restart()
token.check_health()
stated = token.state()
print(stated.manufacturer, stated.module["manufacturer"], len(stated.keys))
facts = {each.label: each for each in stated.keys}["ec-p256"].flags
print(facts["sensitive"], facts["never_extractable"], facts["local"])
"""


@pytest.mark.slow
def test_another_implementation_makes_keys_signs_and_changes_its_pin(tmp_path: Path) -> None:
    (module,) = Path("/usr/lib").glob("*/libsoftokn3.so")
    assert run_python(USE, str(tmp_path), str(module)).splitlines() == [
        "True False",
        "Mozilla Foundation Mozilla Foundation 5",
        "True True False",
    ]
