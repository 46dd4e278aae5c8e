"""Erasure on one installation: its policies and rules, and the work on its cases."""

import json
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gdpr_erasure.erasures import (
    Approval,
    Erasure,
    NewErasure,
    Notice,
    Told,
)
from gdpr_erasure.pace import next_try
from gdpr_erasure.policies import find_policies
from gdpr_erasure.receipt import new_holder
from gdpr_erasure.retention import Assessment, Context, RetentionPolicy, Trigger, assess
from gdpr_erasure.saga import Saga, approve_erasure, request_erasure
from hsm.labels import AUDIT_KEY
from ra.applications import Application
from revocation.published_files import write_published
from server.assembly import Assembly
from server.clock import utc_now
from server.erasure_rules import erasure_rules
from server.probe import PublicProbe
from server.settings import Settings

_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_BATCH = 100


@dataclass(frozen=True, slots=True)
class NoticeFolder:
    """Notices as files, one folder for each recipient, for whoever carries them on."""

    folder: Path

    def notify(self, notice: Notice) -> Told:
        """Delivered once it lies in the folder; what is named are certificates, not persons."""
        target = self.folder / notice.recipient
        try:
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            places = [{"issuer": issuer, "serial": serial.hex} for issuer, serial in notice.places]
            text = json.dumps({"erased": places, "basis": "GDPR 19"}, indent=2)
            write_published(target / f"{notice.case_id}.json", text.encode())
        except OSError as error:
            return Told("impossible", f"errno-{error.errno}")
        return Told("delivered")


def policies(settings: Settings) -> tuple[RetentionPolicy, ...]:
    """The retention policies in force; PolicyUnknown when one is not there."""
    return find_policies(settings.retention.policy_names)


def saga(parts: Assembly) -> Saga:
    """The saga on this installation."""
    return Saga(
        store=parts.erasures,
        probe=PublicProbe(parts.issuers),
        key=parts.tokens.service_key(AUDIT_KEY),
        vault=parts.vault,
        notifier=NoticeFolder(parts.settings.state / "notices"),
        policies=policies(parts.settings),
        rules=erasure_rules(parts.settings),
    )


def ask_erasure(parts: Assembly, of: Application, now: datetime) -> tuple[Erasure, str | None]:
    """The data subject asks; gives the case, and the key to the receipt when the case is new.

    The key is kept nowhere: who lost it cannot show any more whose the receipt is.
    """
    claim = of.applicant.claim
    key, holder = new_holder(f"{claim.given_name.value} {claim.surname.value}")
    new = NewErasure(of.subject_id, Trigger.REQUEST, holder)
    case = request_erasure(parts.erasures, policies(parts.settings), new, now)
    return case, key if case.holder == holder else None


def open_erasure(parts: Assembly, subject_id: str, officer_id: str, now: datetime) -> Erasure:
    """An officer opens a case for somebody who asked in another way, and does not approve it."""
    new = NewErasure(subject_id, Trigger.REQUEST, None, officer_id)
    return request_erasure(parts.erasures, policies(parts.settings), new, now)


def planned(parts: Assembly, subject_id: str, now: datetime) -> Assessment:
    """What would be erased and what kept, if somebody asked now; nothing is written."""
    items = parts.erasures.inventory(subject_id)
    return assess(items, policies(parts.settings), Context(now.date()))


def approve(parts: Assembly, case_id: str, by: Approval, now: datetime) -> Erasure:
    """A security administrator approves."""
    both = (policies(parts.settings), erasure_rules(parts.settings))
    return approve_erasure(parts.erasures, both, case_id, by, now)


def carry_on_one(parts: Assembly, with_saga: Saga, case_id: str) -> bool:
    """Carry on one case that is free; whether it came further. What fails is noted and raised."""
    holder = f"{os.getpid()}-{secrets.token_hex(8)}"
    case = parts.erasure_work.claim(case_id, holder, utc_now())
    if case is None:
        return False
    error: str | None = "interrupted"
    try:
        after = with_saga.carry_on(case, utc_now)
        error = None
    except Exception as failure:
        error = code_of(failure)
        raise
    finally:
        failed = error is not None
        parts.erasure_work.give_back(
            case_id,
            holder,
            error,
            lambda attempts, state: next_try(
                utc_now(), attempts, state, failed=failed, jitter=secrets.SystemRandom().random()
            ),
        )
    return after.state != case.state


def due_cases(parts: Assembly) -> Sequence[str]:
    """The cases that are to be carried on now."""
    return parts.erasure_work.due(utc_now(), _BATCH)


def code_of(failure: Exception) -> str:
    """Class and code of a failure; its sentence may name somebody and is left out."""
    code = str(getattr(failure, "code", ""))
    name = type(failure).__name__
    return f"{name} {code}" if _CODE.fullmatch(code) else name
