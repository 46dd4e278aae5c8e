"""The one table from exceptions to problems; a package that adds errors adds its rows here.

Imports nothing but modules of errors, so that the command line can afford it.
"""

from collections.abc import Sized

import audit.errors
import ca.errors
import ceremony.errors
import gdpr_erasure.errors
import hsm.errors
import publish_ldap.errors
import ra.errors
import records.errors
import revocation.errors
from server.case_problems import CASE_ROWS
from server.errors import (
    AlreadyServing,
    IssuerOffline,
    KeyStillThere,
    NoRegisters,
    NotAllowed,
    NotSignedIn,
    PackageDamaged,
    ServiceFailed,
    SettingsRefused,
    StateRefused,
    TokenOffline,
)
from server.problem_kinds import (
    absent,
    conflict,
    consent_refused,
    malformed,
    package_damaged,
    refused,
    sentence,
    state,
    unavailable,
)
from server.problems import FieldProblem, Problem, ProblemRaised, Row, row
from server.registration_problems import REGISTRATION_ROWS
from server.revocation_problems import REVOCATION_ROWS


def _settings_refused(error: SettingsRefused) -> Problem:
    return Problem(
        type="settings-refused",
        title="The settings are wrong",
        status=400,
        detail=f"The settings have {_faults(error.faults)}.",
        way_out="Correct what is listed, then run `tillid config check`.",
        errors=tuple(
            FieldProblem(fault.key, f"{fault.problem} ({fault.source})", fault.way_out)
            for fault in error.faults
        ),
    )


def _state_refused(error: StateRefused) -> Problem:
    return Problem(
        type="state-refused",
        title="The state directory cannot be used",
        status=503,
        detail=f"The state directory {error.path} {error.problem}.",
        way_out=error.way_out,
    )


def _broken_rules(error: ca.errors.Refused) -> Problem:
    first = error.findings[0]
    return Problem(
        type="refused",
        title="A rule refuses this",
        status=422,
        detail=f"{sentence(first.sentence)}",
        rule=f"{first.rule}, {first.clause}",
        way_out=sentence(first.way_out),
        errors=tuple(
            FieldProblem(f.rule, f"{f.sentence} ({f.clause})", f.way_out)
            for f in error.findings[1:]
        ),
    )


def _requirements(error: ra.errors.Refused) -> Problem:
    first = error.findings[0]
    concerns = f" ({', '.join(first.concerns)})" if first.concerns else ""
    return Problem(
        type="requirement-not-met",
        title="A requirement is not met",
        status=422,
        detail=f"{first.applicant_sentence}{concerns}",
        rule=f"NSIS {first.requirement} {first.code}",
        way_out=first.way_out,
        errors=tuple(
            FieldProblem(f"{f.requirement} {f.code}", f.applicant_sentence, f.way_out)
            for f in error.findings[1:]
        ),
    )


def _unreadable(why: str) -> Problem:
    return malformed(ca.errors.MalformedRequest("input", why))


def _malformed_field(error: ra.errors.MalformedField) -> Problem:
    return Problem(
        type="malformed",
        title="A field is not of its form",
        status=400,
        detail=f"The field {error.field} is not {error.rule}.",
        way_out="Correct the field and send it again.",
    )


def _not_found(error: ca.errors.NotFound | records.errors.NotFound) -> Problem:
    return absent(f"There is no {error.kind} {error.name}.")


def _profile_faulty(error: ca.errors.ProfileFaulty) -> Problem:
    return Problem(
        type="profile-faulty",
        title="The profile cannot be used",
        status=400,
        detail=f"The profile {error.source} has {_faults(error.faults)}.",
        way_out="Correct what is listed.",
        errors=tuple(FieldProblem(error.source, fault, "Correct it.") for fault in error.faults),
    )


_WAYS_OUT = {"ROL01": "Give the login the role that it needs (docs/postgresql.md)."}


def _rule_broken(error: records.errors.RuleBroken) -> Problem:
    return Problem(
        type="refused",
        title="The database refuses this",
        status=422,
        detail=sentence(error.sentence),
        rule=error.code,
        way_out=_WAYS_OUT.get(error.code, "Do first what the rule asks for."),
    )


def _erasure_refused(error: gdpr_erasure.errors.Refused) -> Problem:
    return Problem(
        type="refused",
        title="The erasure cannot begin",
        status=422,
        detail=sentence(error.sentence),
        rule=error.rule,
        way_out=sentence(error.way_out),
    )


def _not_allowed(error: NotAllowed) -> Problem:
    return Problem(
        type="not-allowed",
        title="Your role does not include this",
        status=403,
        detail=f"This is for the role {error.needed}.",
        way_out="Ask somebody who has it.",
    )


def _not_signed_in(_: NotSignedIn) -> Problem:
    return Problem(
        type="not-signed-in",
        title="Nobody knows who you are",
        status=401,
        detail="The request came with no valid certificate, session or secret.",
        way_out="Present your certificate, or make a link with it: tillid officer sign-in.",
    )


def _chain_broken(error: audit.errors.ChainBroken) -> Problem:
    return Problem(
        type="audit-log-broken",
        title="The audit log is not what its heads say",
        status=500,
        detail=f"At event {error.position}: {error.reason.value}.",
        way_out="Stop, keep a copy of the database, and find out who changed it.",
    )


def _key_unfit(error: hsm.errors.KeyUnfit) -> Problem:
    why = error.ckr
    if why.startswith("CKA_"):
        why = f"it was not made in its token, or it could leave it ({why})"
    return Problem(
        type="key-unfit",
        title="The key is not fit for its use",
        status=422,
        detail=f"Key {error.subject} is not used: {why}.",
        rule="ETSI EN 319 411-1 GEN-6.5.2, PKCS #11 v2.40 4.9",
        way_out="Let the token make a key of another label; an issuer that has this one is retired"
        " (tillid ca retire), and tillid hsm list shows what tokens say of their keys.",
    )


def _script_faulty(error: ceremony.errors.ScriptFaulty) -> Problem:
    return Problem(
        type="script-faulty",
        title="The ceremony cannot be held so",
        status=400,
        detail=f"{error.source} has {_faults(error.faults)}.",
        way_out="Correct what is listed, then run `tillid ceremony check`.",
        errors=tuple(
            FieldProblem(f"line {fault.line}: {fault.key}", fault.problem, fault.way_out)
            for fault in error.faults
        ),
    )


def _no_terminal(_: ceremony.errors.NoTerminal) -> Problem:
    return Problem(
        type="no-terminal",
        title="There is nobody to ask",
        status=400,
        detail="People take part in this, and no terminal is attached.",
        way_out="Run it at a terminal; `tillid ceremony rehearse --unattended` needs none.",
    )


def _faults(found: Sized) -> str:
    return f"{len(found)} fault" + ("" if len(found) == 1 else "s")


ROWS: tuple[Row, ...] = (
    row(SettingsRefused, _settings_refused),
    row(StateRefused, _state_refused),
    row(
        ServiceFailed,
        lambda e: unavailable(
            sentence(e.why), f"See {e.see}; another port is set by public.port and staff.port."
        ),
    ),
    row(
        AlreadyServing,
        lambda e: unavailable(
            sentence(e.why), "Stop it first, or set TILLID_STATE to another directory."
        ),
    ),
    row(NotAllowed, _not_allowed),
    row(NotSignedIn, _not_signed_in),
    row(
        IssuerOffline,
        lambda e: unavailable(
            f"Issuer {e.issuer} cannot sign: its key is not at hand in token {e.token}.",
            "Hold the ceremony first (tillid ceremony run), or bring the token; for that of a root"
            " add --online, and bring its custodians to a terminal if they hold its PIN.",
        ),
    ),
    row(
        TokenOffline,
        lambda e: unavailable(
            f"Token {e.token} holds a root key and is kept offline.",
            "Bring the token, and add --online to the verb that needs it.",
        ),
    ),
    row(
        KeyStillThere,
        lambda e: unavailable(
            f"Key {e.label} is not seen to be gone from token {e.token}.",
            "Destroy it with the token's own tools, then run the verb again.",
        ),
    ),
    row(
        NoRegisters,
        lambda _: unavailable(
            "No register is configured, so no identity can be proved (REG-IDN-L4).",
            "Set registers.adapter, see: tillid config explain registers.adapter.",
        ),
    ),
    row(ca.errors.Refused, _broken_rules),
    row(ca.errors.MalformedRequest, malformed),
    row(ca.errors.NotFound, _not_found),
    row(ca.errors.Conflict, lambda e: conflict(sentence(f"the {e.what} is {e.state}"))),
    row(ca.errors.ProfileFaulty, _profile_faulty),
    row(ca.errors.SigningFailed, lambda e: unavailable(sentence(str(e)))),
    row(ra.errors.Refused, _requirements),
    row(ra.errors.MalformedField, _malformed_field),
    row(ra.errors.NotFound, lambda e: absent(f"There is no application {e.application_id}.")),
    row(ra.errors.Conflict, lambda e: conflict(f"The application is {e.state}.")),
    row(records.errors.RuleBroken, _rule_broken),
    row(records.errors.NotFound, _not_found),
    row(records.errors.Conflict, lambda e: conflict(sentence(f"{e.what} is {e.state}"))),
    row(records.errors.Erased, lambda _: absent("What you ask for was erased.")),
    row(records.errors.DatabaseUnavailable, lambda e: unavailable(sentence(e.why))),
    row(records.errors.SnapshotFailed, lambda e: unavailable(f"Snapshot {e.path}: {e.why}.")),
    row(records.errors.BackupRefused, refused),
    row(gdpr_erasure.errors.Refused, _erasure_refused),
    row(gdpr_erasure.errors.ConsentRefused, consent_refused),
    row(PackageDamaged, package_damaged),
    *CASE_ROWS,
    row(
        gdpr_erasure.errors.PolicyUnknown,
        lambda e: malformed(
            ca.errors.MalformedRequest(f"retention policy {e.name}", "there is none of that name")
        ),
    ),
    row(
        gdpr_erasure.errors.ReceiptInvalid,
        lambda e: malformed(ca.errors.MalformedRequest("receipt", e.check)),
    ),
    row(
        gdpr_erasure.errors.Conflict,
        lambda e: conflict(f"The erasure {e.case_id} is {e.state}."),
    ),
    row(
        hsm.errors.TokenLocked,
        lambda e: unavailable(
            f"Custodians hold the PIN of token {e.subject}.",
            "Bring as many as are needed to a terminal, and run it there.",
        ),
    ),
    row(
        hsm.errors.QuotaExhausted,
        lambda e: unavailable(
            f"Key {e.subject} has made the signatures that it may make in an hour.",
            "Find out who asked for them; the limit is hsm.sign_quota_per_hour.",
        ),
    ),
    row(
        hsm.errors.TokenAmbiguous,
        lambda e: unavailable(
            f"More than one token is called {e.subject}.",
            "Name it by a PKCS#11 URI with ;serial= in the settings; tillid hsm attest shows it.",
        ),
    ),
    row(
        hsm.errors.KeyKindUnsupported,
        lambda e: state(
            f"Token {e.subject} makes no keys of the kind {e.ckr}.",
            "Choose another kind; hsm.software_ml_dsa allows ML-DSA in files, as test equipment.",
        ),
    ),
    row(
        hsm.errors.TokenInUse,
        lambda e: state(
            f"Token {e.subject} holds keys, which making it again would destroy.",
            "Choose another label, or remove the keys first if they are really to go.",
        ),
    ),
    row(hsm.errors.KeyUnfit, _key_unfit),
    row(
        hsm.errors.PinKeptElsewhere,
        lambda e: state(
            f"The PIN comes from {e.subject}, which is no file that could be written.",
            "Change it with the token's own tools, and there.",
        ),
    ),
    row(
        hsm.errors.HsmError,
        lambda e: unavailable(f"The token does not do what it should: {e}."),
    ),
    row(
        publish_ldap.errors.DirectoryError,
        lambda e: unavailable(f"The directory {e.directory} does not take it: {e.code}."),
    ),
    row(
        revocation.errors.Conflict,
        lambda _: conflict("Another process issued a CRL at the same moment."),
    ),
    row(
        revocation.errors.Unavailable,
        lambda _: unavailable("A CRL could not be written, or a status could not be read."),
    ),
    *REGISTRATION_ROWS,
    *REVOCATION_ROWS,
    row(revocation.errors.CrlRefused, lambda e: unavailable(f"The CRL was held back: {e}.")),
    row(
        revocation.errors.ResponseRefused,
        lambda e: unavailable(f"The OCSP response was held back: {e}."),
    ),
    row(ceremony.errors.ScriptFaulty, _script_faulty),
    row(ceremony.errors.NoTerminal, _no_terminal),
    row(
        ceremony.errors.ShareRefused,
        lambda e: _unreadable(f"of the shares, {e}"),
    ),
    row(
        ceremony.errors.Conflict,
        lambda e: conflict(sentence(f"the ceremony {e.name} cannot go on: {e.why}")),
    ),
    row(
        ceremony.errors.Awaited,
        lambda e: unavailable(
            f"The certificate of issuer {e.issuer} is not in {e.path} yet.",
            "Bring the request to the authority above, put its certificate and those above it"
            " there in PEM, and run the same command again.",
        ),
    ),
    row(
        ceremony.errors.ClockBehind,
        lambda e: unavailable(
            f"The clock says {e.now:%F %T}, but the ceremony was at {e.last:%F %T} already.",
            "Set the clock, then run the same command again.",
        ),
    ),
    row(
        ceremony.errors.JournalDamaged,
        lambda e: unavailable(
            f"Line {e.line} of {e.path} is not what was written there.",
            "Keep a copy, and find out who changed it; a ceremony of another name can begin anew.",
        ),
    ),
    row(
        ceremony.errors.Unwritable,
        lambda e: unavailable(
            f"{e.path} cannot be written: {e.why}.",
            "Make room, then run the same command again: it goes on from there.",
        ),
    ),
    row(
        ceremony.errors.TranscriptMalformed,
        lambda e: malformed(ca.errors.MalformedRequest(f"transcript {e.path}", e.why)),
    ),
    row(audit.errors.ChainBroken, _chain_broken),
    row(
        audit.errors.ClockBehind,
        lambda e: unavailable(
            f"The clock says {e.now:%F %T}, but the audit log was sealed at {e.latest:%F %T}.",
            "Set the clock. If it was ahead before, nothing is signed until that time has come.",
        ),
    ),
    row(audit.errors.ProofMalformed, lambda _: _unreadable("the file holds no proof of a log")),
    row(audit.errors.HeadMalformed, lambda _: _unreadable("the file does not hold a signed head")),
    row(
        audit.errors.HeadForged,
        lambda _: _unreadable("the head is not signed by the audit key of this installation"),
    ),
    row(ProblemRaised, lambda e: e.problem),
)
"""Every exception that a user can meet."""
