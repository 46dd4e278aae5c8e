"""The end of an issuer: nothing left alive, a last CRL, and its key destroyed and looked for.

Each step looks at what is there, so what was interrupted is run again. The last CRL says that none
follows: its nextUpdate is 99991231235959Z, the time that never comes of RFC 5280 section 4.1.2.5.
ETSI EN 319 411-1 allows it only after every certificate in its scope was revoked or has expired.
"""

from collections.abc import Iterator
from datetime import datetime

from ca.errors import Conflict, Finding, Refused
from ca.hierarchy import CeremonyStep
from ca.issuers import OCSP_PROFILE, IssuerRecord, IssuerState
from records.issuers import Unended
from revocation.causes import Cause, Grounds
from revocation.publication import NEVER
from server.assembly import Assembly
from server.crls import last_crls, publish_crl, scopes
from server.errors import KeyStillThere
from server.fresh_look import is_gone

_AT_ONCE = 1000


def retire_issuer(
    parts: Assembly, name: str, actor: str, now: datetime, *, revoke: bool
) -> Iterator[CeremonyStep]:
    """Retire an issuer for good and tell each step; with `revoke`, what lives is revoked first.

    Raises:
        Refused: something that it issued is still valid, or being issued.
        IssuerOffline: its key is not at hand to sign the last CRL.
        KeyStillThere: the token still holds the key after it was told to destroy it.
    """
    record = parts.issuers.get(name)
    if record.key_destroyed_at is not None:
        yield CeremonyStep(
            record.name, f"was retired, its key destroyed {record.key_destroyed_at:%F}"
        )
        return
    if record.certificate is not None and not _has_last_crl(parts, record):
        parts.clock.check(now)
        parts.crl_signer(record)  # or nothing is begun
    if record.state is not IssuerState.RETIRED:
        _check_nothing_below(parts, record)
        if revoke:
            # First it issues no more, or what is issued meanwhile would never end.
            if record.state is IssuerState.ACTIVE and record.certificate is not None:
                parts.issuers.supersede(record.name, now)
            count = _revoke_all(parts, record, actor, now)
            yield CeremonyStep(record.name, f"{count} certificates revoked")
        _check_ended(parts, record, now)
        parts.issuers.retire(record.name, now)
        yield CeremonyStep(record.name, "retired: it issues nothing more")
    _revoke_all(parts, record, actor, now)  # its OCSP signers
    if record.certificate is not None:
        yield from _last_crl(parts, record, now)
    yield from _destroy(parts, record, now)


def still_valid(parts: Assembly, record: IssuerRecord, now: datetime) -> list[Unended]:
    """What keeps an issuer from being retired, at most a thousand of them."""
    found = parts.issuers.unended(record.name, now, _AT_ONCE)
    return [each for each in found if each.profile != OCSP_PROFILE]


def _check_nothing_below(parts: Assembly, record: IssuerRecord) -> None:
    """Refuse to end an issuer while another signs by its certificate."""
    for other in parts.issuers.all():
        under = other.name != record.name and other.own_signer == record.name
        if under and other.state is IssuerState.ACTIVE:
            raise Refused(
                Finding(
                    "issuer.retirement",
                    "ETSI EN 319 411-1, termination",
                    f"{other.name} issues under {record.name}",
                    f"retire {other.name} first, or renew it under a later key",
                )
            )


def _check_ended(parts: Assembly, record: IssuerRecord, now: datetime) -> None:
    alive = still_valid(parts, record, now)
    if not alive:
        return
    more = " or more" if len(alive) == _AT_ONCE else ""
    last = max(each.not_after for each in alive)
    raise Refused(
        Finding(
            "issuer.retirement",
            "ETSI EN 319 411-1, last CRL",
            f"{len(alive)}{more} certificates of {record.name} are valid until {last:%F}",
            "wait until they have ended, or revoke them all with --revoke",
        )
    )


def _revoke_all(parts: Assembly, record: IssuerRecord, actor: str, now: datetime) -> int:
    done = 0
    while found := parts.issuers.unended(record.name, now, _AT_ONCE):
        if any(each.status == "intent" for each in found):
            raise Refused(
                Finding(
                    "issuer.retirement",
                    "ETSI EN 319 411-1, last CRL",
                    f"{record.name} is issuing a certificate at this moment",
                    "try again in a few seconds",
                )
            )
        for each in found:
            why = Grounds(Cause.ISSUER_ENDED)
            parts.statuses.revoke(record.name, each.serial_number, why, actor, now)
        done += len(found)
    return done


def _last_crl(parts: Assembly, record: IssuerRecord, now: datetime) -> Iterator[CeremonyStep]:
    for latest in last_crls(parts, record, now):
        of = f" of shard {latest.shard}" if latest.shard else ""
        yield CeremonyStep(record.name, f"last CRL{of} issued, number {latest.number}")
    publish_crl(parts, record)


def _has_last_crl(parts: Assembly, record: IssuerRecord) -> bool:
    found = (parts.crls.latest(record.name, scope.shard) for scope in scopes(parts, record))
    return all(latest is not None and latest.next_update == NEVER for latest in found)


def _destroy(parts: Assembly, record: IssuerRecord, now: datetime) -> Iterator[CeremonyStep]:
    holders = parts.tokens.holders(record.token)
    for token in holders:
        key = parts.tokens.held_by(token, record.key_label)
        if key is not None:
            record.with_key(key)  # another issuer's key of that label stays
            parts.tokens.destroy_key(token, record.key_label)
        if not is_gone(parts.settings, token, record.key_label, parts.tokens.given_pin(token)):
            raise KeyStillThere(token, record.key_label)
    try:
        parts.issuers.record_destruction(record.name, now)
    except Conflict:
        return  # another process was a moment earlier
    yield CeremonyStep(record.name, f"key {record.key_label} destroyed in {' and '.join(holders)}")
