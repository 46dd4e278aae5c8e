"""Where a key is in use already, and whether it may be certified once more.

A key stands for one subject: certified for two, either could act as the other. The keys of issuers
and of the service are certified themselves, so they are found like anybody's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ca.errors import Finding, Refused

_CLAUSE = "CA/B BR 6.1.1.3, ETSI EN 319 411-1 GEN-6.5.1"
_NEW_KEY = "make a new key and send a request with it"


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One certificate for a key, or an intent for one.

    `holder` is the id of the subject, or the subject name's DER in hexadecimal where there is no
    id. `may_exist` is False for an orphan: revoked, and never handed out.
    """

    holder: str
    application_id: str | None
    may_exist: bool


@dataclass(frozen=True, slots=True)
class KeyUses:
    """Everything that is known about the use of one key."""

    compromised: bool = False
    certified: Sequence[KeyUse] = ()


def check_key_uses(uses: KeyUses, holder: str, application_id: str | None, *, reuse: bool) -> None:
    """Refuse a key that is compromised, somebody else's, or the holder's own unless `reuse`.

    What the same application led to is not looked at: the records allow it one certificate.

    Raises:
        Refused: by request.key-compromised or request.key-in-use.
    """
    if uses.compromised:
        raise Refused(
            Finding(
                "request.key-compromised",
                "CA/B BR 6.1.1.3 and 4.9.1.1",
                "the key is known to be compromised",
                _NEW_KEY,
            )
        )
    for use in uses.certified:
        if use.holder != holder:
            raise _in_use("the key is certified for another subject")
        again = application_id is not None and use.application_id == application_id
        if use.may_exist and not again and not reuse:
            raise _in_use("the key is certified already, and this profile asks for a new one")


def _in_use(sentence: str) -> Refused:
    return Refused(Finding("request.key-in-use", _CLAUSE, sentence, _NEW_KEY))
