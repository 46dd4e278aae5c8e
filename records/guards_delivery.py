"""What the database refuses about delivery, activation and separated duties (NSIS 3.2.2)."""

from ra.activation_codes import TRIES
from ra.delivery import STEPS
from records.triggers import Guard, changed, same_row

_STEP = " OR ".join(
    f"(OLD.step = '{step}' AND NEW.step = '{further}')"
    for step, reached in STEPS.items()
    for further in sorted(reached)
)
_FINAL = ", ".join(f"'{step}'" for step, further in STEPS.items() if not further)
_APPROVED = (
    "EXISTS (SELECT 1 FROM application a WHERE a.id = NEW.application_id AND a.state = 'approved')"
)
_IS_HIGH = "a.id = NEW.application_id AND a.level = 'high'"
_STAYS = (
    "EXISTS (SELECT 1 FROM application a JOIN subject s ON s.id = a.subject_id"
    " WHERE a.id = OLD.application_id AND s.state <> 'erasing')"
)
_LIVE = (
    "EXISTS (SELECT 1 FROM activation_code x WHERE x.application_id = {row}.application_id"
    " AND x.used_at IS NULL AND x.ended_at IS NULL)"
)
_GONE = "goes only in the erasure of its subject"

_CREDENTIAL_GUARDS = (
    Guard(
        "DEL01",
        "credential",
        "INSERT",
        f"{same_row('credential', 'application_id')} OR NEW.step <> 'prepared' OR NOT {_APPROVED}",
        "a credential begins as prepared, for an approved application",
    ),
    Guard(
        "DEL02",
        "credential",
        "UPDATE",
        f"{changed('application_id', 'channel', 'prepared_at')}"
        f" OR (NEW.step <> OLD.step AND NOT ({_STEP}))"
        f" OR (OLD.step IN ({_FINAL}) AND ({changed('activated_at', 'sealed_activation')}"
        f" OR {changed('ended_at', 'ending', 'delivered_at')}))",
        "a credential takes no step that leaves one out, and its end is final",
    ),
    Guard(
        "DEL03",
        "credential",
        "UPDATE",
        f"NEW.step = 'activated' AND OLD.step <> 'activated' AND NOT ({_APPROVED} AND EXISTS"  # noqa: S608 - of our own constants
        " (SELECT 1 FROM activation_code x WHERE x.application_id = NEW.application_id"
        " AND x.used_at = NEW.activated_at))",
        "a credential is activated with its code, while its application is approved",
    ),
    Guard("DEL04", "credential", "DELETE", _STAYS, f"a credential {_GONE}"),
    Guard(
        "DEL09",
        "certificate",
        "INSERT",
        "EXISTS (SELECT 1 FROM credential c WHERE c.application_id = NEW.application_id"
        " AND c.step <> 'activated')",
        "a credential that is to be activated has no certificate before",
    ),
)
_CODE_GUARDS = (
    Guard(
        "DEL05",
        "activation_code",
        "INSERT",
        f"{same_row('activation_code', 'id')} OR {_LIVE.format(row='NEW')} OR NEW.tries <> 0"  # noqa: S608 - of our own constants
        " OR NEW.used_at IS NOT NULL OR NEW.ended_at IS NOT NULL"
        f" OR NEW.expires_at <= NEW.made_at OR NOT {_APPROVED} OR NOT EXISTS (SELECT 1 FROM"
        " credential c WHERE c.application_id = NEW.application_id"
        " AND c.step IN ('prepared', 'delivered'))",
        "a code is fresh, the only one, and for a credential on its way",
    ),
    Guard(
        "DEL06",
        "activation_code",
        "UPDATE",
        f"{changed('id', 'application_id', 'channel', 'salt', 'digest', 'sealed_digest')}"
        f" OR {changed('made_at', 'expires_at')}"
        " OR NEW.tries NOT IN (OLD.tries, OLD.tries + 1)"
        " OR OLD.used_at IS NOT NULL OR OLD.ended_at IS NOT NULL"
        f" OR (NEW.used_at IS NOT NULL AND (NEW.tries >= {TRIES} OR NEW.tries <> OLD.tries"
        f" OR NEW.used_at > OLD.expires_at OR NOT {_APPROVED}))",
        "a code is used once, in its window and within its tries, and does not change",
    ),
    Guard("DEL04", "activation_code", "DELETE", _STAYS, f"a code {_GONE}"),
    Guard(
        "DEL07",
        "print_job",
        "INSERT",
        f"{same_row('print_job', 'id')} OR NEW.confirmed_at IS NOT NULL"
        " OR NEW.purged_at IS NOT NULL",
        "a letter begins unprinted",
    ),
    Guard(
        "DEL07",
        "print_job",
        "UPDATE",
        f"{changed('id', 'application_id', 'made_at')}"
        f" OR (NEW.sealed_letter IS NOT NULL AND ({changed('sealed_letter')}))"
        " OR (NEW.sealed_letter IS NULL AND NEW.confirmed_at IS NULL"
        f" AND {_LIVE.format(row='NEW')})"
        " OR (OLD.confirmed_at IS NOT NULL"
        f" AND ({changed('confirmed_at', 'confirmed_by')}))"
        f" OR (OLD.purged_at IS NOT NULL AND ({changed('purged_at', 'sealed_letter')}))",
        "a letter does not change, and goes once it is printed or its code is dead",
    ),
    Guard("DEL04", "print_job", "DELETE", _STAYS, f"a letter {_GONE}"),
    Guard(
        "DEL08",
        "revocation_secret",
        "INSERT",
        f"{same_row('revocation_secret', 'application_id')} OR NEW.tries <> 0",
        "a revocation secret is made once",
    ),
    Guard(
        "DEL08",
        "revocation_secret",
        "UPDATE",
        f"{changed('application_id', 'salt', 'digest', 'made_at')} OR NEW.tries < OLD.tries",
        "a revocation secret does not change",
    ),
    Guard("DEL04", "revocation_secret", "DELETE", _STAYS, f"a revocation secret {_GONE}"),
)

_ROLE_OF = (
    "CASE NEW.task WHEN 'personalisation' THEN 'personalisation_operator'"
    " WHEN 'code_dispatch' THEN 'code_dispatcher' ELSE 'registration_officer' END"
)
_TWO_TASKS = "one person does one task for a credential at High"
_DUTY_GUARDS = (
    Guard(
        "DUT01",
        "duty",
        "INSERT",
        f"EXISTS (SELECT 1 FROM application a WHERE {_IS_HIGH} AND (EXISTS (SELECT 1 FROM duty d"  # noqa: S608 - of our own constants
        " WHERE d.application_id = a.id AND d.person_id = NEW.person_id AND d.task <> NEW.task)"
        " OR (a.proofing_person = NEW.person_id AND NEW.task <> 'proofing')"
        " OR EXISTS (SELECT 1 FROM approval v WHERE v.application_id = a.id"
        " AND v.person_id = NEW.person_id)))",
        _TWO_TASKS,
    ),
    Guard(
        "DUT02",
        "duty",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM officer o WHERE o.id = NEW.officer_id"  # noqa: S608 - of our own constants
        f" AND o.person_id = NEW.person_id AND o.state = 'active' AND o.role = {_ROLE_OF})",
        "a task is done by an active officer of its role",
    ),
    Guard(
        "DUT03",
        "duty",
        "INSERT",
        same_row("duty", "application_id", "package_sha256", "task"),
        "a task that was done is done",
    ),
    Guard("DUT03", "duty", "UPDATE", "1 = 1", "who did a task does not change"),
    Guard("DUT03", "duty", "DELETE", _STAYS, f"a task that was done {_GONE}"),
    Guard(
        "DUT04",
        "duty",
        "INSERT",
        "EXISTS (SELECT 1 FROM application a JOIN officer o ON o.subject_id = a.subject_id"
        " WHERE a.id = NEW.application_id AND o.person_id = NEW.person_id)",
        "nobody does a task for a credential of their own",
    ),
    Guard(
        "DUT05",
        "application",
        "UPDATE",
        "NEW.level = 'high' AND NEW.proofing_person IS DISTINCT FROM OLD.proofing_person"
        " AND (EXISTS (SELECT 1 FROM duty d WHERE d.application_id = NEW.id"
        " AND d.person_id = NEW.proofing_person AND d.task <> 'proofing')"
        " OR EXISTS (SELECT 1 FROM approval v WHERE v.application_id = NEW.id"
        " AND v.person_id = NEW.proofing_person))",
        _TWO_TASKS,
    ),
    Guard(
        "DUT06",
        "approval",
        "INSERT",
        f"EXISTS (SELECT 1 FROM application a JOIN duty d ON d.application_id = a.id"  # noqa: S608 - of our own constants
        f" WHERE {_IS_HIGH} AND d.person_id = NEW.person_id)",
        _TWO_TASKS,
    ),
    Guard(
        "DUT07",
        "certificate",
        "INSERT",
        f"EXISTS (SELECT 1 FROM application a WHERE {_IS_HIGH} AND NOT (EXISTS (SELECT 1 FROM"  # noqa: S608 - of our own constants
        " credential c WHERE c.application_id = a.id AND c.step = 'activated')"
        " AND EXISTS (SELECT 1 FROM duty d WHERE d.application_id = a.id"
        " AND d.package_sha256 = a.package_sha256 AND d.task = 'proofing'"
        " AND d.person_id = a.proofing_person AND d.signature IS NOT NULL)"
        " AND (SELECT COUNT(DISTINCT d.task) FROM duty d WHERE d.application_id = a.id"
        " AND d.package_sha256 = a.package_sha256 AND d.signature IS NOT NULL"
        " AND d.task IN ('proofing', 'personalisation', 'code_dispatch')) = 3))",
        "a certificate at High follows the activation, when every task was signed",
    ),
)
DELIVERY_GUARDS = (*_CREDENTIAL_GUARDS, *_CODE_GUARDS, *_DUTY_GUARDS)
