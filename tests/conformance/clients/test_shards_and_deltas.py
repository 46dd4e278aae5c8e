"""Clients of an authority that spreads its CRL over shards, and makes a delta of the complete one.

Who has a shard that is not the certificate's own knows nothing of it (RFC 5280 section 6.3.3, step
b). What each client says is data, and the page of the other table has it too.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.shard_town import SPREAD, WHOLE, a_shard_town, shard_of
from tests.support.softhsm import SoftHsm
from tests.support.status_matrix import Channel, Client, Party, Said, State, Verdict, run

_OPENSSL, _GNUTLS, _JAVA, _NSS, _PYHANKO, _STRONGSWAN = (
    import_module(f"test_client_{name}")
    for name in ("openssl", "gnutls", "java", "nss", "pyhanko", "strongswan")
)
_COMPLETE = ("root.crl", "complete.crl")
_WITH_DELTA = ("root.crl", "base.crl", "delta.crl")


def _openssl(options: tuple[str, ...], crls: tuple[str, ...], party: Party, state: State) -> Said:
    files = (part for crl in crls for part in ("-CRLfile", party.file(crl.format(state.name))))
    said: Said = _OPENSSL.verify(party, state, *options, *files)
    return said


def _certtool(crls: tuple[str, ...], party: Party, state: State) -> Said:
    said: Said = _GNUTLS.certtool(party, state, *(crl.format(state.name) for crl in crls))
    return said


def _pyhanko(crls: tuple[str, ...], party: Party, state: State) -> Said:
    said: Said = _PYHANKO.by_crls(party, state, *(crl.format(state.name) for crl in crls))
    return said


def _pki(crls: tuple[str, ...], party: Party, state: State) -> Said:
    said: Said = _STRONGSWAN.by_crl(party, state, *(crl.format(state.name) for crl in crls))
    return said


def _java(party: Party, state: State) -> Said:
    is_whole = state.name.startswith(WHOLE)
    names = (f"{WHOLE}{each.name}" if is_whole else each.name for each in SPREAD)
    cases = tuple((Channel.CRL.name, name) for name in names)
    said: Said = _JAVA.judged(party, cases)[Channel.CRL.name, state.name]
    return said


def _vfychain(party: Party, state: State) -> Said:
    said: Said = _NSS.by_crl(party, state)
    return said


@cache
def _nss_database(party: Party) -> str:
    place = Path(party.file("nss-shards"))
    place.mkdir()
    where = f"sql:{place}"
    made = [run("certutil", "-N", "-d", where, "--empty-password")]
    for name, trust in (("root", "CT,C,C"), ("issuing", ",,")):
        file = ("-n", name, "-t", trust, "-i", party.file(f"{name}.pem"))
        made.append(run("certutil", "-A", "-d", where, *file))
    assert all(step.code == 0 for step in made), made
    return where


def _crlutil(party: Party, state: State) -> Said:
    shard = party.file(f"{state.name}.own.der")
    ran = run("crlutil", "-I", "-d", _nss_database(party), "-i", shard)
    refused = ran.code == 1 and "SEC_ERROR_CRL_UNKNOWN_CRITICAL_EXTENSION" in ran.text
    return Said(Verdict.UNKNOWN if refused else None, ran.text)


_ALL = ("-crl_check_all",)
_GOOD = {state.name: Verdict.GOOD for state in SPREAD}
_UNKNOWN = {state.name: Verdict.UNKNOWN for state in SPREAD}
# It wants the delta that a complete CRL names, and fetches only one that the certificate names.
_OF_WHOLE = {"pyhanko-certvalidator": _UNKNOWN}
_AS_BASE = {"returned": Verdict.REVOKED, "revoked-later": Verdict.GOOD}


def _of_whole(client: Client) -> Client:
    """The same, asked about certificates that name the complete CRL."""

    def ask(party: Party, state: State) -> Said:
        return client.ask(party, replace(state, name=f"{WHOLE}{state.name}"))

    known_as = _OF_WHOLE.get(client.name, {})
    words = {} if known_as else client.words
    return replace(client, channel=Channel.CRL, ask=ask, words=words, known_as=known_as)


FETCHING = (
    Client(
        "openssl verify -crl_download",
        Channel.SHARD,
        partial(_openssl, ("-crl_check", "-crl_download"), ()),
    ),
    Client("Java PKIX, enableCRLDP", Channel.SHARD, _java, words=_JAVA.WORDS),
    Client("pyhanko-certvalidator", Channel.SHARD, partial(_pyhanko, ()), words=_PYHANKO.WORDS),
    Client("pki --verify --online", Channel.SHARD, partial(_pki, ()), words=_STRONGSWAN.WORDS),
)
OWN = (
    *FETCHING,
    Client("openssl verify -CRLfile", Channel.SHARD, partial(_openssl, _ALL, ("{}.own.crl",))),
    Client("certtool --load-crl", Channel.SHARD, partial(_certtool, ("{}.own.crl",))),
    # It takes no CRL with a critical extension that it does not know.
    Client("crlutil -I", Channel.SHARD, _crlutil, known_as=_UNKNOWN),
)
COMPLETE = (
    Client("openssl verify -CRLfile", Channel.CRL, partial(_openssl, _ALL, _COMPLETE)),
    Client("pyhanko-certvalidator", Channel.CRL, partial(_pyhanko, _COMPLETE), known_as=_UNKNOWN),
    Client("certtool --load-crl", Channel.CRL, partial(_certtool, _COMPLETE)),
    Client("pki --verify --online --crl", Channel.CRL, partial(_pki, ("complete.crl",))),
    Client("vfychain -m crl", Channel.CRL, _vfychain),
)
FETCHING_WHOLE = tuple(map(_of_whole, FETCHING))
ANOTHERS = (
    Client(
        "openssl verify -CRLfile",
        Channel.SHARD,
        partial(_openssl, _ALL, ("{}.other.crl",)),
        known_as=_UNKNOWN,
    ),
    Client(
        "pyhanko-certvalidator",
        Channel.SHARD,
        partial(_pyhanko, ("{}.other.crl",)),
        known_as=_UNKNOWN,
    ),
    # These two do not look for whom a CRL is; the second does not even fetch when it has one.
    Client(
        "certtool --load-crl",
        Channel.SHARD,
        partial(_certtool, ("{}.other.crl",)),
        known_as=_GOOD,
    ),
    Client(
        "pki --verify --online --crl",
        Channel.SHARD,
        partial(_pki, ("{}.other.der",)),
        known_as=_GOOD,
    ),
)
DELTAS = (
    Client(
        "openssl verify -CRLfile",
        Channel.CRL,
        partial(_openssl, _ALL, _WITH_DELTA[:2]),
        known_as=_AS_BASE,
    ),
    Client(
        "openssl verify -use_deltas",
        Channel.DELTA,
        partial(_openssl, (*_ALL, "-use_deltas"), _WITH_DELTA),
    ),
    Client("pyhanko-certvalidator", Channel.DELTA, partial(_pyhanko, _WITH_DELTA)),
    # It takes a delta for a complete CRL, and what left the CRL for revoked.
    Client(
        "certtool --load-crl",
        Channel.DELTA,
        partial(_certtool, _WITH_DELTA),
        known_as={"returned": Verdict.REVOKED},
    ),
    # It takes what left the CRL for revoked, too.
    Client(
        "pki --verify --online, delta since that CRL",
        Channel.DELTA,
        partial(_pki, ("first.crl",)),
        known_as={"returned": Verdict.REVOKED},
    ),
    # It drops a delta that goes further back than the CRL it has, and says nothing of that. What
    # the CRL has for revoked it looks for again, where the certificate says.
    Client(
        "pki --verify --online, delta from before that CRL",
        Channel.DELTA,
        partial(_pki, ("base.crl",)),
        known_as={"revoked-later": Verdict.GOOD},
    ),
)


@pytest.fixture(scope="module")
def spread(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Party]:
    with a_shard_town(softhsm, tmp_path_factory.mktemp("shards")) as party:
        yield party


@pytest.fixture(scope="module", autouse=True)
def fetched(spread: Party) -> dict[str, set[str]]:
    """Which CRLs of the issuer each client that fetches asked for, of all certificates."""
    found = {}
    for client in FETCHING:
        with spread.tap.listening() as requests:
            for state in SPREAD:
                client.ask(spread, state)
        found[client.name] = {path for _, path in requests if path.startswith("/crl/issuing")}
    return found


each_state = pytest.mark.parametrize("state", SPREAD, ids=lambda state: state.name)


GROUPS = {
    "the shard that the certificate names": OWN,
    "a shard that is another certificate's": ANOTHERS,
    "the complete CRL, which certificates name that are older than the shards": FETCHING_WHOLE,
    "the complete CRL from a file": COMPLETE,
    "a complete CRL from before, and but for the first client the delta since": DELTAS,
}


def _each(clients: tuple[Client, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", clients, ids=lambda client: client.name)


@_each(OWN)
@each_state
def test_clients_of_the_shard_that_a_certificate_names(
    spread: Party, client: Client, state: State
) -> None:
    client.check(spread, state)


@_each(FETCHING)
def test_who_fetches_asks_for_the_shards_that_certificates_name_and_no_other_list(
    spread: Party, fetched: dict[str, set[str]], client: Client
) -> None:
    assert fetched[client.name] == {shard_of(spread.folder / f"{s.name}.pem") for s in SPREAD}


@_each(FETCHING_WHOLE)
@each_state
def test_clients_of_the_complete_crl_that_a_certificate_names(
    spread: Party, client: Client, state: State
) -> None:
    client.check(spread, state)


@_each(COMPLETE)
@each_state
def test_clients_of_the_complete_crl_that_goes_on(
    spread: Party, client: Client, state: State
) -> None:
    client.check(spread, state)


@_each(ANOTHERS)
@each_state
def test_clients_of_a_shard_that_is_another_certificate_s(
    spread: Party, client: Client, state: State
) -> None:
    client.check(spread, state)


@_each(DELTAS)
@each_state
def test_clients_of_an_older_complete_crl_and_the_delta(
    spread: Party, client: Client, state: State
) -> None:
    client.check(spread, state)


def test_the_delta_goes_back_to_the_first_complete_crl(spread: Party) -> None:
    first, base, delta = (
        x509.load_pem_x509_crl((spread.folder / f"{name}.crl").read_bytes()).extensions
        for name in ("first", "base", "delta")
    )
    since = delta.get_extension_for_class(x509.DeltaCRLIndicator).value.crl_number
    numbers = [
        each.get_extension_for_class(x509.CRLNumber).value.crl_number
        for each in (first, base, delta)
    ]
    assert numbers == [since, since + 1, since + 2]
