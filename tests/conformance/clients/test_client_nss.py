"""NSS: `vfychain` by OCSP (GET) and by CRL, `certutil -V` by CRL; CRLs lie in its database."""

from functools import cache
from pathlib import Path

from tests.support.status_matrix import (
    Channel,
    Client,
    Party,
    Said,
    State,
    Verdict,
    each_cell,
    first_of,
    run,
)

_SIGNS = {
    "Chain is good!": Verdict.GOOD,
    "certificate is valid": Verdict.GOOD,
    "has expired": Verdict.EXPIRED,
    "has been revoked": Verdict.REVOKED,
}


@cache
def _database(party: Party, generation: str) -> str:
    """A database with one generation of the authority: NSS holds one CRL for a name."""
    place = Path(party.file(f"nss-{generation}"))
    place.mkdir()
    where = ("-d", f"sql:{place}")
    made = [run("certutil", "-N", *where, "--empty-password")]
    for name, trust in (("root", "CT,C,C"), (generation, ",,")):
        file = ("-i", party.file(f"{name}.pem"))
        made.append(run("certutil", "-A", *where, "-n", name, "-t", trust, *file))
        made.append(run("crlutil", "-I", *where, "-i", party.file(f"{name}.crl.der")))
    assert all(step.code == 0 for step in made), made
    return where[1]


def _vfychain(party: Party, state: State, method: str) -> Said:
    ran = run(
        *("vfychain", "-d", _database(party, state.generation), "-pp", "-u", "1", "-g", "leaf"),
        *("-m", *method.split(), "-a", party.file(f"{state.name}.pem")),
    )
    return Said(first_of(ran.text, _SIGNS), ran.text)


def _by_ocsp(party: Party, state: State) -> Said:
    return _vfychain(party, state, "ocsp -s failIfNoInfo")


def by_crl(party: Party, state: State) -> Said:
    return _vfychain(party, state, "crl -s failIfNoInfo,ignoreDefaultSrc")


def _certutil(party: Party, state: State) -> Said:
    where, named = ("-d", _database(party, state.generation)), ("-n", state.name)
    run("certutil", "-A", *where, *named, "-t", ",,", "-i", party.file(f"{state.name}.pem"))
    ran = run("certutil", "-V", *where, *named, "-u", "V")
    return Said(first_of(ran.text, _SIGNS), ran.text)


CLIENTS = (
    # It says "revoked" of all that is not good.
    Client("vfychain -m ocsp", Channel.GET, _by_ocsp, known_as={"unissued": Verdict.REVOKED}),
    Client("vfychain -m crl", Channel.CRL, by_crl),
    Client("certutil -V", Channel.CRL, _certutil),
)


@each_cell(*CLIENTS)
def test_nss_sees_each_state(party: Party, client: Client, state: State) -> None:
    client.check(party, state)
