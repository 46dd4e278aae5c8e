"""Attacks on certificates, status, keys and publication, by the code that refuses."""

from tests.support.story_sql import copied, over

NEW = {"serial": "'01ff'"}
AS_INTENT = {
    "status": "'intent'",
    "sealed_der": "NULL",
    "fingerprint": "NULL",
    "issued_at": "NULL",
    "revoked_at": "NULL",
    "reason": "NULL",
    "decided_at": "NULL",
    "crl_entry": "NULL",
    "cause": "NULL",
}


def intent_for(name: str, **changes: str) -> str:
    """An intent in the name of an application's subject, shaped after a person's certificate."""
    return copied(
        "certificate",
        "serial = :live",
        **NEW,
        **AS_INTENT,
        **{
            "subject_id": f":{name}_subject",
            "application_id": f":{name}_application",
            "spki_sha256": f":{name}_spki",
            **changes,
        },
    )


CERTIFICATE_ATTACKS = {
    "PKI01": (
        "DELETE FROM certificate WHERE serial = :issued",
        "DELETE FROM certificate WHERE serial = :intent",
    ),
    "PKI02": (
        (
            "UPDATE certificate SET status = 'revoked', revoked_at = 0, decided_at = 0, reason = 6,"
            " crl_entry = sealed_tbs WHERE serial = :issued"
        ),
        (
            "UPDATE certificate SET status = 'revoked', revoked_at = 0, decided_at = 0, reason = 8,"
            " crl_entry = sealed_tbs WHERE serial = :issued"
        ),
        (
            "UPDATE certificate SET status = 'held', revoked_at = 0, decided_at = 0, reason = 4,"
            " crl_entry = sealed_tbs WHERE serial = :issued"
        ),
    ),
    "PKI03": (
        copied("certificate", "serial = :issued", **NEW, fingerprint="'00'"),
        copied("certificate", "serial = :unseen", **NEW, fingerprint="'00'"),
    ),
    "PKI04": (
        "DELETE FROM certificate WHERE serial = :unseen",
        "DELETE FROM certificate WHERE serial = :half_seen",
    ),
    "PKI05": (
        "DELETE FROM certificate WHERE serial = :leaving",
        "DELETE FROM publication WHERE serial = :live",
        "DELETE FROM publication WHERE serial = :leaving",
    ),
    "PKI06": (
        *over("certificate", "serial = :issued", "issuer, serial", "profile = 'x'", **AS_INTENT),
        (
            "UPDATE certificate SET status = 'issued', sealed_der = sealed_tbs, issued_at = 0,"
            " fingerprint = :issued_fingerprint WHERE serial = :intent"
        ),
    ),
    "PKI07": (copied("certificate", "serial = :issued", **AS_INTENT, serial=":erased"),),
    "PKI08": tuple(
        f"UPDATE certificate SET {change} WHERE serial = :live"  # noqa: S608
        for change in (
            "serial = '01ff'",
            "issuer = 'other'",
            "not_after = 0",
            "not_before = 0",
            "subject_id = :approved_subject",
            "subject_id = NULL",
            "application_id = :approved_application",
            "sealed_tbs = sealed_der",
            "spki_sha256 = '00'",
            "profile_sha256 = '00'",
            "shard = 7",
        )
    ),
    "PKI09": (
        (
            "UPDATE certificate SET status = 'issued', revoked_at = NULL, reason = NULL,"
            " crl_entry = NULL WHERE serial = :unseen"
        ),
        "UPDATE certificate SET status = 'held', reason = 6 WHERE serial = :unseen",
        "UPDATE certificate SET decided_at = 0 WHERE serial = :unseen",
        "UPDATE certificate SET revoked_at = revoked_at + 1 WHERE serial = :unseen",
        "UPDATE certificate SET reason = 1 WHERE serial = :unseen",
        "UPDATE certificate SET reason = NULL WHERE serial = :unseen",
        "UPDATE certificate SET cause = 'replaced' WHERE serial = :unseen",
        "UPDATE certificate SET decided_by = 'somebody' WHERE serial = :unseen",
        "UPDATE certificate SET invalid_since = 0, reason = 1 WHERE serial = :unseen",
        "UPDATE certificate SET crl_entry = sealed_tbs WHERE serial = :unseen",
    ),
    "PKI10": (
        (
            "UPDATE certificate SET status = 'intent', sealed_der = NULL, fingerprint = NULL,"
            " issued_at = NULL WHERE serial = :issued"
        ),
        "UPDATE certificate SET sealed_der = sealed_tbs WHERE serial = :issued",
        (
            "UPDATE certificate SET sealed_der = NULL, fingerprint = NULL, issued_at = NULL"
            " WHERE serial = :unseen"
        ),
        "UPDATE certificate SET fingerprint = '00' WHERE serial = :issued",
    ),
    "PKI30": (
        (
            "UPDATE certificate SET status = 'held', revoked_at = 0, decided_at = 0, reason = 6,"
            " crl_entry = sealed_tbs WHERE serial = :intent"
        ),
        "UPDATE certificate SET revoked_at = 0 WHERE serial = :held",
        "UPDATE certificate SET status = 'revoked', reason = 4, revoked_at = 0 WHERE reason = 6",
    ),
    "PKI18": (
        intent_for("doomed"),
        copied("certificate", "serial = :issued", **NEW, **AS_INTENT, subject_id="'nobody'"),
    ),
}
SUBJECT_ATTACKS = {
    "PKI11": (
        "DELETE FROM subject WHERE id = :live_subject",
        "DELETE FROM subject WHERE id = :erasing_subject",
        "DELETE FROM subject WHERE id = :payload_subject",
    ),
    "PKI12": (
        *over("subject", "id = :erasing_subject", "id", "state = 'active'", state="'active'"),
        "UPDATE subject SET state = 'active' WHERE id = :erasing_subject",
        "UPDATE subject SET id = 'other' WHERE id = :live_subject",
        "UPDATE subject SET kind = 'officer' WHERE id = :live_subject",
    ),
    "PKI13": (
        copied("data_key", "subject_id = :erasing_subject AND purpose = 'core'", purpose="'new'"),
        copied("data_key", "subject_id = :live_subject", subject_id="'nobody'"),
    ),
    "PKI15": (
        "DELETE FROM data_key WHERE subject_id = :live_subject",
        "DELETE FROM data_key WHERE subject_id = :erasing_subject AND purpose = 'core'",
        "DELETE FROM data_key WHERE subject_id = :verified_subject",
        "DELETE FROM data_key",
    ),
    "PKI16": (
        *over(
            "data_key",
            "subject_id = :live_subject AND purpose = 'core'",
            "subject_id, purpose",
            "key_ref = excluded.key_ref",
        ),
        copied("data_key", "subject_id = :live_subject AND purpose = 'core'", purpose="'new'"),
        *over(
            "data_key",
            "subject_id = :live_subject AND purpose = 'core'",
            "key_ref",
            "purpose = excluded.purpose",
            purpose="'new'",
        ),
        "UPDATE data_key SET key_ref = key_ref WHERE subject_id = :live_subject",
    ),
}
STATUS_ATTACKS = {
    "PKI14": (
        *over("issuer", "name = :issuer", "name", "status_version = 0", status_version="0"),
        copied("issuer", "name = :issuer", name="'other'"),
        copied("issuer", "name = :issuer", name="'other'", spki_sha256="'00'", state="'retired'"),
        "UPDATE issuer SET name = 'other'",
        "UPDATE issuer SET spki_sha256 = '00'",
        "UPDATE issuer SET parent = 'other' WHERE name = :issuer",
        "UPDATE issuer SET parent = NULL WHERE name = :issuer",
        "UPDATE issuer SET base_url = 'http://attacker.example' WHERE name = :issuer",
        "UPDATE issuer SET profile = 'issuing', generation = 2 WHERE name = :issuer",
        "UPDATE issuer SET status_version = 0 WHERE name = :issuer",
        "DELETE FROM issuer",
    ),
    "PKI24": (
        *over(
            "issuer_certificate",
            "issuer = :issuer",
            "issuer, number",
            "kind = 'cross'",
            kind="'cross'",
        ),
        copied("issuer_certificate", "issuer = :issuer", number="3", fingerprint="'00'"),
        copied("issuer_certificate", "issuer = :issuer", number="2"),
        copied("issuer_certificate", "issuer = :retired", number="2", fingerprint="'00'"),
        "UPDATE issuer_certificate SET der = chain",
        "UPDATE issuer_certificate SET issuer = :issuer WHERE issuer = :retired",
        "DELETE FROM issuer_certificate",
    ),
    "PKI25": (
        copied("certificate", "serial = :intent", issuer=":retired", profile="'ocsp-signer'"),
        copied("certificate", "serial = :intent", issuer=":superseded"),
    ),
    "PKI26": (
        "UPDATE issuer SET state = 'active' WHERE name = :retired",
        "UPDATE issuer SET state = 'superseded' WHERE name = :retired",
        "UPDATE issuer SET state = 'active' WHERE name = :superseded",
        "UPDATE issuer SET key_destroyed_at = NULL WHERE name = :retired",
        "UPDATE issuer SET key_destroyed_at = 0 WHERE name = :retired",
    ),
    "PKI27": ("UPDATE issuer SET state = 'retired' WHERE name = :issuer",),
    "PKI28": (
        copied("crl", "issuer = :retired", number="2"),
        copied("crl", "issuer = :retired", number="2", next_update="0"),
        copied("crl", "issuer = :retired", issuer=":issuer", number="3", version="1000000"),
    ),
    "PKI17": (
        *over("revocation_residue", "serial = :erased", "issuer, serial", "reason = 0", reason="0"),
        (
            "INSERT INTO revocation_residue"
            " (issuer, serial, revoked_at, reason, not_after, crl_entry)"
            " SELECT issuer, serial, 0, 0, not_after, sealed_tbs FROM certificate"
            " WHERE serial = :issued"
        ),
        "UPDATE revocation_residue SET not_after = 0 WHERE serial = :erased",
        "DELETE FROM revocation_residue WHERE serial = :erased",
    ),
    "PKI31": (
        copied("status_change", "version = 1", version="1000"),
        copied("status_change", "version = 1", issuer="'other'"),
        *over("status_change", "version = 1", "issuer, version", "at = 0"),
        "UPDATE status_change SET serial = :issued",
        "UPDATE status_change SET at = 0",
        "DELETE FROM status_change WHERE version = (SELECT MAX(version) FROM status_change)",
    ),
    "PKI40": (
        copied("status_visible", "channel = 'crl'", last="1000", first="900"),
        copied("status_visible", "channel = 'crl'", first="1", last="1"),
        *over("status_visible", "channel = 'crl'", "issuer, channel, last", "at = 0", at="0"),
        "UPDATE status_visible SET at = 0",
        "DELETE FROM status_visible",
    ),
    "PKI23": (
        *over("compromised_key", "1 = 1", "spki_sha256", "spki_sha256 = 'cd'"),
        "UPDATE compromised_key SET spki_sha256 = 'cd'",
        "DELETE FROM compromised_key",
    ),
    "PKI20": (
        copied("crl", "number = 2", number="4"),
        copied("crl", "issuer = :issuer AND number = 2", number="3", this_update="0"),
        copied("crl", "issuer = :issuer AND number = 2", number="3", version="0"),
        copied("crl", "issuer = :issuer AND number = 2", number="4", shard="-1", base="1"),
        copied("crl", "issuer = :issuer AND number = 2", number="2", shard="7"),
        *over("crl", "number = 2", "issuer, shard, number", "version = 0"),
        "UPDATE crl SET next_update = next_update + 1 WHERE number = 1",
        "DELETE FROM crl WHERE number = 1",
        "DELETE FROM crl WHERE number = 2",
        "DELETE FROM crl",
    ),
    "PKI32": (
        copied("crl_piece", "issuer = :issuer", shard="7"),
        copied("crl_piece", "issuer = :issuer", issuer="'other'"),
        *over("crl_piece", "issuer = :issuer", "issuer, shard, first", "octets = excluded.first"),
        "UPDATE crl_piece SET octets = first",
        "DELETE FROM crl_piece WHERE issuer = :imported",
    ),
    "PKI21": (
        (
            "INSERT INTO status_observation (issuer, serial, channel, observed_at, evidence_sha256)"
            " VALUES (:issuer, :issued, 'crl', :now, '00')"
        ),
        (
            "INSERT INTO status_observation (issuer, serial, channel, observed_at, evidence_sha256)"
            " VALUES (:issuer, :unseen, 'crl', 0, '00')"
        ),
        *over("status_observation", "serial = :half_seen", "id", "channel = 'ocsp'"),
        "UPDATE status_observation SET channel = 'ocsp' WHERE serial = :half_seen",
        "UPDATE status_observation SET serial = :unseen WHERE serial = :half_seen",
        "DELETE FROM status_observation WHERE serial = :half_seen",
    ),
    "PKI22": (
        copied("publication", "serial = :live", id="99", directory="'x'", state="'withdrawn'"),
        copied("publication", "serial = :erasing", id="99", directory="'x'", state="'pending'"),
        *over("publication", "serial = :live", "id", "attempts = 9", state="'pending'"),
        copied("publication", "serial = :live", verb="REPLACE INTO", id="99", state="'pending'"),
        "UPDATE publication SET state = 'withdrawn' WHERE serial = :live",
        "UPDATE publication SET state = 'pending' WHERE serial = :erasing",
        "UPDATE publication SET state = 'published' WHERE serial = :leaving",
        "UPDATE publication SET state = 'pending', returns = 1 WHERE serial = :leaving",
        "UPDATE publication SET state = 'pending' WHERE serial = :leaving",
        "UPDATE publication SET serial = '01ff' WHERE serial = :leaving",
        "UPDATE publication SET directory = 'x' WHERE serial = :leaving",
        "UPDATE publication SET subject_id = NULL WHERE serial = :live",
        copied(
            "publication",
            "serial = :live",
            id="99",
            directory="'x'",
            state="'pending'",
            subject_id="NULL",
        ),
    ),
    "PKI29": (
        copied(
            "publication",
            "serial = :live",
            id="99",
            directory="'x'",
            state="'pending'",
            set_aside_at=":now",
        ),
        *(
            f"UPDATE publication SET {change} WHERE serial = :waiting"  # noqa: S608
            for change in (
                "set_aside_at = :now",
                "set_aside_at = :now, attempts = attempts + 1, error_code = 'x'",
                "set_aside_at = :now, attempts = 5, error_code = 'x'",
                "state = 'withdrawing', set_aside_at = :now",
            )
        ),
        "UPDATE publication SET set_aside_at = :now WHERE serial = :live",
        *(
            f"UPDATE publication SET {change} WHERE serial = :set_aside"  # noqa: S608
            for change in (
                "set_aside_at = NULL",
                "set_aside_at = NULL, attempts = 4",
                "set_aside_at = NULL, state = 'withdrawing'",
                "set_aside_at = set_aside_at + 1, attempts = attempts + 1",
            )
        ),
    ),
}
