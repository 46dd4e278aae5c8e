"""The watcher: since when a change of status is seen by those who ask our public address.

It asks as relying parties do, at the address that stands in certificates. A CRL shows every change
up to the version it was recorded with, when the very octets that were recorded are served. OCSP is
asked about a sample of what changed: the answers of all serials are withdrawn by one mechanism,
the status version, so that the first, the last and some between stand for what lies between them.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import ocsp

from ca.identifiers import SerialNumber
from ca.issuers import IssuerRecord, IssuerState
from records.errors import RecordsError
from records.visibility import Channel, Unseen
from revocation import der
from revocation.cert_ids import CertIdHash, IssuerCertIds
from revocation.errors import RevocationError
from revocation.reasons import Reason
from revocation.status import Revoked, Status
from server.assembly import Assembly
from server.clock import utc_now
from server.metrics import Metrics
from server.probe import fetch, is_signed

_SAMPLE = 16
_SECONDS = 2.0  # so that a stop is not kept waiting


def watch_status(parts: Assembly, metrics: Metrics, now: datetime) -> int:
    """Look for every change that was not seen yet; how many issuers and channels showed one."""
    done, oldest = 0, dict.fromkeys(Channel, now)
    failures: list[Exception] = []
    for record, channel, unseen in open_changes(parts):
        look = _in_crl if channel is Channel.CRL else _in_ocsp
        try:
            seen = look(parts, record, unseen)
        except (RecordsError, RevocationError) as error:
            failures.append(error)  # one issuer that is stuck leaves no other unwatched
            seen = None
        if seen is not None:
            observe(metrics, channel, parts.visible.see(seen, channel, utc_now()))
            done += 1
        if seen != unseen:
            oldest[channel] = min(oldest[channel], unseen.since)
    _, waiting = parts.visible.unseen_in_directory()
    oldest[Channel.DIRECTORY] = waiting or now
    for channel, since in oldest.items():
        metrics.status_unseen.labels(channel).set(max((now - since).total_seconds(), 0))
    if failures:
        raise failures[0]
    return done


def open_changes(parts: Assembly) -> Iterator[tuple[IssuerRecord, Channel, Unseen]]:
    """What of each issuer was not seen yet in CRL and OCSP."""
    behind = parts.visible.behind()
    for record in parts.issuers.all() if behind else ():
        # Of one that is retired, or was imported without its key, the last CRL says it all.
        if not record.key_label or not record.certificates or record.state is IssuerState.RETIRED:
            continue
        for channel in (Channel.CRL, Channel.OCSP) if record.answers_ocsp else (Channel.CRL,):
            if (record.name, channel) not in behind:
                continue
            unseen = parts.visible.unseen(record.name, channel)
            if unseen is not None:
                yield record, channel, unseen


def observe(metrics: Metrics, channel: Channel, took: Iterable[timedelta]) -> None:
    """Count how long changes took to be seen."""
    visible = metrics.revocation_visible.labels(channel)
    for each in took:
        visible.observe(max(each.total_seconds(), 0))


def _in_crl(parts: Assembly, record: IssuerRecord, unseen: Unseen) -> Unseen | None:
    """Those of the changes that the CRL shows which is served now."""
    if not parts.visible.has_crl_of(record.name, unseen.first):
        return None  # nothing that is served can show them
    octets = fetch(record.urls.crl, _SECONDS)
    if octets is None:
        return None
    # What was recorded has passed our gate, its signature among it.
    version = parts.visible.version_of_crl(record.name, hashlib.sha256(octets).digest())
    if version is None or version < unseen.first:
        return None
    shown = replace(unseen, last=min(version, unseen.last))
    if not all(
        _in_shard(parts, record, *each) for each in parts.visible.changed_shards(shown).items()
    ):
        return None
    for serial in parts.visible.sample(shown, _SAMPLE, utc_now()):
        is_revoked = isinstance(parts.statuses.status_of(record.name, serial), Revoked)
        if (der.integer(serial) in octets) is not is_revoked:
            return None
    return shown


def _in_shard(parts: Assembly, record: IssuerRecord, shard: int, version: int) -> bool:
    """Whether the shard that certificates name shows that version of it, or a later one."""
    octets = fetch(record.urls.crl_of(shard), _SECONDS)
    if octets is None:
        return False
    digest = hashlib.sha256(octets).digest()
    served = parts.visible.version_of_crl(record.name, digest, shard)
    return served is not None and served >= version


def _in_ocsp(parts: Assembly, record: IssuerRecord, unseen: Unseen) -> Unseen | None:
    """The changes, when the answers about a sample of them are what the records say."""
    if record.certificate is None:
        return None
    cert_ids = IssuerCertIds.of(record.certificate)
    for serial in parts.visible.sample(unseen, _SAMPLE, utc_now()):
        # As most clients ask: SHA-1, and no nonce, so that what was made ahead may answer.
        asked = der.sequence(
            der.sequence(der.sequence(der.sequence(cert_ids.encode(CertIdHash.SHA1, serial))))
        )
        path = b64encode(asked).decode().replace("/", "%2F")
        octets = fetch(f"{record.urls.ocsp}/{path}", _SECONDS)
        told = parts.statuses.status_of(record.name, serial)
        if octets is None or not _says(octets, record.certificate, serial, told):
            return None
    return unseen


def _says(octets: bytes, issuer: x509.Certificate, serial: SerialNumber, told: Status) -> bool:
    """Whether an answer in force says of the serial what the records say."""
    try:
        answer = ocsp.load_der_ocsp_response(octets)
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return False
        ends = answer.next_update_utc
        in_force = answer.this_update_utc <= utc_now() and (ends is None or utc_now() < ends)
        same = answer.serial_number == serial and is_signed(answer, issuer)
        return in_force and same and _is_status(answer, told)
    except (ValueError, TypeError, NotImplementedError):
        return False
    except (InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False


def _is_status(answer: ocsp.OCSPResponse, told: Status) -> bool:
    if not isinstance(told, Revoked):
        return answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    revoked = answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    held = answer.revocation_reason is x509.ReasonFlags.certificate_hold
    return revoked and held is (told.reason is Reason.CERTIFICATE_HOLD)
