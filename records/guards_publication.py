"""What the database refuses about publication in directories."""

from typing import Final

from publish_ldap.publication import TRIES
from records.triggers import Guard, changed, same_row

# The two ways on without a directory: the withdrawal stays owed, or two persons wrote it off.
OWED: Final = (
    "(EXISTS (SELECT 1 FROM directory_debt d WHERE d.directory = OLD.directory"
    " AND d.issuer = OLD.issuer AND d.serial = OLD.serial) OR EXISTS (SELECT 1"
    " FROM retention_order w WHERE w.kind = 'write_off' AND w.directory = OLD.directory"
    " AND w.approved_by IS NOT NULL))"
)
_ISSUED_TO_HOLDER = (
    "EXISTS (SELECT 1 FROM certificate c WHERE c.issuer = NEW.issuer AND c.serial = NEW.serial"
    " AND c.status = 'issued' AND NOT (c.subject_id IS DISTINCT FROM NEW.subject_id){lock})"
)
PUBLICATION_GUARDS: Final = (
    Guard(
        "PKI22",
        "publication",
        "INSERT",
        f"NEW.state <> 'pending' OR {same_row('publication', 'id')} OR NOT {_ISSUED_TO_HOLDER}"
        f" OR {same_row('publication', 'directory', 'issuer', 'serial')}",
        "publication begins with an issued certificate of its very holder",
    ),
    Guard(
        "PKI22",
        "publication",
        "UPDATE",
        f"{changed('id', 'directory', 'issuer', 'serial', 'subject_id')}"
        " OR (NEW.state <> OLD.state AND NEW.state <> 'withdrawing'"
        " AND NOT (OLD.state = 'pending' AND NEW.state = 'published')"
        " AND NOT (OLD.state = 'withdrawing' AND NEW.state = 'withdrawn')"
        " AND NOT (NEW.state = 'pending' AND (OLD.returns = 1 OR OLD.state = 'published')"
        f" AND {_ISSUED_TO_HOLDER}))",
        "publication goes from pending to published, by withdrawing to withdrawn, and back when a"
        " hold is lifted",
    ),
    Guard(
        "PKI29",
        "publication",
        "INSERT",
        "NEW.set_aside_at IS NOT NULL",
        "a publication is set aside after five failed tries, and not before",
    ),
    Guard(
        "PKI29",
        "publication",
        "UPDATE",
        f"({changed('set_aside_at')}) AND ((OLD.set_aside_at IS NULL AND NOT"
        " (OLD.state = 'pending' AND NEW.attempts = OLD.attempts + 1"
        f" AND NEW.attempts >= {TRIES} AND NEW.error_code IS NOT NULL))"
        " OR (OLD.set_aside_at IS NOT NULL"
        " AND (NEW.set_aside_at IS NOT NULL OR NEW.attempts <> 0)))",
        "a publication is set aside after five failed tries, and comes back with the first of five",
    ),
    Guard(
        "PKI05",
        "publication",
        "DELETE",
        f"OLD.state <> 'withdrawn' AND NOT {OWED}",
        "a publication is forgotten only after its directory was seen without it",
    ),
)
