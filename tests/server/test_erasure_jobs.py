"""The jobs of erasures on an installation: carried on by lease, and the work of the nights."""

from gdpr_erasure.erasures import Approval, ErasureState, NewErasure
from gdpr_erasure.receipt import verify_receipt
from gdpr_erasure.saga import ERASE_ALL, request_erasure
from hsm.labels import AUDIT_KEY
from records.officers import Role
from server.assembly import AUDIT_ORIGIN
from server.clock import utc_now
from server.erasures import approve, carry_on_one, saga
from server.jobs import run_job
from server.metrics import Metrics
from tests.support.staff import Office, an_officer, applied


def test_the_jobs_take_an_approved_case_to_its_receipt(office: Office) -> None:
    parts, metrics = office.parts, Metrics.of_process()
    new = NewErasure(applied(parts).subject_id)
    case = request_erasure(parts.erasures, ERASE_ALL, new, utc_now())
    first = office.staff[Role.SECURITY_ADMINISTRATOR].officer
    for officer in (first, an_officer(parts, Role.SECURITY_ADMINISTRATOR).officer):
        approve(parts, case.id, Approval(officer.id, case.assessment.sha256), utc_now())

    assert run_job("carry-on-erasures", parts, metrics) >= 1
    assert parts.erasures.erasure(case.id).state is ErasureState.RECHECKED
    parts.vault.seal(utc_now())
    run_job("seal-audit-log", parts, metrics)
    assert not carry_on_one(parts, saga(parts), "E-0")
    assert carry_on_one(parts, saga(parts), case.id)
    done = parts.erasures.erasure(case.id)
    assert (done.state, len(done.receipts)) == (ErasureState.DONE, 1)
    key = parts.tokens.service_key(AUDIT_KEY).public_key()
    assert verify_receipt(done.receipts[0], key, AUDIT_ORIGIN)["receipt"] == case.id


def test_the_work_of_a_night_is_done_once(office: Office) -> None:
    for job in ("retention", "after-care", "directory-debts"):
        run_job(job, office.parts, Metrics.of_process())
        assert run_job(job, office.parts, Metrics.of_process()) == 0
