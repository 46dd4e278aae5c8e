"""TEST EQUIPMENT: logins, comparator, attestation and notifier that stand in for the real ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256

from ra.attestations import AttestationAnswer, KeyOrigin, NotAttested
from ra.biometrics import ComparatorAnswer, ComparatorReport
from ra.case import CodeChannel, SourceStatus
from ra.logins import Login, LoginAnswer, LoginRefused
from ra.notices import Notice, Sending
from ra.registers import NoAnswer

TEST_LOGIN = "test:login"
TEST_COMPARATOR = "test:comparator"
TEST_ATTESTATION = "test:attestation"
SILENT = "silent"
"""Answer, capture, credential or address for which a service does not answer."""


@dataclass(slots=True)
class FakeLogins:
    """TEST EQUIPMENT: a provider that knows the logins it was given, each redeemed once."""

    logins: Mapping[tuple[str, str], Login]
    """The login behind each answer and nonce."""
    statuses: Mapping[str, SourceStatus]
    source_id: str = TEST_LOGIN
    _redeemed: set[str] = field(default_factory=set)

    def redeem(self, answer: str, nonce: str, now: datetime) -> LoginAnswer:
        """The login, if it is of this nonce and was not redeemed before."""
        del now
        if answer == SILENT:
            return NoAnswer()
        login = self.logins.get((answer, nonce))
        if login is None or answer in self._redeemed:
            return LoginRefused()
        self._redeemed.add(answer)
        return login

    def status_of(self, credential: str, now: datetime) -> SourceStatus | NoAnswer:
        """The status that was set; what is not known was revoked."""
        del now
        if credential == SILENT:
            return NoAnswer()
        return self.statuses.get(credential, SourceStatus.REVOKED)


@dataclass(frozen=True, slots=True)
class FakeComparator:
    """TEST EQUIPMENT: a comparator that reads the capture's name for what it shows.

    The words of the name count: other, mask, injected, replayed, open.
    """

    captured_at: datetime
    source_id: str = TEST_COMPARATOR

    def compare(self, capture: str, nonce: str, now: datetime) -> ComparatorAnswer:
        """A report on the capture."""
        del now
        words = capture.split()
        if SILENT in words:
            return NoAnswer()
        return ComparatorReport(
            matches="other" not in words,
            is_live="mask" not in words,
            is_injected="injected" in words,
            nonce="another" if "replayed" in words else nonce,
            captured_at=self.captured_at,
            sensor="test:sensor",
            comparator=self.source_id,
            channel_protected="open" not in words,
            product_version="test-1",
        )


@dataclass(frozen=True, slots=True)
class FakeAttestation:
    """TEST EQUIPMENT: an attestation is the root's word followed by the digest of the key."""

    certified_until: date
    source_id: str = TEST_ATTESTATION
    is_test_equipment: bool = False

    @staticmethod
    def attest(spki_sha256: str) -> bytes:
        """What a device of this kind would say about its key."""
        return sha256(f"test root {spki_sha256}".encode()).digest()

    def verify(self, attestation: bytes, spki_sha256: str, now: datetime) -> AttestationAnswer:
        """A card whose key was made in it and cannot leave it."""
        del now
        if attestation != self.attest(spki_sha256):
            return NotAttested()
        return KeyOrigin(
            spki_sha256=spki_sha256,
            product="test card",
            version="1",
            made_in_device=True,
            can_leave_device=False,
            asks_holder=True,
            certified_until=self.certified_until,
            is_test_equipment=self.is_test_equipment,
        )


@dataclass(slots=True)
class FakeNotifier:
    """TEST EQUIPMENT: it keeps what it was given, so that a test finds the codes."""

    undeliverable: frozenset[str] = frozenset()
    channels: frozenset[CodeChannel] = frozenset(CodeChannel) - {CodeChannel.ONLINE}
    sent: dict[str, Notice] = field(default_factory=dict)

    def send(self, notice: Notice, now: datetime) -> Sending:
        """Keep the notice, once for each key."""
        del now
        if notice.address.value == SILENT:
            return Sending.NO_ANSWER
        if notice.channel not in self.channels or notice.address.value in self.undeliverable:
            return Sending.UNDELIVERABLE
        self.sent.setdefault(notice.key, notice)
        return Sending.TAKEN_OVER
