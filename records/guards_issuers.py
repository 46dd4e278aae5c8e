"""What the database refuses about issuers: their keys, their certificates, and their end."""

from records.triggers import Guard, changed, same_row

# What an issuer signed and has not ended: certificates of its own key apart, and the OCSP signers,
# which are revoked between the end of everything else and the last CRL.
_LIVE = (
    "EXISTS (SELECT 1 FROM certificate c WHERE c.issuer = {issuer} AND c.status <> 'revoked'"
    " AND c.not_after >= {{now}}{but} AND c.spki_sha256 <>"
    " (SELECT i.spki_sha256 FROM issuer i WHERE i.name = c.issuer))"
)
_LIVE_BUT_OCSP = _LIVE.format(issuer="OLD.name", but=" AND c.profile <> 'ocsp-signer'")
_LIVE_AT_ALL = _LIVE.format(issuer="NEW.issuer", but="")
_MAY_NOT_ISSUE = (
    "COALESCE((SELECT CASE WHEN i.state = 'superseded' AND NEW.profile = 'ocsp-signer'"
    " THEN 'active' ELSE i.state END FROM issuer i WHERE i.name = NEW.issuer{share}),"
    " 'active') <> 'active'"
)
_RETIRED = "EXISTS (SELECT 1 FROM issuer i WHERE i.name = NEW.issuer AND i.state = 'retired')"
_NOT_NEXT = (
    "NEW.number <> 1 + COALESCE((SELECT MAX(x.number) FROM issuer_certificate x"
    " WHERE x.issuer = NEW.issuer), 0)"
)
# 99991231235959Z in microseconds since 1970, the nextUpdate of a last CRL.
_NEVER = "253402300799000000"
_AFTER_THE_LAST = (
    "EXISTS (SELECT 1 FROM crl c WHERE c.issuer = NEW.issuer AND c.shard = NEW.shard"
    " AND c.number = NEW.number - 1 AND c.next_update = 253402300799000000)"
)

ISSUER_GUARDS = (
    Guard(
        "PKI14",
        "issuer",
        "INSERT",
        f"{same_row('issuer', 'name')} OR {same_row('issuer', 'spki_sha256')}"
        " OR NEW.state <> 'active' OR NEW.key_destroyed_at IS NOT NULL",
        "an issuer begins active and is never written over another",
    ),
    Guard(
        "PKI14",
        "issuer",
        "UPDATE",
        changed("name", "generation", "parent", "spki_sha256", "profile")
        + " OR "
        + changed("subject", "base_url", "created_at")
        + " OR NEW.status_version < OLD.status_version",
        "an issuer keeps its name, key, parent and addresses, and its status versions rise",
    ),
    Guard("PKI14", "issuer", "DELETE", "1 = 1", "an issuer is not deleted"),
    Guard(
        "PKI26",
        "issuer",
        "UPDATE",
        "(OLD.state = 'retired' AND NEW.state <> 'retired')"
        " OR (OLD.state = 'superseded' AND NEW.state = 'active')"
        " OR (OLD.key_destroyed_at IS NOT NULL"
        " AND NEW.key_destroyed_at IS DISTINCT FROM OLD.key_destroyed_at)",
        "an issuer that gave way or was retired stays so, and its key stays destroyed",
    ),
    Guard(
        "PKI27",
        "issuer",
        "UPDATE",
        f"OLD.state <> 'retired' AND NEW.state = 'retired' AND {_LIVE_BUT_OCSP}",
        "an issuer is retired only after all that it issued was revoked or has expired",
    ),
    Guard(
        "PKI24",
        "issuer_certificate",
        "INSERT",
        f"{_NOT_NEXT} OR {_RETIRED} OR {same_row('issuer_certificate', 'issuer', 'fingerprint')}",
        "a certificate of an issuer is added to those it has, until it is retired",
    ),
    *(
        Guard("PKI24", "issuer_certificate", change, "1 = 1", "an issuer keeps its certificates")
        for change in ("UPDATE", "DELETE")
    ),
    Guard(
        "PKI25",
        "certificate",
        "INSERT",
        _MAY_NOT_ISSUE,
        "an issuer that gave way certifies OCSP signers only, and one that is retired nothing",
    ),
    Guard(
        "PKI28",
        "crl",
        "INSERT",
        f"{_AFTER_THE_LAST} OR (NEW.next_update = {_NEVER} AND (NOT {_RETIRED} OR {_LIVE_AT_ALL}))"
        f" OR (NEW.next_update <> {_NEVER} AND {_RETIRED})",
        "the last CRL comes after all else has ended, and none after it",
    ),
)
