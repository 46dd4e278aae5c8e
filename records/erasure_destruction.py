"""The one transaction that deletes a person, as far as nothing has to be kept.

The database checks each delete once more. What stays (a file that a duty keeps) stays under its
own data key, and the subject stays `erasing`, so that nobody works with it.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, and_, delete, insert, or_, select

from audit.payloads import DROPPED
from gdpr_erasure.erasures import DirectoryPolicy
from records.associations import forget_associations
from records.audit_payloads import erase_payloads
from records.case_contents import forget_cases
from records.credentials import forget_credentials
from records.erasure_inventory import remaining
from records.orders import hold_of
from records.proofing_records import forget_proofing
from records.publication_consents import forget_consents
from records.tables import (
    application,
    approval,
    certificate,
    data_key,
    directory_debt,
    holder_notice,
    publication,
    renewal,
    retention_order,
    revocation_duty,
    subject,
)


def destroy_all(
    tx: Connection,
    of: str,
    case_id: str,
    policies: Mapping[str, DirectoryPolicy],
    now: datetime,
) -> dict[str, int]:
    """Delete what is not kept; gives how much of what, and in `left` what stays."""
    counts = {"owed": _owe(tx, of, case_id, policies, now)}
    counts["duties"] = tx.execute(
        delete(revocation_duty).where(revocation_duty.c.subject_id == of)
    ).rowcount
    ended = or_(certificate.c.keep_until.is_(None), certificate.c.keep_until <= now)
    gone = and_(certificate.c.subject_id == of, ended)
    counts["certificates"] = tx.execute(delete(certificate).where(gone)).rowcount
    counts["publications"] = tx.execute(
        delete(publication).where(publication.c.subject_id == of)
    ).rowcount
    ended = or_(application.c.keep_until.is_(None), application.c.keep_until <= now)
    gone = and_(application.c.subject_id == of, ended)
    ids = select(application.c.id).where(gone)
    forget_credentials(tx, ids)
    counts["approvals"] = tx.execute(
        delete(approval).where(approval.c.application_id.in_(ids))
    ).rowcount
    forget_associations(tx, of, ids)
    counts["proofings"] = forget_proofing(tx, ids)
    tx.execute(delete(holder_notice).where(holder_notice.c.application_id.in_(ids)))
    tx.execute(delete(renewal).where(renewal.c.application_id.in_(ids)))
    counts["applications"] = tx.execute(delete(application).where(gone)).rowcount
    counts["cases"] = forget_cases(tx, of)
    bodies, files = remaining(tx, of)
    needed = ["core"] * bool(bodies) + ["evidence"] * bool(files)
    doomed = and_(data_key.c.subject_id == of, data_key.c.purpose.not_in(needed))
    counts["keys"] = tx.execute(delete(data_key).where(doomed)).rowcount
    counts[DROPPED] = erase_payloads(tx, of)  # after the keys: whoever adds one waits for them
    counts["left"] = bodies + files
    counts["consents"] = 0
    if not counts["left"]:
        counts["consents"] = forget_consents(tx, of)
        mine = retention_order.c.subject_id == of
        # A hold before its release: without that it would be in force again.
        tx.execute(delete(retention_order).where(mine, retention_order.c.kind == "hold"))
        tx.execute(delete(retention_order).where(mine))
        tx.execute(delete(subject).where(subject.c.id == of))
    return counts


def may_be_destroyed(tx: Connection, of: str) -> bool:
    """Whether no legal hold is on the subject; the subject's row is this transaction's from now."""
    tx.execute(select(subject.c.id).where(subject.c.id == of).with_for_update())
    return hold_of(tx, of) is None


def _owe(
    tx: Connection,
    of: str,
    case_id: str,
    policies: Mapping[str, DirectoryPolicy],
    now: datetime,
) -> int:
    """Write down the withdrawals that directories still owe; gives how many."""
    indebted = [name for name, policy in policies.items() if policy is DirectoryPolicy.DEBT]
    open_ones = select(publication).where(
        publication.c.subject_id == of,
        publication.c.state == "withdrawing",
        publication.c.directory.in_(indebted),
    )
    rows = [
        {
            "directory": row.directory,
            "issuer": row.issuer,
            "serial": row.serial,
            "case_id": case_id,
            "entry_uuid": row.entry_uuid,
            "retry_at": now,
        }
        for row in tx.execute(open_ones).all()
    ]
    if rows:
        tx.execute(insert(directory_debt), rows)
    return len(rows)
