"""What a CA key must be, what its health is, and where its PIN may come from."""

import os
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.checks import KeyFacts, check_signs, check_stays_inside
from hsm.errors import KeyNotFound, KeyUnfit, PinUnreadable, TokenUnavailable
from hsm.keys import TokenECPrivateKey
from hsm.labels import HEALTH_KEY
from hsm.module import load_module
from hsm.pins import LONGEST_PIN_FILE, credential, read_pin
from hsm.token import Token
from server.problem_rows import ROWS
from server.problems import problem_of
from server.settings import Hsm
from server.tokens import Tokens
from tests.support.softhsm import SoftHsm, run_python
from tests.support.token_keys import a_token_rsa_key

P256 = ec.SECP256R1()


@pytest.fixture(scope="session")
def token(softhsm: SoftHsm) -> Token:
    return softhsm.token("checks")


def make_unfit(token: Token, label: str, **private: bool) -> None:
    """A key pair with attributes that ours never have."""
    template = {pkcs11.Attribute[name]: value for name, value in private.items()}
    slot = load_module(token.location.module).token(token.location.label)
    with slot.open(rw=True) as session:
        session.generate_keypair(
            pkcs11.KeyType.RSA, 2048, label=label, store=True, private_template=template
        )


def test_a_key_made_here_is_fit(token: Token) -> None:
    token.generate_ec_key("fit", P256)
    token.check_key("fit")
    (facts,) = [facts for facts in token.key_facts() if facts.label == "fit"]
    assert facts.kind == "EC"
    check_stays_inside(facts)


@pytest.mark.parametrize(
    ("private", "missing"),
    [
        ({"SENSITIVE": False}, "CKA_SENSITIVE"),
        ({"EXTRACTABLE": True}, "CKA_NEVER_EXTRACTABLE"),
    ],
)
def test_a_key_that_could_leave_is_refused_by_the_attribute(
    token: Token, private: dict[str, bool], missing: str
) -> None:
    make_unfit(token, missing, **private)
    with pytest.raises(KeyUnfit) as refusal:
        token.check_key(missing)
    assert (refusal.value.subject, refusal.value.ckr) == (missing, missing)


def test_a_key_that_came_from_outside_is_refused(token: Token) -> None:
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    values = {
        "MODULUS": numbers.public_numbers.n,
        "PUBLIC_EXPONENT": 65537,
        "PRIVATE_EXPONENT": numbers.d,
        "PRIME_1": numbers.p,
        "PRIME_2": numbers.q,
        "EXPONENT_1": numbers.dmp1,
        "EXPONENT_2": numbers.dmq1,
        "COEFFICIENT": numbers.iqmp,
    }
    attributes = {
        pkcs11.Attribute[name]: value.to_bytes((value.bit_length() + 7) // 8)
        for name, value in values.items()
    }
    attributes |= {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY,
        pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.RSA,
        pkcs11.Attribute.LABEL: "brought",
        pkcs11.Attribute.TOKEN: True,
        pkcs11.Attribute.SENSITIVE: True,
        pkcs11.Attribute.EXTRACTABLE: False,
    }
    slot = load_module(token.location.module).token(token.location.label)
    with slot.open(rw=True) as session:
        session.create_object(attributes)
    with pytest.raises(KeyUnfit):
        token.check_key("brought")


def test_a_key_that_is_not_there_cannot_be_checked(token: Token) -> None:
    with pytest.raises(KeyNotFound):
        token.check_key("nobody")


def test_a_token_is_healthy_by_a_key_of_its_own(softhsm: SoftHsm) -> None:
    token = softhsm.token("healthy")
    for _ in range(2):
        token.check_health()
    assert token.key_labels() == [HEALTH_KEY]


def test_a_signature_that_does_not_verify_is_no_health(token: Token) -> None:
    made = token.generate_ec_key("swapped", P256)
    other = ec.generate_private_key(P256).public_key()
    with pytest.raises(TokenUnavailable) as refusal:
        check_signs(TokenECPrivateKey(token, made.label, other))
    assert refusal.value.ckr == "the signature does not verify"


def test_every_kind_of_key_can_be_tried(token: Token) -> None:
    token.generate_ec_key("try-ec", P256)
    a_token_rsa_key(token, "try-rsa")
    token.generate_wrapping_key("try-aes")
    tried = [facts for facts in token.key_facts() if facts.label.startswith("try-")]
    assert sorted(facts.kind for facts in tried) == ["AES", "EC", "RSA"]
    for facts in tried:
        token.check_use(facts)
    with pytest.raises(KeyUnfit):
        token.check_use(KeyFacts("any", "DES3", ()))


def test_the_service_starts_with_fit_keys_alone(softhsm: SoftHsm) -> None:
    token = softhsm.token("start")
    token.generate_ec_key("fit", P256)
    make_unfit(token, "unfit", EXTRACTABLE=True)
    settings = Hsm.model_construct(
        softhsm_directory=softhsm.store.directory,
        module=softhsm.store.module,
        sign_quota_per_hour=1,
    )
    tokens = Tokens(settings)
    tokens.check_keys([("start", "fit"), ("start", "offline"), ("in-the-safe", "root-ca")])
    with pytest.raises(KeyUnfit):
        tokens.check_keys([("start", "unfit")])
    for _ in range(2):
        tokens.check_for_use("start", "fit")
        with pytest.raises(KeyUnfit):
            tokens.check_for_use("start", "unfit")
    key = tokens.open("start").private_key("fit")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    key.sign(b"m", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(Exception, match="fit") as refusal:
        key.sign(b"m", ec.ECDSA(hashes.SHA256()))
    problem = problem_of(refusal.value, ROWS)
    assert problem is not None
    assert problem.status == 503
    assert "hsm.sign_quota_per_hour" in problem.way_out
    tokens.open("start").check_health()


def test_a_pin_is_read_from_a_file_a_credential_or_a_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token.pin"
    file.write_text("1234\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    descriptor = os.open(file, os.O_RDONLY)
    sources = [file, Path("credential:token.pin"), Path(f"fd:{descriptor}")]
    assert [read_pin(source) for source in sources * 2] == ["1234"] * 6
    os.close(descriptor)
    assert credential("token.pin") == Path("credential:token.pin")
    assert credential("other.pin") is None


@pytest.mark.parametrize(
    "source", ["/nowhere/pin", "credential:pin", "fd:9999", "fd:x", "/dev/zero"]
)
def test_a_pin_that_cannot_be_read_is_said_so(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(PinUnreadable):
        read_pin(Path(source))


def test_a_file_too_long_for_a_pin_is_refused_and_read_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    file = tmp_path / "pin"
    file.write_text("1" * LONGEST_PIN_FILE)
    assert read_pin(file) == "1" * LONGEST_PIN_FILE
    file.write_text("1" * (LONGEST_PIN_FILE + 1))
    with file.open("rb") as opened:
        for source in (file, Path("credential:pin"), Path(f"fd:{opened.fileno()}")):
            with pytest.raises(PinUnreadable, match="4096"):
                read_pin(source)
    with pytest.raises(PinUnreadable):
        read_pin(Path("/dev/zero"))


BY_DESCRIPTOR = """
import os, sys
from pathlib import Path
from hsm.token import Token, TokenLocation
module, label, pin_file, lock_dir = sys.argv[1:]
descriptor = os.open(pin_file, os.O_RDONLY)
location = TokenLocation(Path(module), label, Path(f"fd:{descriptor}"), Path(lock_dir))
Token.open(location).check_health()
print("signed")
"""


def test_a_token_opens_with_a_pin_from_a_descriptor(softhsm: SoftHsm) -> None:
    location = softhsm.store.create_token("by-descriptor")
    values = (location.module, location.label, location.pin_file, location.lock_dir)
    said = run_python(BY_DESCRIPTOR, *map(str, values), SOFTHSM2_CONF=os.environ["SOFTHSM2_CONF"])
    assert said == "signed"
