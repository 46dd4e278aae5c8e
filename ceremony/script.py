"""The script of a ceremony, and the binding that says which device plays which token.

The script is what is rehearsed and what is done, unchanged; only the binding knows devices. Both
are TOML, read whole: every fault is found before anything is refused, and no key is passed over.
"""

import dataclasses
import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    Strict,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic_core import ErrorDetails

from ca.profiles import KeyType
from ceremony.custody import MOST_SHARES
from ceremony.errors import Fault, ScriptFaulty
from ceremony.toml_lines import Document, Place, read_toml
from hsm.uri import check_token_name


def _token_name(name: str) -> str:
    check_token_name(name)
    return name


REHEARSAL = " REHEARSAL"
"""What ends the common name of each issuer of a rehearsal."""

RoleName = Literal["administrator", "operator", "witness", "auditor"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
KeyLabel = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]
TokenName = Annotated[Text, AfterValidator(_token_name)]
"""As tokens are named in the settings: a label, or a PKCS#11 URI."""
Count = Annotated[int, Strict(), Field(ge=0, le=20)]
_CLOSED = ConfigDict(extra="forbid")


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Role:
    """How many of the people of one role are asked, and how many have to be there."""

    needed: Annotated[int, Strict(), Field(ge=1, le=20)]
    of: Annotated[int, Strict(), Field(ge=1, le=20)]


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What every step can have."""

    witnesses: Count = 0
    """How many witnesses type their names after it."""
    note: Text | None = None
    """What the administrator reads out before it."""


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance(_Step):
    """Everybody types their name; the clock is compared."""

    do: Literal["attendance"]


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class Split(_Step):
    """A new PIN of a token is split among custodians, where the binding says so."""

    do: Literal["split"]
    token: Name
    threshold: Annotated[int, Strict(), Field(ge=2, le=MOST_SHARES)]
    shares: Annotated[int, Strict(), Field(ge=2, le=MOST_SHARES)]


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class MakeToken(_Step):
    """A token is made, or opened where it is there."""

    do: Literal["token"]
    token: Name


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class MakeKey(_Step):
    """A key pair is made in a token, and tried."""

    do: Literal["key"]
    token: Name
    label: KeyLabel
    type: Literal[KeyType, "RSA-3072-PSS", "RSA-4096-PSS"]


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class MakeIssuer(_Step):
    """An issuer is certified: a root by itself, an issuing CA by its parent.

    By a foreign authority it is asked for: the request goes out, and `Install` waits for what
    comes back.
    """

    do: Literal["root", "issuing", "request"]
    issuer: Name
    key: KeyLabel
    profile: Name
    subject: dict[str, Text]
    """Attribute names and values, in the order of the profile."""
    parent: Name | None = None


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenParent(_Step):
    """An authority of an earlier ceremony is opened, and its key tried, to certify others."""

    do: Literal["parent"]
    issuer: Name
    token: Name


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class Install(_Step):
    """The certificate that a foreign authority made is read and installed, once it is there."""

    do: Literal["install"]
    issuer: Name


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class MakeCrl(_Step):
    """A CRL of an issuer, where one is due."""

    do: Literal["crl"]
    issuer: Name


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class Closing(_Step):
    """What was made is read out and compared; the transcript is signed."""

    do: Literal["closing"]


Step = Annotated[
    Attendance
    | Split
    | MakeToken
    | MakeKey
    | MakeIssuer
    | OpenParent
    | Install
    | MakeCrl
    | Closing,
    Field(discriminator="do"),
]


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Script:
    """A whole script."""

    name: Name
    title: Text
    step: tuple[Step, ...]
    roles: dict[RoleName, Role] = dataclasses.field(default_factory=dict)


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Bound:
    """Which token plays a part, and where its PIN is.

    `custodians`: split, nowhere on disk. `file`: the PIN file of the installation. `module`: the
    device asks by itself (a PIN pad, a card set), with a protected authentication path.
    """

    label: TokenName
    pin: Literal["custodians", "file", "module"]


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Binding:
    """The tokens of the script by name."""

    token: dict[Name, Bound]


@dataclass(frozen=True, slots=True)
class Read:
    """A script or binding as it was read: its text, where its lines are."""

    document: Document

    @property
    def sha256(self) -> str:
        """The digest of its text."""
        return hashlib.sha256(self.document.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ScriptRead(Read):
    """A script that stands up to every rule that needs no binding."""

    script: Script


@dataclass(frozen=True, slots=True)
class BindingRead(Read):
    """A binding that stands up by itself."""

    binding: Binding


ShapeT = TypeVar("ShapeT", Script, Binding)


def template_text() -> str:
    """A script with comments, to begin from."""
    return Path(__file__).with_name("template.toml").read_text(encoding="utf-8")


def shape_faults(document: Document, kind: type[ShapeT]) -> tuple[ShapeT | None, list[Fault]]:
    """The value of a document, or every fault of its shape."""
    try:
        return _shapes()[kind].validate_python(document.tables), []
    except ValidationError as error:
        return None, [_fault(document, details) for details in error.errors(include_input=False)]


def read_binding(octets: bytes, source: str) -> BindingRead:
    """Read a binding. Raises: ScriptFaulty with every fault of its shape."""
    document = read_toml(octets, source)
    binding, faults = shape_faults(document, Binding)
    if binding is None:
        raise ScriptFaulty(source, tuple(faults))
    return BindingRead(document, binding)


def rehearsed(script: Script) -> Script:
    """The script as it is rehearsed: each issuer's name and the title say that it is one."""
    steps = tuple(
        dataclasses.replace(step, subject={**step.subject, "CN": step.subject["CN"] + REHEARSAL})
        if isinstance(step, MakeIssuer)
        else step
        for step in script.step
    )
    return dataclasses.replace(script, step=steps, title=f"REHEARSAL of: {script.title}")


def placed(document: Document, place: Place, problem: str, way_out: str) -> Fault:
    """A fault at a place of a document."""
    words = [str(part + 1) if isinstance(part, int) else part for part in place]
    return Fault(document.line(place), ".".join(words), problem, way_out)


@functools.cache
def _shapes() -> dict[type, TypeAdapter[Any]]:
    return {kind: TypeAdapter(kind) for kind in (Script, Binding)}


def _fault(document: Document, details: ErrorDetails) -> Fault:
    # The third part of a place below [[step]] is pydantic's name of the kind of step.
    place = tuple(details["loc"])
    if place[:1] == ("step",):
        place = (*place[:2], *place[3:])
    kind, message = details["type"], details["msg"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return placed(document, place, "is not a key here", "Remove it, or correct its name.")
    if kind in ("missing", "missing_argument", "union_tag_not_found"):
        missing = place if kind != "union_tag_not_found" else (*place, "do")
        return placed(document, missing, "is missing", "Write it; see: tillid ceremony template.")
    said = re.sub(r"^(Input (tag )?|Value error, )", "", message)
    return placed(document, place, said, "Correct it; see: tillid ceremony template.")
