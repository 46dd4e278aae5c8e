"""What the database refuses about consents : they can be shown later (GDPR Art. 7(1))."""

from records.triggers import Effect, Guard, changed, same_row

_LAST = (
    "(SELECT c.state FROM consent c WHERE c.subject_id = {of} AND c.kind = {kind}"
    " ORDER BY c.number DESC LIMIT 1)"
)
_SAID_BEFORE = _LAST.format(of="NEW.subject_id", kind="NEW.kind")
_SAID_OF_PUBLICATION = _LAST.format(of="NEW.subject_id", kind="'publication'")
_WITHDRAWN = f"COALESCE({_SAID_OF_PUBLICATION}, '') = 'withdrawn'"

CONSENT_GUARDS = (
    Guard(
        "CON01",
        "consent",
        "INSERT",
        "NEW.number <> 1 + (SELECT COUNT(*) FROM consent c WHERE c.subject_id = NEW.subject_id"
        " AND c.kind = NEW.kind) OR NOT EXISTS (SELECT 1 FROM subject s"
        " WHERE s.id = NEW.subject_id AND s.state <> 'erasing')",
        "consents of a person who is there are numbered without a gap",
    ),
    Guard(
        "CON02",
        "consent",
        "INSERT",
        f"COALESCE({_SAID_BEFORE}, 'withdrawn') = NEW.state",
        "a consent is given, then withdrawn, then perhaps given again",
    ),
    Guard("CON03", "consent", "UPDATE", "1 = 1", "what a person consented to does not change"),
    Guard(
        "CON03",
        "consent",
        "DELETE",
        "EXISTS (SELECT 1 FROM subject s WHERE s.id = OLD.subject_id AND s.state <> 'erasing')",
        "a consent is deleted only in the erasure of its person",
    ),
    Guard(
        "CON04",
        "publication",
        "INSERT",
        f"NEW.state IN ('pending', 'published') AND {_WITHDRAWN}",
        "nothing is published of a person who has withdrawn the consent to it",
    ),
    Guard(
        "CON04",
        "publication",
        "UPDATE",
        f"NEW.state = 'pending' AND OLD.state <> 'pending' AND {_WITHDRAWN}",
        "nothing is published of a person who has withdrawn the consent to it",
    ),
    Guard(
        "DIS01",
        "disclosure",
        "INSERT",
        same_row("disclosure", "subject_id", "recipient", "issuer", "serial", "at")
        + " OR NEW.ended_at IS NOT NULL",
        "a disclosure is noted once, when it is made",
    ),
    Guard(
        "DIS01",
        "disclosure",
        "UPDATE",
        changed("subject_id", "recipient", "issuer", "serial", "at")
        + " OR OLD.ended_at IS NOT NULL",
        "who was told what does not change",
    ),
    Guard(
        "DIS01",
        "disclosure",
        "DELETE",
        "EXISTS (SELECT 1 FROM subject s WHERE s.id = OLD.subject_id AND s.state <> 'erasing')",
        "a disclosure is forgotten only in the erasure of its person",
    ),
    Guard(
        "CON05",
        "subject",
        "DELETE",
        "EXISTS (SELECT 1 FROM consent c WHERE c.subject_id = OLD.id)"
        " OR EXISTS (SELECT 1 FROM disclosure d WHERE d.subject_id = OLD.id)",
        "a person is deleted with the consents and the list of recipients, not before them",
    ),
)

_OPEN = (
    "d.subject_id = NEW.subject_id AND d.recipient = NEW.directory AND d.issuer = NEW.issuer"
    " AND d.serial = NEW.serial AND d.ended_at IS NULL"
)
# Publication and withdrawal are seen by a search in the directory; that is when it was told. What
# is nobody's tells of nobody.
CONSENT_EFFECTS = (
    Effect(
        "disclosed",
        "publication",
        "UPDATE",
        "NEW.state = 'published' AND NEW.subject_id IS NOT NULL"  # noqa: S608 - of our own constants
        f" AND NOT EXISTS (SELECT 1 FROM disclosure d WHERE {_OPEN})",
        "INSERT INTO disclosure (subject_id, recipient, issuer, serial, at)"
        " VALUES (NEW.subject_id, NEW.directory, NEW.issuer, NEW.serial, NEW.verified_at)",
    ),
    Effect(
        "disclosure_ended",
        "publication",
        "UPDATE",
        "NEW.state = 'withdrawn' AND OLD.state <> 'withdrawn'",
        "UPDATE disclosure SET ended_at = NEW.verified_at WHERE subject_id = NEW.subject_id"
        " AND recipient = NEW.directory AND issuer = NEW.issuer AND serial = NEW.serial"
        " AND ended_at IS NULL",
    ),
)
