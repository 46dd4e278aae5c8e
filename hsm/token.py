"""A token: logged in once for the life of the process, used through sessions of single threads.

After the login (`hsm.login`) work is done in sessions opened without a PIN: the login is the
application's, not the session's (PKCS#11 v2.40 section 2.5). No two threads are ever in the same
session, and a session that has seen an error is never used again.

A token heals by itself. An error that puts the login in doubt makes the next use log in again;
several failures in a row leave the token alone for a moment (`hsm.recovery.Breaker`), and the use
that then tries it restarts the module first. What was asked for is never done twice.
"""

import hashlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass

from hsm.attestation import TokenStatement, state
from hsm.checks import (
    KeyFacts,
    check_never_outside,
    check_signs,
    check_stays_inside,
    check_stays_inside_from_now,
    check_wraps,
    facts_of,
    key_facts,
)
from hsm.errors import (
    KeyExists,
    KeyKindUnsupported,
    KeyNotFound,
    KeyUnfit,
    TokenNotFound,
    TokenUnavailable,
)
from hsm.failures import puts_login_in_doubt, speaks_of_the_token
from hsm.key_kinds import (
    KeyKind,
    PublicKey,
    generate,
    kind_of_curve,
    read_public_key,
    signs_with_pss_alone,
)
from hsm.keys import TokenECPrivateKey, WrappingKey
from hsm.labels import HEALTH_KEY
from hsm.login import TokenLocation, load_for, log_in
from hsm.module import Module, exclusive, meaning_of
from hsm.openssl_errors import forget_openssl_errors
from hsm.quota import SignQuota
from hsm.recovery import Breaker
from hsm.signing_keys import TokenPrivateKey, private_key_for
from hsm.worker import Worker

__all__ = ["Token", "TokenLocation"]

Result = TypeVar("Result")

_PRIVATE, _SECRET = ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY
_SIGNING_KINDS = {
    each.name for each in (KeyType.EC, KeyType.EC_EDWARDS, KeyType.ML_DSA, KeyType.RSA)
}
_STAYS_INSIDE = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
}


class Token:
    """An open token. Make one with `Token.open`; threads may share it, forked children may not."""

    def __init__(self, location: TokenLocation, module: Module, quota: SignQuota) -> None:
        """Use `Token.open`, which logs in first."""
        self.location = location
        self._module = module
        self._quota = quota
        self._breaker = module.breakers.setdefault(location.name, Breaker(location.name))
        self._idle: deque[Worker] = deque()

    @classmethod
    def open(cls, location: TokenLocation, quota: SignQuota | None = None) -> Self:
        """Load the module, find the token and log in, unless this process has done so already.

        Raises: TokenNotFound, PinRejected, LockHeld, TokenUnavailable, ModuleForked.
        """
        token = cls(location, load_for(location), quota or SignQuota())
        token._run(lambda _: None, location.name)
        return token

    def __repr__(self) -> str:
        return f"Token({self.location.name!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle sessions; the login stays, for logging out would end every other use."""
        self._module.check_process()
        with self._module.gate.inside():
            self._close_idle()

    def has_key(self, label: str) -> bool:
        """Whether a private or secret key of this label is in the token."""
        return label in self.key_labels()

    def key_labels(self) -> list[str]:
        """Labels of all private and secret keys, sorted."""
        return [facts.label for facts in self.key_facts()]

    def key_facts(self) -> list[KeyFacts]:
        """What the token says of all private and secret keys, by label."""
        return self._run(lambda worker: key_facts(worker.session), self.location.name)

    def state(self) -> TokenStatement:
        """What can be attested of the token and its keys. Raises: TokenUnavailable."""
        return self._run(lambda worker: state(worker.session, self._module), self.location.name)

    def change_pin(self, old: str, new: str) -> None:
        """Give the token another PIN; the login stays. Raises: PinRejected, TokenUnavailable."""

        def change(worker: Worker) -> None:
            # The token may rewrite its files, as it does at a login.
            with (
                exclusive(self.location.login_lock),
                self._module.worker_session(worker.session.token, rw=True) as session,
            ):
                session.set_pin(old, new)

        self._run(change, self.location.name)

    def accepted_pin(self) -> bytes | None:
        """SHA-256 of the PIN that this process logged in with, if it did."""
        return self._module.accepted_pins.get(self.location.name)

    def device(self) -> str:
        """Maker, model and serial number, as the device says them (CK_TOKEN_INFO)."""
        token = self._run(lambda worker: worker.session.token, self.location.name)
        return " ".join(f"{token.manufacturer_id} {token.model} {_serial(token)}".split())

    def check_key(self, label: str) -> None:
        """Whether a private key was made in the token and can never have left it.

        Raises: KeyUnfit, KeyNotFound, TokenUnavailable.
        """
        check_stays_inside(self.use_private_key(label, facts_of))

    def check_wrapping_key(self, label: str) -> None:
        """Whether an AES key was made in the token and never left it. Raises: KeyUnfit."""
        self.use_secret_key(label, check_never_outside)

    def serial(self) -> str:
        """The device's serial number (CK_TOKEN_INFO)."""
        return self._run(lambda worker: _serial(worker.session.token), self.location.name)

    def check_copied_key(self, label: str, public_key: PublicKey | None) -> None:
        """Whether this token holds the private half of the key, and does not give it out.

        None stands for a key that cannot be compared now.

        Raises: KeyUnfit, KeyNotFound, TokenUnavailable.
        """
        if public_key is not None and self.private_key(label).public_key() != public_key:
            raise KeyUnfit(label, f"{self.location.name} holds another key")
        check_stays_inside_from_now(self.use_private_key(label, facts_of))

    def check_health(self) -> None:
        """Sign with a key of its own, made when it is not there, and verify the signature.

        Raises: TokenUnavailable, or whatever else keeps the token from signing.
        """
        try:
            key = self.private_key(HEALTH_KEY)
        except KeyNotFound:
            try:
                key = self.generate_ec_key(HEALTH_KEY, ec.SECP256R1())
            except KeyExists:  # another process was a moment earlier
                key = self.private_key(HEALTH_KEY)
        check_signs(key)

    def check_use(self, facts: KeyFacts) -> None:
        """Sign and verify with a key of the token, or encrypt and decrypt.

        Raises: TokenUnavailable, KeyUnfit for a kind of key that nothing here uses.
        """
        if facts.kind == KeyType.AES.name:
            check_wraps(self.wrapping_key(facts.label))
        elif facts.kind in _SIGNING_KINDS:
            check_signs(self.private_key(facts.label))
        else:
            raise KeyUnfit(facts.label, facts.kind)

    def private_key(self, label: str) -> TokenPrivateKey:
        """The signing key of this label or URI; its public key is read from the token now.

        Raises: KeyNotFound, TokenUnavailable.
        """

        def read(worker: Worker) -> TokenPrivateKey:
            private = worker.handle(_PRIVATE, label)
            public_key = read_public_key(private, worker.handle(ObjectClass.PUBLIC_KEY, label))
            pss = private.key_type is KeyType.RSA and signs_with_pss_alone(private)
            return private_key_for(self, label, public_key, pss=pss)

        return self._run(read, label)

    def wrapping_key(self, label: str) -> WrappingKey:
        """The AES key of this label. Raises: KeyNotFound, TokenUnavailable."""
        self._run(lambda worker: worker.handle(_SECRET, label), label)
        return WrappingKey(self, label)

    def generate_key(self, label: str, kind: KeyKind) -> TokenPrivateKey:
        """Make a key pair in the token. Raises: KeyExists, KeyKindUnsupported."""
        if kind.makes not in self._mechanisms():
            raise KeyKindUnsupported(self.location.name, kind)
        self._generate(
            label,
            MechanismFlag.SIGN | MechanismFlag.VERIFY,
            lambda session, common: generate(session, kind, common, _STAYS_INSIDE),
        )
        return self.private_key(label)

    def generate_ec_key(self, label: str, curve: ec.EllipticCurve) -> TokenECPrivateKey:
        """Make a key pair on P-256, P-384 or P-521 in the token. Raises: KeyExists."""
        return cast("TokenECPrivateKey", self.generate_key(label, kind_of_curve(curve)))

    def generate_wrapping_key(self, label: str) -> WrappingKey:
        """Make an AES-256 key in the token. Raises: KeyExists."""

        def generate_aes(session: pkcs11.Session, common: dict[str, Any]) -> None:
            session.generate_key(KeyType.AES, 256, **common, template=_STAYS_INSIDE)

        self._generate(label, MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT, generate_aes)
        return WrappingKey(self, label)

    def destroy_key(self, label: str) -> None:
        """Destroy a key pair or an AES key, for good. Raises: KeyNotFound, TokenUnavailable."""

        def destroy_there(worker: Worker) -> None:
            with self._module.worker_session(worker.session.token, rw=True) as session:
                for kind in (_PRIVATE, ObjectClass.PUBLIC_KEY, _SECRET):
                    found = {Attribute.CLASS: kind, Attribute.LABEL: label}
                    for key in list(session.get_objects(found)):
                        key.destroy()

        with exclusive(self.location.lock_dir / "keys.lock"):
            if not self.has_key(label):
                raise KeyNotFound(label)
            self._run(destroy_there, label)
        self._close_idle()  # sessions that keep a handle of it

    def use_private_key(self, label: str, operation: Callable[[Any], Result]) -> Result:
        """Run one operation on the PKCS#11 private key of this label."""
        return self._run(lambda worker: operation(worker.handle(_PRIVATE, label)), label)

    def sign_with(self, label: str, operation: Callable[[Any], Result]) -> Result:
        """As `use_private_key`, counted as a signature. Raises: QuotaExhausted."""
        if label != HEALTH_KEY:
            self._quota.spend(label)
        return self.use_private_key(label, operation)

    def check_quota(self, label: str, wanted: int) -> None:
        """See that the key may make so many signatures now. Raises: QuotaExhausted."""
        self._quota.check(label, wanted)

    def use_secret_key(self, label: str, operation: Callable[[Any], Result]) -> Result:
        """Run one operation on the PKCS#11 secret key of this label."""
        return self._run(lambda worker: operation(worker.handle(_SECRET, label)), label)

    @property
    def is_left_alone(self) -> bool:
        """Whether the token has failed several times in a row, and not been well since."""
        return self._breaker.is_open

    def _mechanisms(self) -> set[int]:
        return self._run(
            lambda worker: set(worker.session.token.slot.get_mechanisms()), self.location.name
        )

    def _run(self, operation: Callable[[Worker], Result], subject: str) -> Result:
        """Run one operation in a session that no other thread has; drop the session on any error.

        Never repeats the operation: a signature may have been made although the answer was lost.
        """
        self._module.check_process()
        try:
            result = self._in_session(operation, restart=self._breaker.admit())
        except pkcs11.PKCS11Error as error:
            if speaks_of_the_token(error):
                self._breaker.failed(meaning_of(error, subject).ckr)
            else:
                self._breaker.succeeded()
            raise meaning_of(error, subject) from error
        self._breaker.succeeded()
        return result

    def _in_session(self, operation: Callable[[Worker], Result], *, restart: bool) -> Result:
        login = self._enter(restart=restart)
        worker = None
        try:
            worker = self._take_worker(login)
            result = operation(worker)
        except BaseException as error:
            self._drop(worker, error)
            raise
        else:
            self._idle.append(worker)
            return result
        finally:
            self._module.gate.leave()

    def _enter(self, *, restart: bool) -> pkcs11.Session:
        """Come in where calls are made, logged in; the session that holds the login."""
        try:
            if restart:
                with exclusive(self.location.login_lock):
                    self._module.restart()
            while True:
                self._module.gate.enter()
                login = self._module.logins.get(self.location.name)
                if login is not None:
                    return login
                self._module.gate.leave()
                log_in(self.location, self._module)
        except (TokenUnavailable, TokenNotFound) as error:
            self._breaker.failed(error.ckr)
            raise

    def _take_worker(self, login: pkcs11.Session) -> Worker:
        while self._idle:
            try:
                worker = self._idle.pop()  # the last one put back: its handles are the warmest
            except IndexError:
                break
            if worker.epoch == self._module.epoch:
                return worker
        return Worker(self._module.worker_session(login.token), self._module.epoch)

    def _drop(self, worker: Worker | None, error: BaseException) -> None:
        """Close the session; after an error that may mean it, log in again at the next use."""
        forget_openssl_errors()
        doubt = puts_login_in_doubt(error)
        if worker is not None:
            # Without a login private keys are hidden, and look as if they were not there.
            doubt = doubt or (
                isinstance(error, pkcs11.NoSuchKey)
                and not self._module.is_logged_in(worker.session)
            )
            worker.close()
        if doubt:
            # Not closed: closing would log out, and the login may be sound after all.
            self._module.logins.pop(self.location.name, None)
            self._close_idle()

    def _close_idle(self) -> None:
        with suppress(IndexError):  # other threads take workers too
            while True:
                worker = self._idle.pop()
                if worker.epoch == self._module.epoch:
                    worker.close()

    def _generate(
        self,
        label: str,
        capabilities: MechanismFlag,
        make: Callable[[pkcs11.Session, dict[str, Any]], None],
    ) -> None:
        self._module.check_process()
        common = {
            "label": label,
            "id": hashlib.sha256(label.encode()).digest()[:20],
            "store": True,
            "capabilities": capabilities,
        }

        def generate_there(worker: Worker) -> None:
            with self._module.worker_session(worker.session.token, rw=True) as session:
                make(session, common)

        with exclusive(self.location.lock_dir / "keys.lock"):
            if self.has_key(label):
                raise KeyExists(label)
            self._run(generate_there, label)


def _serial(token: pkcs11.Token) -> str:
    return token.serial.decode("ascii", "replace").strip()
