"""`tillid audit export --package`: what an auditor is given, and what is nobody else's business."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from audit.heads import parse_head, verify_head
from ra.errors import Refused
from ra.fake_registers import persona_name
from ra.identity import CprNumber
from ra.levels import AssuranceLevel
from ra.requirements import requirements
from records.audit_log import audit_log
from records.officers import Role
from server.assembly import AUDIT_ORIGIN, Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.registration import conclude_proofing, record_document, reject_application
from server.service import _staff_server
from tests.support.installation import an_installation
from tests.support.operator import CLI, Operator, environment_of, free_port
from tests.support.organisations import NANCY, Registry
from tests.support.ra_builders import passport_of
from tests.support.softhsm import SoftHsm
from tests.support.staff import EnrolledOfficer, Office, an_app, an_officer, applied, certified

DEAD = "0107729995"


@dataclass(frozen=True)
class Audited:
    """An installation with decided cases at every level, its listener, and identity files."""

    parts: Assembly
    environment: dict[str, str]
    folder: Path
    certified: str
    refused: str

    def identity(self, role: Role) -> Path:
        return self.folder / f"{role}.pem"

    def size(self) -> int:
        with audit_log(self.parts.database) as log:
            return log.size()


@pytest.fixture(scope="module")
def audited(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audited")
    state, port = folder / "state", str(free_port())
    with an_installation(softhsm, state, TILLID_STAFF__PORT=port) as parts:
        roles = (Role.REGISTRATION_OFFICER, Role.APPROVING_OFFICER, Role.AUDITOR)
        office = Office(parts, an_app(parts), {role: an_officer(parts, role) for role in roles})
        registry = Registry(office, office.app)
        registry.citizen(NANCY, AssuranceLevel.LOW)
        registry.citizen(NANCY, AssuranceLevel.HIGH)
        clerk = office.registration.officer
        done = certified(parts, clerk, office.approving)
        refused = applied(parts, DEAD)
        record_document(parts, refused.id, passport_of(DEAD), clerk, utc_now())
        with pytest.raises(Refused) as why:
            conclude_proofing(parts, refused.id, clerk, utc_now())
        reject_application(parts, refused.id, why.value.findings, clerk, utc_now())
        run_job("seal-audit-log", parts, Metrics.of_process())
        for role, officer in office.staff.items():
            _write_identity(folder / f"{role}.pem", officer, port)
        root = parts.issuers.get("root").certificate
        assert root is not None
        (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
        server = _staff_server(parts, Metrics.of_process())
        thread = Thread(target=server.serve)
        thread.start()
        environment = environment_of(softhsm, state) | {"TILLID_STAFF__PORT": port}
        try:
            yield Audited(parts, environment, folder, done.id, refused.id)
        finally:
            server.stop()
            thread.join()


def _write_identity(path: Path, officer: EnrolledOfficer, port: str) -> None:
    certificate = officer.certificate.public_bytes(Encoding.PEM).decode()
    lines = f"Staff: https://127.0.0.1:{port}\nTrust: root.pem\n"
    path.write_text(f"{lines}{officer.key_pem.decode()}{certificate}")


@pytest.fixture
def tillid(
    audited: Audited, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    return Operator(audited.environment, capsys, monkeypatch)


def test_the_package_has_everything_and_is_signed(
    tillid: Operator, audited: Audited, tmp_path: Path
) -> None:
    folder, size = tmp_path / "package", audited.size()
    export = ("audit", "export", "--package", folder, "--sample", 2)
    made = tillid(*export, "--identity", audited.identity(Role.AUDITOR))
    assert (made.code, made.result["log_whole"], made.result["cases"]) == (0, True, 4)
    assert tillid("subject", "check", folder).code == 0

    index = (folder / "index.md").read_text()
    rows = json.loads((folder / "requirements.json").read_text())
    assert [each["id"] for each in rows] == list(requirements())
    assert all(f"| {name} |" in index for name in requirements())
    assert "Test equipment" in index
    key = load_pem_public_key((folder / "log" / "key.pem").read_bytes())
    head = parse_head((folder / "log" / "checkpoint").read_text())
    verify_head(head, key, AUDIT_ORIGIN)
    assert head.size <= size
    policies = json.loads((folder / "policies" / "policies.json").read_text())
    assert policies["proofing"]["sha256"] == audited.parts.policy.policy.sha256
    assert {path.name for path in (folder / "policies").glob("terms-*-en.md")}

    paths = sorted((folder / "cases").iterdir())
    levels = [path.name.rpartition("-A-")[0] for path in paths]
    assert levels == [
        "high-fulfilled",
        "low-fulfilled",
        "substantial-fulfilled",
        "substantial-rejected",
    ]
    high, _, substantial, refused = (json.loads(path.read_text()) for path in paths)
    assert len({each["person"] for each in high["duties"]}) == 3
    assert high["approval"]["signature_verifies"] is True
    assert substantial["id"] == audited.certified
    assert [each["e"] for each in substantial["events"]][:2] == [
        "application.submitted",
        "application.proofing",
    ]
    assert refused["findings"] == ["REG-IDN-S6b PERSON_DECEASED"]

    with audit_log(audited.parts.database) as log:
        told = [json.loads(each.header) for each in log.entries(size)]
    assert [each["e"] for each in told] == ["audit.sampled", *(["audit.case_sampled"] * 4)]
    assert told[0]["d"] == {"count": 2, "seed": made.result["seed"], "cases": 4}
    assert {each["o"] for each in told[1:]} >= {audited.certified, audited.refused}


def test_a_sample_names_nobody(tillid: Operator, audited: Audited, tmp_path: Path) -> None:
    folder = tmp_path / "package"
    export = ("audit", "export", "--package", folder, "--sample", 2)
    assert tillid(*export, "--identity", audited.identity(Role.AUDITOR)).code == 0
    names = {name for number in (NANCY, DEAD) for name in persona_name(CprNumber(number))}
    assert len(list((folder / "cases").iterdir())) == 4
    canaries = {NANCY, DEAD, passport_of(NANCY).mrz_lines[1][:9], *names, "Officer Test", "+4520"}
    for path in folder.rglob("*.*"):
        if path.is_file():
            text = path.read_text().lower()
            assert not [each for each in canaries if each.lower() in text], path.name


def test_the_seed_gives_the_same_cases(tillid: Operator, audited: Audited, tmp_path: Path) -> None:
    named = ("--sample", 1, "--seed", "2026", "--identity", audited.identity(Role.AUDITOR))
    for name in ("one", "two"):
        assert tillid("audit", "export", "--package", tmp_path / name, *named).code == 0
    one, two = (sorted(p.name for p in (tmp_path / n / "cases").iterdir()) for n in ("one", "two"))
    assert one == two


def test_what_is_refused_writes_nothing_and_tells_nothing(
    tillid: Operator, audited: Audited, tmp_path: Path
) -> None:
    size, auditor = audited.size(), audited.identity(Role.AUDITOR)
    clerk = audited.identity(Role.REGISTRATION_OFFICER)
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("kept")
    new = tmp_path / "new"
    for arguments, code in (
        (("--package", new, "--identity", clerk), 5),
        (("--package", new, "--identity", "/nowhere"), 3),
        (("--package", new), 2),
        (("--package", new, "--identity", auditor, "--from", 3), 2),
        (("--package", new, "--identity", auditor, "--out", tmp_path / "log"), 2),
        (("--package", new, "--identity", auditor, "--sample", 0), 2),
        (("--package", new, "--identity", auditor, "--sample", 101), 2),
        (("--package", new, "--identity", auditor, "--seed", "a b"), 2),
        (("--package", full, "--identity", auditor), 2),
        (("--package", tmp_path / "no" / "where", "--identity", auditor), 2),
        (("--out", tmp_path / "log", "--sample", 1), 2),
        ((), 2),
    ):
        ended = tillid("audit", "export", *arguments)
        assert (ended.code, ended.answer["ok"]) == (code, False), arguments
    assert audited.size() == size
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine"]


def _past_the_guards(audited: Audited, statement: str, value: bytes) -> None:
    path = audited.parts.settings.state / "tillid.sqlite"
    with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
        guards = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            " AND tbl_name = 'audit_event'"
        ).fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement, (value,))
        for _, text in guards:
            connection.execute(text)


def test_a_broken_log_is_written_down_with_its_place(
    tillid: Operator, audited: Audited, tmp_path: Path
) -> None:
    statement = "UPDATE audit_event SET leaf_sha256 = ? WHERE sequence = 3"
    with audit_log(audited.parts.database) as log:
        (entry,) = log.page(3, 4)
    who = ("--identity", audited.identity(Role.AUDITOR))
    _past_the_guards(audited, statement, bytes(32))
    try:
        ended = tillid("audit", "export", "--package", tmp_path / "package", "--sample", 1, *who)
    finally:
        _past_the_guards(audited, statement, entry.leaf_hash)
    assert (ended.code, ended.result["log_whole"]) == (9, False)
    found = json.loads((tmp_path / "package" / "log" / "verification.json").read_text())
    assert (found["whole"], found["broken_at"]) == (False, 3)
    assert "BROKEN at event 3" in (tmp_path / "package" / "index.md").read_text()


def test_every_query_is_of_a_verb_and_of_keys_that_there_are(
    tillid: Operator, audited: Audited, tmp_path: Path
) -> None:
    folder = tmp_path / "package"
    who = ("--identity", audited.identity(Role.AUDITOR))
    assert tillid("audit", "export", "--package", folder, "--sample", 1, *who).code == 0
    case = json.loads(next((folder / "cases").iterdir()).read_text())
    for each in json.loads((folder / "requirements.json").read_text()):
        assert set(each["evidence"]["case_keys"]) <= case.keys()
        words = each["evidence"]["verb"].split()[1:]
        assert CLI.tillid.get_command(None, words[0]) is not None
        assert words[1:] == [] or words[1] in CLI.tillid.get_command(None, words[0]).commands
        for test in each["tests"]:
            path, _, name = test.partition("::")
            assert f"def {name.partition('[')[0]}(" in Path(path).read_text()
