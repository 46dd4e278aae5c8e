"""The settings: one frozen value, every key with a meaning and a default that suits the demo.

`server.settings_sources.load_settings` is the way to get one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from server.settings_audit import Audit
from server.settings_database import Database
from server.settings_delivery import Delivery
from server.settings_directories import Directories, DirectorySection
from server.settings_erasure import Erasure, Retention
from server.settings_registers import Registers
from server.settings_section import Section
from server.settings_types import (
    DatabaseUrl,
    Host,
    OptionalPath,
    OptionalTokenName,
    StatePath,
    Text,
    TimeServer,
    TokenName,
    check_url,
    is_loopback,
    local_url,
    refused,
)
from server.settings_vault import Keystore

Port = Annotated[int, Field(ge=1, le=65535)]


def _own_url(scheme: str) -> Callable[[dict[str, Any]], str]:
    return lambda values: local_url(scheme, values["host"], values["port"])


class Listener(Section):
    """What both listeners have: an address, and whether other machines may reach it."""

    allow_remote: bool = Field(
        default=False, description="Whether the listener may be reachable from other machines."
    )
    host: Host = Field(default="127.0.0.1", description="Address to listen on.")

    @field_validator("host")
    @classmethod
    def _stays_on_this_machine(cls, host: str, info: ValidationInfo) -> str:
        if info.data.get("allow_remote", True) or is_loopback(host):
            return host
        raise refused(
            "is reachable from other machines",
            "Use 127.0.0.1, or set allow_remote = true in the same section if that is meant.",
        )


class Public(Listener):
    """Plain HTTP for relying parties: CRL, OCSP, CA certificates."""

    port: Port = Field(default=8080, description="TCP port of the public listener.")
    url: Annotated[Text, AfterValidator(lambda url: check_url(url, ("http", "https")))] = Field(
        default_factory=_own_url("http"),
        description="Address written into certificates, where relying parties find CRL and OCSP.",
    )
    workers: int = Field(
        default=1, ge=1, le=64, description="Processes that answer on the public listener."
    )
    only: bool = Field(
        default=False,
        description="Whether this node has the public listener alone: no token, no jobs, no staff.",
    )
    replica_seconds: int = Field(
        default=15,
        ge=2,
        le=3600,
        description="Seconds that a public node's replica may lag; beyond that OCSP says tryLater.",
    )


class Staff(Listener):
    """HTTPS for officers and for the API."""

    port: Port = Field(default=8443, description="TCP port of the staff listener.")
    url: Annotated[Text, AfterValidator(lambda url: check_url(url, ("https",)))] = Field(
        default_factory=_own_url("https"), description="Address that officers open."
    )


class Hsm(Section):
    """The PKCS#11 module and its tokens."""

    module: StatePath = Field(
        default=Path("/usr/lib/softhsm/libsofthsm2.so"), description="PKCS#11 module to load."
    )
    softhsm_directory: OptionalPath = Field(
        default=Path("softhsm"),
        description="Where SoftHSM keeps its tokens; empty when the module is not SoftHSM.",
    )
    module_arguments: Text = Field(
        default="",
        description="Text for C_Initialize, which YubiHSM, Kryoptic and NSS take; mostly empty.",
    )
    root_token: TokenName = Field(
        default="tillid-root", description="Token of the root CA key: its label or PKCS#11 URI."
    )
    issuing_token: TokenName = Field(
        default="tillid-issuing", description="Token of the issuing CA keys, likewise."
    )
    issuing_standby: OptionalTokenName = Field(
        default="", description="Token with the same keys, used while issuing_token is down."
    )
    service_token: TokenName = Field(
        default="tillid-service", description="Token of the service's own keys, likewise."
    )
    service_standby: OptionalTokenName = Field(
        default="", description="Token with the same keys, used while service_token is down."
    )
    ocsp_standby: OptionalTokenName = Field(
        default="", description="Token with OCSP keys of its own, used while service_token is down."
    )
    vault_standby: OptionalTokenName = Field(
        default="",
        description="Token with a root of its own over the key store, beside service_token.",
    )
    pin_directory: StatePath = Field(
        default=Path("softhsm/pins"), description="Directory of the PIN files, LABEL.pin."
    )
    sign_quota_per_hour: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        description="Signatures that each key may make in an hour; 0 is no limit.",
    )
    software_ml_dsa: bool = Field(
        default=False,
        description="Whether ML-DSA keys may lie in files, sealed by the token: test equipment.",
    )

    @field_validator("issuing_standby", "service_standby")
    @classmethod
    def _is_another_token(cls, standby: str, info: ValidationInfo) -> str:
        first = str(info.field_name).replace("standby", "token")
        if standby and standby == info.data.get(first):
            raise refused(f"is the same as hsm.{first}", "Name another token, or leave it empty.")
        return standby

    @field_validator("ocsp_standby", "vault_standby")
    @classmethod
    def _works_by_itself(cls, standby: str, info: ValidationInfo) -> str:
        for other in ("root_token", "service_token", "service_standby"):
            if standby and standby == info.data.get(other):
                raise refused(f"is the same as hsm.{other}", "Name another token, or none.")
        return standby


class Ocsp(Section):
    """Answers of the OCSP responder."""

    validity_minutes: int = Field(
        default=60, ge=1, le=14400, description="Minutes from thisUpdate to nextUpdate."
    )
    cert_hash: bool = Field(
        default=False, description="Whether answers hold the certificate's hash (Common PKI)."
    )
    archive_cutoff: bool = Field(
        default=False, description="Whether answers say that status is kept past expiry."
    )
    non_issued: Literal["unknown", "revoked"] = Field(
        default="unknown", description="What is said of a serial that was never issued."
    )
    signatures_per_second: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="Answers that each public worker signs on demand in a second, at most.",
    )
    memory_mebibytes: int = Field(
        default=64, ge=1, le=65536, description="Memory for responses in each public worker, MiB."
    )


class Crl(Section):
    """Certificate revocation lists."""

    validity_hours: int = Field(
        default=24, ge=1, le=8784, description="Hours from thisUpdate to nextUpdate."
    )
    renew_margin_hours: int = Field(
        default=12, ge=0, le=8783, description="Hours before nextUpdate when a new list is made."
    )

    @field_validator("renew_margin_hours")
    @classmethod
    def _leaves_time_between_lists(cls, margin: int, info: ValidationInfo) -> int:
        if margin < info.data.get("validity_hours", margin + 1):
            return margin
        raise refused(
            "is not shorter than crl.validity_hours", "Make it about half of validity_hours."
        )


class Revocation(Section):
    """Limits on hold and revocation."""

    alone_per_hour: int = Field(
        default=20,
        ge=1,
        le=100_000,
        description="Certificates that one officer may hold or revoke in an hour without a second.",
    )
    longest_hold_days: int = Field(
        default=30, ge=1, le=366, description="Days until a hold becomes a revocation by itself."
    )


class Controller(Section):
    """Who answers for the personal data (GDPR Art. 4(7)), and who helps with it (Art. 28)."""

    name: Text = Field(default="Tillid demonstration", description="The controller's name.")
    address: Text = Field(default="", description="The controller's postal address, in one line.")
    contact: Text = Field(default="", description="Where the controller is reached: mail or phone.")
    dpo: Text = Field(default="", description="Where the data protection officer is reached.")
    authority: Literal["datatilsynet", "imy"] = Field(
        default="datatilsynet", description="The supervisory authority that complaints go to."
    )
    processors_file: StatePath = Field(
        default=Path("processors.toml"),
        description="TOML file with the register of processors; without it there are none.",
    )


class Jobs(Section):
    """Background work."""

    tick_seconds: float = Field(
        default=1.0, ge=0.1, le=30, description="Seconds between two looks for work to do."
    )


class Alarms(Section):
    """From when on something is an alarm."""

    publication_seconds: int = Field(
        default=60,
        ge=5,
        le=86400,
        description="Seconds until a change of status has to be seen in CRL, OCSP and directory.",
    )
    disk_free_mb: int = Field(
        default=200,
        ge=0,
        le=1_000_000,
        description="Megabytes that the state directory keeps free.",
    )


class Clock(Section):
    """The clock of this machine."""

    time_server: TimeServer = Field(default="", description="NTP server that doctor asks.")
    tolerance_seconds: float = Field(
        default=1.0, ge=0.01, le=60, description="Seconds that the clock may be off."
    )


class Logs(Section):
    """The log files under logs/ in the state directory."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level that is written."
    )


class Serial(Section):
    """Serial numbers of certificates."""

    node: int = Field(
        default=1,
        ge=1,
        le=127,
        description="First octet of each serial number; different on each node.",
    )


class Links(Section):
    """One-time sign-in links."""

    minutes: int = Field(default=15, ge=1, le=1440, description="Minutes that a link can be used.")


class Session(Section):
    """Signed-in sessions of officers."""

    minutes: int = Field(default=60, ge=1, le=1440, description="Minutes until signing in again.")


class Cases(Section):
    """Data-subject cases."""

    delivery_days: int = Field(
        default=32, ge=1, le=90, description="Days that what was delivered can be fetched."
    )


class Keys(Section):
    """Keys that are not certified."""

    compromised_file: OptionalPath = Field(
        default=None,
        description="File of SHA-256 digests (hexadecimal, one a line) of the SubjectPublicKeyInfo"
        " of compromised keys; empty when there is none.",
    )


class Settings(Section):
    """All settings of one installation."""

    state: Path
    """The state directory, absolute; chosen by $TILLID_STATE, not a key of the file."""
    public: Public
    staff: Staff
    database: Database
    keystore: Keystore
    hsm: Hsm
    ocsp: Ocsp
    crl: Crl
    revocation: Revocation
    erasure: Erasure
    retention: Retention
    controller: Controller
    registers: Registers
    jobs: Jobs
    alarms: Alarms
    clock: Clock
    audit: Audit
    logs: Logs
    serial: Serial
    cases: Cases
    keys: Keys
    delivery: Delivery
    links: Links
    session: Session
    directories: Directories = Field(default_factory=dict)
    """By name; the tables [directories.NAME]."""

    @model_validator(mode="after")
    def _listeners_do_not_collide(self) -> Self:
        if (self.public.host, self.public.port) == (self.staff.host, self.staff.port):
            raise refused("staff.port is the same as public.port", "Change one of the two.")
        return self

    @model_validator(mode="after")
    def _keys_are_apart_from_the_records(self) -> Self:
        if self.keystore.url == self.database.url:
            raise refused(
                "keystore.url is the same as database.url",
                "A backup of the records must not hold their keys: name another database.",
            )
        return self


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
"""The sections by name, in the order of `Settings`."""
DIRECTORIES = "directories"
"""The section that holds a section for each directory."""

__all__ = ["DIRECTORIES", "SECTIONS", "DatabaseUrl", "DirectorySection", "Section", "Settings"]
