"""What the database refuses about certificates, their status and keys."""

from records.guards_issuers import ISSUER_GUARDS
from records.guards_publication import OWED, PUBLICATION_GUARDS
from records.triggers import Guard, changed, same_row

_UNOBSERVED = (
    "NOT EXISTS (SELECT 1 FROM status_observation o WHERE o.issuer = OLD.issuer"
    " AND o.serial = OLD.serial AND o.channel = '{channel}' AND o.observed_at >= OLD.decided_at)"
)
_NOT_IN_CRL = _UNOBSERVED.replace("{channel}", "crl")
_NOT_IN_OCSP = _UNOBSERVED.replace("{channel}", "ocsp")
# Whose last CRL says it all: OCSP answers are given no more.
_OF_RETIRED = "EXISTS (SELECT 1 FROM issuer i WHERE i.name = OLD.issuer AND i.state = 'retired')"
_REVOKED_BEFORE = (
    "EXISTS (SELECT 1 FROM certificate c WHERE c.issuer = NEW.issuer AND c.serial = NEW.serial"
    " AND c.status = 'revoked' AND c.decided_at <= NEW.observed_at)"
)
_NOT_THE_VERSION = (
    "NOT EXISTS (SELECT 1 FROM issuer i WHERE i.name = NEW.issuer"
    " AND i.status_version = NEW.version)"
)
_SEEN_ALREADY = (
    "NEW.last > COALESCE((SELECT i.status_version FROM issuer i WHERE i.name = NEW.issuer), 0)"
    " OR EXISTS (SELECT 1 FROM status_visible v WHERE v.issuer = NEW.issuer"
    " AND v.channel = NEW.channel AND v.last >= NEW.first AND v.first <= NEW.last)"
)
_NOT_SHOWN = (
    "NOT EXISTS (SELECT 1 FROM crl c WHERE c.issuer = OLD.issuer AND c.shard = {shard}"
    " AND c.version >= OLD.version)"
)
_NOT_IN_ONE_IN_FORCE = (
    "EXISTS (SELECT 1 FROM crl c WHERE c.issuer = OLD.issuer AND c.shard = 0"
    " AND c.version < OLD.version AND c.next_update >= {now})"
)
# The latest CRL says: what left while a clock was ahead may have come back.
_NOT_LEFT = (
    "COALESCE((SELECT c.left_until FROM crl c WHERE c.issuer = OLD.issuer AND c.shard = {shard}"
    " ORDER BY c.number DESC LIMIT 1), 0) < OLD.not_after"
)
_LATEST_NUMBER = (
    "(SELECT MAX(c.number) FROM crl c WHERE c.issuer = NEW.issuer AND c.shard = NEW.shard)"
)
_LATEST_COMPLETE = _LATEST_NUMBER.replace("NEW.shard", "0")
_OWED_P = OWED.replace("OLD.", "p.")
_SUBJECT_STATE = "COALESCE((SELECT s.state FROM subject s WHERE s.id = NEW.subject_id{lock}), '')"

_CERTIFICATE_GUARDS = (
    Guard(
        "PKI01",
        "certificate",
        "DELETE",
        "OLD.status <> 'revoked' AND OLD.not_after >= {now}",
        "a certificate is deleted only after it was revoked or has expired",
    ),
    Guard(
        "PKI04",
        "certificate",
        "DELETE",
        f"OLD.status = 'revoked' AND OLD.not_after >= {{now}} AND ({_NOT_IN_CRL}"
        f" OR (OLD.sealed_der IS NOT NULL AND {_NOT_IN_OCSP} AND NOT {_OF_RETIRED}))",
        "a certificate is deleted only after CRL and OCSP were seen to say revoked",
    ),
    Guard(
        "PKI05",
        "certificate",
        "DELETE",
        "EXISTS (SELECT 1 FROM publication p WHERE p.issuer = OLD.issuer"  # noqa: S608 - our own
        f" AND p.serial = OLD.serial AND p.state <> 'withdrawn' AND NOT {_OWED_P})",
        "a certificate is deleted only after every directory was seen without it",
    ),
    Guard(
        "PKI02",
        "certificate",
        "UPDATE",
        "NEW.reason = 8 OR (NEW.status = 'held') <> (COALESCE(NEW.reason, 0) = 6)",
        "certificateHold is the reason of a hold and of nothing else, removeFromCRL of none",
    ),
    Guard(
        "PKI03",
        "certificate",
        "INSERT",
        "NEW.status <> 'intent'",
        "a certificate begins as an intent",
    ),
    Guard(
        "PKI06",
        "certificate",
        "INSERT",
        same_row("certificate", "issuer", "serial"),
        "a certificate is never written over another",
    ),
    Guard(
        "PKI06",
        "certificate",
        "UPDATE",
        f"NEW.fingerprint IS DISTINCT FROM OLD.fingerprint"
        f" AND {same_row('certificate', 'fingerprint')}",
        "a certificate is never written over another",
    ),
    Guard(
        "PKI07",
        "certificate",
        "INSERT",
        same_row("revocation_residue", "issuer", "serial"),
        "the serial number of an erased certificate is never used again",
    ),
    Guard(
        "PKI08",
        "certificate",
        "UPDATE",
        changed("issuer", "serial", "profile", "profile_sha256", "subject_id", "application_id")
        + " OR "
        + changed("not_before", "not_after", "spki_sha256", "sealed_tbs", "intended_at", "shard"),
        "what a certificate says, and for whom, does not change",
    ),
    Guard(
        "PKI09",
        "certificate",
        "UPDATE",
        f"OLD.status = 'revoked' AND ({changed('status', 'revoked_at', 'reason', 'crl_entry')}"
        f" OR {changed('decided_at', 'cause', 'invalid_since', 'decided_by')})",
        "a revocation is final",
    ),
    Guard(
        "PKI30",
        "certificate",
        "UPDATE",
        "(NEW.status = 'held' AND OLD.status <> 'issued' AND"
        f" (OLD.status <> 'held' OR {changed('revoked_at', 'decided_at')}))"
        " OR (OLD.status = 'held' AND NEW.status = 'revoked' AND"
        f" ({changed('revoked_at')}))",
        "only an issued certificate is put on hold, and a hold that ends in revocation keeps its"
        " date",
    ),
    Guard(
        "PKI10",
        "certificate",
        "UPDATE",
        f"OLD.status <> 'intent' AND (NEW.status = 'intent'"
        f" OR {changed('sealed_der', 'fingerprint', 'issued_at')})",
        "an issued certificate is neither blanked nor signed again",
    ),
    Guard(
        "PKI18",
        "certificate",
        "INSERT",
        f"NEW.subject_id IS NOT NULL AND {_SUBJECT_STATE} <> 'active'",
        "nothing is issued to a subject that is restricted, being erased or gone",
    ),
)
_SUBJECT_GUARDS = (
    Guard(
        "PKI11",
        "subject",
        "DELETE",
        "EXISTS (SELECT 1 FROM certificate c WHERE c.subject_id = OLD.id)"
        " OR EXISTS (SELECT 1 FROM data_key k WHERE k.subject_id = OLD.id)"
        " OR EXISTS (SELECT 1 FROM application a WHERE a.subject_id = OLD.id)"
        " OR EXISTS (SELECT 1 FROM audit_payload p WHERE p.subject_id = OLD.id)",
        "a subject is deleted only after its certificates, applications, keys and audit payloads",
    ),
    Guard(
        "PKI12",
        "subject",
        "INSERT",
        same_row("subject", "id"),
        "a subject is never written over another",
    ),
    Guard(
        "PKI12",
        "subject",
        "UPDATE",
        f"{changed('id', 'kind', 'created_at')}"
        " OR (OLD.state = 'erasing' AND NEW.state <> 'erasing')",
        "a subject keeps its name and kind, and its erasure is not taken back",
    ),
    Guard(
        "PKI13",
        "data_key",
        "INSERT",
        f"{_SUBJECT_STATE} NOT IN ('active', 'restricted')",
        "no data key is made for a subject that is being erased or gone",
    ),
    Guard(
        "PKI15",
        "data_key",
        "DELETE",
        # What was delivered goes earlier than the person: see CASE14.
        "OLD.purpose <> 'delivery' AND ((OLD.purpose = 'core' AND EXISTS (SELECT 1"
        " FROM certificate c WHERE c.subject_id = OLD.subject_id)) OR EXISTS (SELECT 1"
        " FROM subject s WHERE s.id = OLD.subject_id AND s.state <> 'erasing'))",
        "a data key is destroyed only in an erasure, after the certificates it opens are gone",
    ),
    Guard(
        "PKI16",
        "data_key",
        "INSERT",
        f"{same_row('data_key', 'subject_id', 'purpose')} OR {same_row('data_key', 'key_ref')}",
        "a data key is never overwritten, nor given to two",
    ),
    Guard("PKI16", "data_key", "UPDATE", "1 = 1", "a data key is never overwritten"),
)
_STATUS_GUARDS = (
    Guard(
        "PKI17",
        "revocation_residue",
        "INSERT",
        f"{same_row('revocation_residue', 'issuer', 'serial')}"
        f" OR {same_row('certificate', 'issuer', 'serial')}",
        "what remains of a revocation comes from the deletion of its certificate",
    ),
    Guard(
        "PKI17",
        "revocation_residue",
        "UPDATE",
        "1 = 1",
        "what remains of a revocation does not change",
    ),
    Guard(
        "PKI17",
        "revocation_residue",
        "DELETE",
        f"OLD.not_after >= {{now}} OR {_NOT_LEFT.replace('{shard}', '0')}"
        f" OR {_NOT_LEFT.replace('{shard}', 'OLD.shard')}",
        "what remains of a revocation is kept until the certificate would have expired and the CRLs"
        " are without it",
    ),
    Guard(
        "PKI31",
        "status_change",
        "INSERT",
        f"{same_row('status_change', 'issuer', 'version')} OR {_NOT_THE_VERSION}",
        "a change of status is written down once, under the version that it made",
    ),
    Guard("PKI31", "status_change", "UPDATE", "1 = 1", "what changed does not change"),
    Guard(
        "PKI31",
        "status_change",
        "DELETE",
        f"{_NOT_SHOWN.replace('{shard}', '0')} OR {_NOT_SHOWN.replace('{shard}', 'OLD.shard')}"
        f" OR {_NOT_IN_ONE_IN_FORCE}",
        "a change of status is kept until every CRL in force shows it",
    ),
    Guard(
        "PKI40",
        "status_visible",
        "INSERT",
        _SEEN_ALREADY,
        "a change of status is seen once in each channel, and after it was made",
    ),
    *(
        Guard("PKI40", "status_visible", change, "1 = 1", "when a change was seen does not change")
        for change in ("UPDATE", "DELETE")
    ),
    Guard(
        "PKI23",
        "compromised_key",
        "INSERT",
        same_row("compromised_key", "spki_sha256"),
        "a compromised key is written down once",
    ),
    *(
        Guard("PKI23", "compromised_key", change, "1 = 1", "a compromised key stays compromised")
        for change in ("UPDATE", "DELETE")
    ),
    Guard(
        "PKI20",
        "crl",
        "INSERT",
        f"NEW.number < 0 OR (NEW.shard >= 0 AND NEW.number <> 1 + COALESCE({_LATEST_NUMBER},"
        " CASE WHEN NEW.version < 0 AND NEW.shard = 0 THEN NEW.number - 1 ELSE 0 END))"
        f" OR (NEW.shard < 0 AND (NEW.shard <> -1 OR NEW.number <> COALESCE({_LATEST_COMPLETE}, -1)"
        f" OR {same_row('crl', 'issuer', 'shard', 'number')}))",
        "CRL numbers rise by one, from that of the imported CRL if there is one, and a delta CRL"
        " has that of the complete one (RFC 5280 5.2.3)",
    ),
    Guard(
        "PKI20",
        "crl",
        "INSERT",
        "EXISTS (SELECT 1 FROM crl c WHERE c.issuer = NEW.issuer AND c.shard = NEW.shard"
        " AND c.number = NEW.number - 1"
        " AND (c.this_update > NEW.this_update"
        " OR (c.version > NEW.version AND NEW.version >= 0)))",
        "a CRL does not go back behind the one before it",
    ),
    Guard("PKI20", "crl", "UPDATE", "1 = 1", "a CRL that was signed does not change"),
    Guard(
        "PKI20",
        "crl",
        "DELETE",
        "1 = 1",
        "number, times and digest of every CRL are kept",
    ),
    Guard(
        "PKI32",
        "crl_piece",
        "INSERT",
        f"{same_row('crl_piece', 'issuer', 'shard', 'first')} OR {_LATEST_NUMBER} IS NULL",
        "octets of a CRL belong to one that is recorded",
    ),
    Guard("PKI32", "crl_piece", "UPDATE", "1 = 1", "octets that were signed do not change"),
    Guard(
        "PKI32",
        "crl_piece",
        "DELETE",
        "NOT EXISTS (SELECT 1 FROM crl c WHERE c.issuer = OLD.issuer AND c.shard = OLD.shard"
        " AND c.version >= 0)",
        "the octets of an imported CRL are kept until one of ours follows",
    ),
    Guard(
        "PKI21",
        "status_observation",
        "INSERT",
        f"{same_row('status_observation', 'id')} OR NOT {_REVOKED_BEFORE}",
        "only what was revoked before is seen to be revoked",
    ),
    Guard(
        "PKI21",
        "status_observation",
        "UPDATE",
        "1 = 1",
        "what was seen does not change",
    ),
    Guard(
        "PKI21",
        "status_observation",
        "DELETE",
        "EXISTS (SELECT 1 FROM certificate c WHERE c.issuer = OLD.issuer"
        " AND c.serial = OLD.serial)",
        "what was seen of a certificate is kept as long as the certificate",
    ),
)
PKI_GUARDS = (
    *_CERTIFICATE_GUARDS,
    *_SUBJECT_GUARDS,
    *_STATUS_GUARDS,
    *PUBLICATION_GUARDS,
    *ISSUER_GUARDS,
)
