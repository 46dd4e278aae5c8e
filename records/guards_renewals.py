"""What the database refuses about renewals and replacements (NSIS 3.2.4)."""

from records.triggers import Guard, same_row

# Whoever holds the certificate's row renews alone.
_OWN = (
    "EXISTS (SELECT 1 FROM application a JOIN certificate c ON c.subject_id = a.subject_id"
    " WHERE a.id = NEW.application_id AND a.state IN ('draft', 'submitted')"
    " AND c.issuer = NEW.issuer AND c.serial = NEW.serial AND c.issued_at IS NOT NULL"
    " AND c.profile = a.profile AND c.not_after >= NEW.at"
    " AND (NEW.basis <> 'renewal' OR c.status = 'issued'){lock})"
)
_ANOTHER = (
    "EXISTS (SELECT 1 FROM renewal r JOIN application o ON o.id = r.application_id"
    " WHERE r.issuer = NEW.issuer AND r.serial = NEW.serial"
    " AND o.state NOT IN ('rejected', 'withdrawn', 'lapsed'))"
)
_STILL_GOOD = (
    "EXISTS (SELECT 1 FROM renewal r JOIN certificate c ON c.issuer = r.issuer"
    " AND c.serial = r.serial WHERE r.application_id = NEW.id"
    " AND c.status IN ('issued', 'held') AND c.not_after > NEW.updated_at)"
)

RENEWAL_GUARDS = (
    Guard(
        "REN01",
        "renewal",
        "INSERT",
        f"{same_row('renewal', 'application_id')} OR NOT {_OWN}",
        "a holder renews an own certificate of the profile: one that is good, or replaces it",
    ),
    Guard(
        "REN02",
        "renewal",
        "INSERT",
        _ANOTHER,
        "a certificate gives way to one other",
    ),
    Guard("REN03", "renewal", "UPDATE", "1 = 1", "what gives way to what does not change"),
    Guard(
        "REN03",
        "renewal",
        "DELETE",
        "EXISTS (SELECT 1 FROM application a JOIN subject s ON s.id = a.subject_id"
        " WHERE a.id = OLD.application_id AND s.state <> 'erasing')",
        "a renewal is deleted only in the erasure of its subject",
    ),
    Guard(
        "REN04",
        "application",
        "UPDATE",
        f"NEW.state = 'fulfilled' AND OLD.state <> 'fulfilled' AND {_STILL_GOOD}",
        "the old certificate is revoked when the new one is with its holder",
    ),
)
