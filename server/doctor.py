"""What an operator would look at first when something is wrong, looked at in one go.

Nothing is signed, nothing set and no token opened, so that it can be run beside a service in
trouble; the keys themselves are `tillid hsm verify`.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta

from cryptography import x509

from audit.log import TIME_TOLERANCE
from ca.issuers import IssuerRecord, IssuerState
from hsm.errors import LockHeld
from hsm.module import exclusive
from hsm.softhsm import SoftHsmStore
from records.audit_log import audit_log
from records.certificates import Certificates
from records.crls import Crls
from records.database import Database
from records.errors import DatabaseUnavailable
from records.issuers import Issuers
from records.personal_data import PersonalData
from records.roles import APPLICATION, VERIFIER, excess
from records.schema import check_schema
from revocation.publication import CrlScope, crl_is_due
from server.assembly import crl_policy
from server.doctor_directories import examine_directories
from server.doctor_vault import Finding, examine_vault
from server.ntp import NoTime, clock_offset
from server.settings import Settings
from server.tokens import Tokens
from server.vault import key_store_of

EXPIRES_SOON = timedelta(days=30)
"""Left of an issuer's certificate when it is time to renew it."""

_LOCK_PATIENCE = 3.0


def examine(settings: Settings, now: datetime, *, fix: bool = False) -> Iterator[Finding]:
    """Look at the token module, the database, the CRLs, the clock and the own certificates.

    With `fix`, each token.object that is lost or torn is put back from its copy.
    """
    yield from _token_files(settings, fix=fix)
    with closing(Database(settings.database.url.reveal())) as database:
        try:
            database.check_durable()
            check_schema(database)
        except DatabaseUnavailable as error:
            yield Finding("database", ok=False, sentence=f"{error.why}.")
            return
        yield Finding("database", ok=True, sentence="Schema and guards are this version's.")
        yield from _database_role(settings, database)
        yield _clock(database, now)
        yield _time_server(settings)
        for record in Issuers(database).all():
            if record.certificate is not None:
                yield _crl(settings, database, record, now)
                if record.state is IssuerState.ACTIVE:
                    whose = f"issuer {record.name}"
                    yield _expiry(whose, record.certificate, now, EXPIRES_SOON)
                if record.answers_ocsp:
                    yield from _ocsp_signer(settings, database, record, now)
        yield from examine_vault(settings, database)
        yield from examine_directories(settings, database)
    yield from _staff_listener(settings, now)


def _token_files(settings: Settings, *, fix: bool) -> Iterator[Finding]:
    module = settings.hsm.module
    there = module.exists()
    yield Finding(
        "module",
        there,
        f"The PKCS#11 module {module} is {'there' if there else 'missing'}.",
        "" if there else "Install it, or set hsm.module.",
    )
    folder = settings.hsm.softhsm_directory
    locks = settings.hsm.pin_directory if folder is None else folder / "locks"
    try:
        with exclusive(locks / "login.lock", _LOCK_PATIENCE):
            yield Finding("locks", ok=True, sentence=f"Lock files in {locks} can be held.")
    except (LockHeld, OSError):
        yield Finding(
            "locks",
            ok=False,
            sentence=f"The lock file {locks}/login.lock cannot be held.",
            way_out="See who holds it (fuser), and whether this user may write there.",
        )
        return
    yield _pin_files(settings)
    if folder is not None and there:
        yield _token_objects(SoftHsmStore(folder, module), fix=fix)


def _pin_files(settings: Settings) -> Finding:
    """An interrupted change costs each login a try with the PIN that is no longer valid."""
    folder = settings.hsm.softhsm_directory
    pins = settings.hsm.pin_directory if folder is None else folder / "pins"
    begun = sorted(path.name.removesuffix(".pin.new") for path in pins.glob("*.pin.new"))
    if begun:
        return Finding(
            "PINs",
            ok=False,
            sentence=f"The PIN of {', '.join(begun)} was being changed when that was interrupted.",
            way_out=f"Run: tillid hsm rotate-pin {begun[0]}",
        )
    return Finding("PINs", ok=True, sentence="No change of a PIN was interrupted.")


def _token_objects(store: SoftHsmStore, *, fix: bool) -> Finding:
    restored = store.repair() if fix else []
    torn = store.torn()
    if torn:
        return Finding(
            "token.object",
            ok=False,
            sentence=f"token.object of {', '.join(torn)} is lost, or not whole.",
            way_out="Run: tillid doctor --fix, which puts the copy back; or restore a backup.",
        )
    said = f"Put back from its copy: {', '.join(restored)}." if restored else "All are whole."
    return Finding("token.object", ok=True, sentence=said)


def _database_role(settings: Settings, database: Database) -> Iterator[Finding]:
    """What the service could do to its database if somebody else had its login."""
    if database.dialect != "postgresql":
        return
    role = VERIFIER if settings.public.only else APPLICATION
    beyond = excess(database, role)
    said = f"It {'; it '.join(beyond)}." if beyond else f"It may do what {role} may, no more."
    way_out = "Give it a login of its own: tillid db roles prints how." if beyond else ""
    yield Finding("database role", not beyond, said, way_out)


def _clock(database: Database, now: datetime) -> Finding:
    with audit_log(database) as log:
        head = log.latest_head()
    if head is not None and now < head.time - TIME_TOLERANCE:
        return Finding(
            "clock",
            ok=False,
            sentence=f"The clock says {now:%F %T}, but a head was signed at {head.time:%F %T}.",
            way_out="Set the clock; until then nothing that is signed has a true date.",
        )
    return Finding("clock", ok=True, sentence="The clock is not behind the last audit head.")


def _time_server(settings: Settings) -> Finding:
    of, check = settings.clock, "time server"
    if not of.time_server:
        return Finding(check, ok=True, sentence="None is set, so the clock was not compared.")
    try:
        offset = clock_offset(of.time_server)
    except NoTime as error:
        return Finding(
            check,
            ok=False,
            sentence=f"{of.time_server} {error.why}.",
            way_out="See whether UDP gets there, or name another with clock.time_server.",
        )
    said = f"The clock is {abs(offset):.3f} s {'behind' if offset > 0 else 'ahead of'} it."
    ok = abs(offset) <= of.tolerance_seconds
    way_out = "" if ok else "Let chrony or systemd-timesyncd keep the clock: dates are signed."
    return Finding(check, ok, said, way_out)


def _crl(settings: Settings, database: Database, record: IssuerRecord, now: datetime) -> Finding:
    latest, check = Crls(database).latest(record.name), f"CRL {record.name}"
    if record.is_root and record.state is not IssuerState.RETIRED:
        heading = Crls(database).crl_heading(CrlScope(record.name))
        due = crl_is_due(heading, now, crl_policy(settings, record), published=True)
        if due is not None:
            return Finding(
                check,
                ok=False,
                sentence=f"A new one is due: {due.value}.",
                way_out="Bring the root's token, then run: tillid crl issue --online",
            )
    if latest is not None and now < latest.next_update:
        said = f"Number {latest.number} is {_hours(now - latest.this_update)} old and valid."
        return Finding(check, ok=True, sentence=said)
    said = "There is none." if latest is None else f"Number {latest.number} has expired."
    return Finding(check, ok=False, sentence=said, way_out="Run: tillid crl issue")


def _ocsp_signer(
    settings: Settings, database: Database, record: IssuerRecord, now: datetime
) -> Iterator[Finding]:
    wanted = {"profile": "ocsp-signer", "issuer": record.name, "status": "issued"}
    keys = key_store_of(settings, Tokens(settings.hsm))
    with closing(keys.database):
        certificates = Certificates(database, PersonalData(keys))
        for newest in certificates.find(1, **wanted):
            body = certificates.body(newest.issuer, newest.serial_number)
            yield _expiry(f"OCSP signer of {record.name}", body, now, timedelta(0))


def _staff_listener(settings: Settings, now: datetime) -> Iterator[Finding]:
    chain = settings.state / "tls" / "staff.pem"
    if chain.exists():
        certificate = x509.load_pem_x509_certificate(chain.read_bytes())
        yield _expiry("staff listener", certificate, now, timedelta(0))


def _expiry(whose: str, certificate: x509.Certificate, now: datetime, margin: timedelta) -> Finding:
    ends = certificate.not_valid_after_utc
    ok = ends - now > margin
    return Finding(
        f"certificate, {whose}",
        ok,
        f"It is valid until {ends:%F}.",
        "" if ok else "Renew it; the service renews its own, see: tillid job run.",
    )


def _hours(age: timedelta) -> str:
    return f"{age / timedelta(hours=1):.1f} hours"
