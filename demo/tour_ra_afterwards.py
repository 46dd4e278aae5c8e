"""What registers tell after the certificates are there: a bankruptcy, and a death.

The clock is not turned: registers that are test equipment are asked as if they had opened that
many days ago, by the job that asks them at night.
"""

import os
from collections.abc import Iterator
from typing import Any

from cryptography import x509

from ca.identifiers import SerialNumber
from demo.applicants import (
    Applicant,
    apply,
    certified,
    holder,
    make_request,
    passport,
    show_passport,
)
from demo.chapters import identity
from demo.errors import DemoError
from demo.organisations import appoint, ask_mandate, associate, grant_mandate, sealed
from demo.relying_party import RelyingParty
from demo.stage import Stage

Chapter = Iterator[str]
LIV = Applicant("child", "1310169995")
HOLGER = Applicant("mortal", "2103009996")
BANKRUPT = "99000023"
_DAYS = "TILLID_REGISTERS__FAKE_DAYS"


def child(stage: Stage) -> Chapter:
    """A child is proven like anybody: no requirement names an age."""
    made = apply(stage, LIV, "substantial", make_request(stage, LIV.name))
    show_passport(stage, made["id"], passport(LIV))
    yield from certified(stage, LIV, made)
    yield "no requirement names an age; who may agree to the terms is the law's to say"


def bankruptcy(stage: Stage) -> Chapter:
    """A company goes bankrupt on day 20: its seal and its employee's certificate are revoked."""
    boss, person = (holder(stage, name) for name in ("director", "employee"))
    mandate = ask_mandate(stage, BANKRUPT, boss, by_role=True)
    yield f"mandate {mandate['id']}: {grant_mandate(stage, mandate)}, by the role in the register"
    yield from sealed(stage, BANKRUPT, boss, "bankrupt-seal")
    yield from appoint(stage, BANKRUPT, boss, stage.facts["director"])
    of = stage.facts["employee"], person
    yield from associate(stage, BANKRUPT, boss, of, "bankrupt-role")
    yield from _revoked_on_day(stage, 20, "company_bankrupt", ("bankrupt-seal", "bankrupt-role"))
    party = RelyingParty(stage, "employee")
    yield f"the personal certificate stays: {party.ocsp_says()}"


def death(stage: Stage) -> Chapter:
    """A holder dies on day 30; what relying parties are told does not say so."""
    made = apply(stage, HOLGER, "substantial", make_request(stage, HOLGER.name))
    show_passport(stage, made["id"], passport(HOLGER))
    yield from certified(stage, HOLGER, made)
    yield from _revoked_on_day(stage, 30, "death", (HOLGER.name,))


def _revoked_on_day(stage: Stage, day: int, cause: str, names: tuple[str, ...]) -> Chapter:
    """The register is asked the night before and on this day; an officer does each duty."""
    _night(stage, day - 1)
    if _duties(stage, cause):
        raise DemoError(f"a duty was opened before day {day}")
    yield f"the test registers, as on their day {day - 1}, say nothing new"
    stage.wait_for("the duties", lambda: len(_tonight(stage, day, cause)) == len(names), rest=1)
    yield f"as on day {day}: {len(names)} to revoke, for {cause.replace('_', ' ')}"
    who = str(identity(stage, "security_administrator"))
    for name in names:
        party = RelyingParty(stage, name)
        duty = _duties(stage, cause)[_place(stage, name)]
        by = f"{duty['deadline'][:16]} UTC"
        yield f"duty {duty['id']}: {name}.pem, by {by} or the clock does it"
        done = stage.tillid("duty", "revoke", duty["id"], "--yes", "--identity", who)
        stage.wait_for("OCSP", party.ocsp_revoked)
        stage.wait_for("the CRL", party.crl_lists)
        yield f"$ tillid duty revoke {duty['id']} --yes: {party.ocsp_says()}, {done['reason']}"


def _night(stage: Stage, day: int) -> None:
    """Ask the registers as they are on this day, by hand and beside the service that runs."""
    os.environ[_DAYS] = str(day)
    try:
        stage.tillid("job", "run", "revocation-duties", "--again")
    finally:
        del os.environ[_DAYS]


def _tonight(stage: Stage, day: int, cause: str) -> dict[str, Any]:
    _night(stage, day)
    return _duties(stage, cause)


def _duties(stage: Stage, cause: str) -> dict[str, Any]:
    """The open duties of this cause, by their certificates."""
    who = str(identity(stage, "security_administrator"))
    found = stage.tillid("duty", "list", "--identity", who)["duties"]
    return {each["certificate"]: each for each in found if each["cause"] == cause}


def _place(stage: Stage, name: str) -> str:
    pem = (stage.folder / f"{name}.pem").read_bytes()
    return f"issuing/{SerialNumber(x509.load_pem_x509_certificate(pem).serial_number).hex}"
