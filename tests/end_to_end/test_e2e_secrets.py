"""After a whole life of a credential: nothing personal and no secret where it does not belong."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ra.fake_registers import persona_name
from ra.identity import CprNumber
from tests.support.people import NANCY, PROFILE, Office, a_request
from tests.support.service import Service, until
from tests.support.workshop import Workshop, events


@dataclass(frozen=True)
class Told:
    """A whole story, and what of it must not be found."""

    office: Office
    canaries: dict[str, bytes]
    errors: list[bytes]

    @property
    def service(self) -> Service:
        return self.office.service


@pytest.fixture(scope="module")
def told(workshop: Workshop) -> Iterator[Told]:
    with workshop.empty() as service:
        office = Office(service.start())
        applied, certificate = office.certified()
        who = str(office.identity("registration_officer"))
        link = service.verb("officer", "sign-in", "--identity", who)["link"]
        invited = service.verb("officer", "invite", "Canary Officer", "--role", "auditor")["link"]
        given_name, surname = persona_name(CprNumber(NANCY))
        canaries = {
            "the CPR number": NANCY.encode(),
            "the CPR number as people write it": f"{NANCY[:6]}-{NANCY[6:]}".encode(),
            "the surname": surname.encode(),
            "the given name": given_name.encode(),
            "an officer's name": b"Canary Officer",
            "the applicant's secret": applied.secret.encode(),
            "the sign-in link": link.rpartition("/")[2].encode(),
            "the invitation": invited.rpartition("/")[2].encode(),
            "the directory's password": workshop.slapd.password_file.read_bytes(),
        }
        for pin in (service.state / "softhsm" / "pins").iterdir():
            canaries[pin.name] = pin.read_bytes().strip()
        errors = faulty_calls(office, applied.id, applied.secret)
        office.revoke(certificate)
        case = office.ask_erasure(applied)
        office.begin_erasure(case)
        until("the receipt", lambda: office.erasure(case)["state"] == "done")
        errors += faulty_calls(office, applied.id, applied.secret)
        yield Told(office, canaries, errors)


def officer_id(office: Office) -> str:
    who = office.identity("registration_officer")
    return str(office.service.api("whoami", identity=who)["officer"])


def faulty_calls(office: Office, application: str, secret: str) -> list[bytes]:
    """The bodies of answers to calls that are wrong in ways that quote the caller's own data."""
    service, who = office.service, office.identity("registration_officer")
    given_name, surname = persona_name(CprNumber(NANCY))
    attributes = {"given_name": given_name, "surname": surname, "cpr_number": NANCY}
    texts = service.api("terms")
    answers = {
        kind: {"sha256": text["sha256"], "read": True, "accepted": True}
        for kind, text in texts.items()
    }
    request = a_request().decode()
    whole = {
        "profile": PROFILE,
        "attributes": attributes,
        "certificate_request": request,
        **answers,
    }
    odd = [
        {**whole, "attributes": {**attributes, "cpr_number": NANCY + NANCY}},
        {**whole, "attributes": {**attributes, "surname": f"{surname}\u202e"}},
        {**whole, "attributes": [NANCY, surname]},
        {**whole, "attributes": {"surname": surname, "cpr_number": NANCY}},
        {**whole, "certificate_request": f"{surname} {NANCY}"},
        {**whole, "terms": {"sha256": NANCY, "read": True, "accepted": True}},
        [NANCY, surname],
    ]
    for names in (
        {**whole, "attributes": {**attributes, NANCY: surname}},
        {**whole, "profile": surname},
        {**whole, surname: NANCY},
    ):  # the caller is told which name is not known, but no log is
        assert 400 <= service.staff("/api/v1/applications", names).status < 500
    found = [service.staff("/api/v1/applications", body) for body in odd]
    path = f"/api/v1/applications/{application}"
    document = {"mrz_lines": [surname, NANCY], "features_seen": [NANCY], "presence": "in_person"}
    found += [
        service.staff(f"{path}/documents", document, identity=who),
        service.staff(f"{path}/documents", {**document, "kind": surname}, identity=who),
        service.staff(f"{path}/approval", {"signature": f"{surname} {NANCY}"}, identity=who),
        service.staff(f"{path}/certificate", secret=secret + "x"),
        service.staff(f"/api/v1/applications/{NANCY}", secret=secret),
        service.staff(f"/api/v1/enrolments/{secret}", {"token": secret}),
        service.staff("/api/v1/enrolments", {"token": secret, "certificate_request": request}),
        service.staff(f"/sign-in/{secret}"),
        service.staff(f"/api/v1/certificates?profile={surname}", identity=who),
        service.staff(f"/api/v1/certificates?status={NANCY}", identity=who),
    ]
    wrong = [answer for answer in found if answer.status >= 400]
    assert len(wrong) >= 15
    assert all(answer.status < 500 for answer in found)
    return [answer.body for answer in wrong]


def found_in(told: Told, octets: bytes) -> list[str]:
    lowered = octets.lower()
    return [name for name, canary in told.canaries.items() if canary.lower() in lowered]


def test_logs_name_nobody_and_hold_no_secret(told: Told) -> None:
    logs = [path for path in (told.service.state / "logs").iterdir() if path.is_file()]
    found = {path.name: found_in(told, path.read_bytes()) for path in logs}

    assert {"serve.log", "public.log", "command.log"} <= found.keys()
    assert [name for name, canaries in found.items() if canaries] == []


def test_the_audit_log_names_nobody_and_holds_no_secret(told: Told) -> None:
    log = events(told.service)

    assert len(log) > 20
    assert found_in(told, repr(log).encode()) == []


def test_metrics_name_nobody_and_hold_no_secret(told: Told) -> None:
    assert found_in(told, told.service.staff("/metrics").body) == []


def test_answers_to_faulty_calls_give_nothing_back(told: Told) -> None:
    assert [body for body in told.errors if found_in(told, body)] == []


def test_the_database_at_rest_shows_no_person_and_no_secret(told: Told) -> None:
    files = sorted(told.service.state.glob("tillid.sqlite*"))

    assert files
    assert {path.name: found_in(told, path.read_bytes()) for path in files} == {
        path.name: [] for path in files
    }


def test_processes_carry_no_secret_in_arguments_or_environment(told: Told) -> None:
    for pid in told.service.processes():
        for name in ("cmdline", "environ"):
            assert found_in(told, Path(f"/proc/{pid}/{name}").read_bytes()) == []


def test_no_process_leaves_its_memory_on_a_disk_when_it_crashes(told: Told) -> None:
    processes = told.service.processes()
    assert len(processes) >= 3
    for pid in processes:
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        (core,) = [line.split()[4:6] for line in limits if line.startswith("Max core file size")]
        assert core == ["0", "0"]


# What an operator, or the test in the operator's place, writes into the state directory.
OF_OTHERS = {"tillid.toml", "processors.toml", "people"}


def test_only_the_owner_can_read_what_is_not_public(told: Told) -> None:
    state = told.service.state
    ours = {path for path in state.iterdir() if path.name not in OF_OTHERS}
    readable = {
        str(path.relative_to(state))
        for top in [state, *ours]
        for path in ([top] if top == state else [top, *top.rglob("*")])
        if path.stat().st_mode & 0o077 and path != told.service.serve_log
    }

    assert readable == {
        "public/crl/issuing.crl",
        "public/crl/root.crl",
        "public/audit/checkpoint",
        "tls/staff.pem",
    }
