"""The forms of the staff pages: what may be filled in, and nothing else."""

import re
from typing import Annotated, Literal, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ca.errors import MalformedRequest
from ca.signed_data import MAX_OCTETS
from ra.evidence import EvidenceKind, Presence
from ra.proofing import PresentedDocument
from server.api_models import CauseWord, Digest, HoldCauseWord
from server.errors import FormFault, FormRefused
from server.pages_frame import TOKEN_FIELD
from server.pem import cms_from_pem

FormT = TypeVar("FormT", bound="Form")
_DER_SEQUENCE = b"\x30"
_SENTENCES = {
    "extra_forbidden": ("The form has no such field.", "Send the form as the page shows it."),
    "missing": ("This is not filled in.", "Choose one of the answers, or fill it in."),
    "literal_error": ("This is none of the choices.", "Choose one of the answers on the page."),
    "value_error": ("This is none of the choices.", "Choose one of the answers on the page."),
    "enum": ("This is none of the choices.", "Choose one of the answers on the page."),
    "string_too_short": ("This is not filled in.", "Fill it in."),
    "string_too_long": ("This is too long.", "Shorten it."),
    "bytes_too_long": ("The file is too long.", "Choose the file with the signature."),
}
_OTHERWISE = ("This is not of the form that is asked for.", "Fill it in as the label says.")


class Form(BaseModel):
    """What every form refuses: fields that it does not have."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class EmptyForm(Form):
    """A button."""


Feature = Literal[
    "kinegram",
    "laser_perforation",
    "uv_print",
    "watermark",
    "optically_variable_ink",
    "microprint",
]


class DocumentForm(Form):
    """What the officer had in hand and saw."""

    kind: EvidenceKind
    mrz: Annotated[str, Field(min_length=1, max_length=200)]
    presence: Presence
    features: list[Feature] = Field(default=[], max_length=6)
    face: Literal["matches", "differs", "not_compared"]

    @field_validator("mrz")
    @classmethod
    def _as_read(cls, typed: str) -> str:
        """Readers and people add blanks and small letters; the zone itself has none."""
        lines = (re.sub(r"[ \t]", "", line).upper() for line in typed.splitlines())
        return "\n".join(line for line in lines if line)

    def presented(self) -> PresentedDocument:
        """The document as `ra` examines it."""
        return PresentedDocument(
            kind=self.kind,
            mrz_lines=tuple(self.mrz.split("\n")),
            features_seen=tuple(self.features),
            presence=self.presence,
            face_matches={"matches": True, "differs": False}.get(self.face),
        )


class RefusalForm(Form):
    """Why an application is refused: requirement and code."""

    reason: Annotated[str, Field(min_length=1, max_length=100)]


class ApprovalForm(Form):
    """An officer's CMS signature over the package, pasted or as a file."""

    signature: Annotated[str, Field(max_length=MAX_OCTETS)] = ""
    signature_file: Annotated[bytes, Field(max_length=MAX_OCTETS)] = b""

    def octets(self) -> bytes:
        """The signature in DER; FormRefused unless exactly one was given and can be read."""
        if bool(self.signature.strip()) is bool(self.signature_file):
            raise _signature_refused("Neither or both of the fields hold a signature.")
        if self.signature_file[:1] == _DER_SEQUENCE:
            return self.signature_file
        try:
            return cms_from_pem(self.signature or self.signature_file.decode("ascii"))
        except (MalformedRequest, UnicodeDecodeError):
            raise _signature_refused("This is not a CMS signature in PEM or DER.") from None


class RevocationForm(Form):
    """Why a certificate is revoked, and for a compromise perhaps since when (UTC)."""

    cause: CauseWord
    invalid_since: Annotated[str, Field(max_length=20)] = ""


class HoldForm(Form):
    """Why a certificate is put on hold."""

    cause: HoldCauseWord


class PlanForm(Form):
    """Certificates to revoke together, one a line, and why."""

    certificates: Annotated[str, Field(min_length=1)]
    cause: CauseWord


class BeginForm(Form):
    """The digest that the page showed."""

    sha256: Digest


def read_form(model: type[FormT]) -> FormT:
    """The form that was sent; FormRefused names every field that is missing, wrong or unknown."""
    given: dict[str, object] = {}
    for name, values in request.form.lists():
        repeated = name == "features" or len(values) > 1
        given[name] = values if repeated else values[0]
    for name, file in request.files.items():
        given[name] = file.stream.read()
    given.pop(TOKEN_FIELD, None)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = [
            FormFault(str(one["loc"][0])[:40], *_SENTENCES.get(one["type"], _OTHERWISE))
            for one in error.errors(include_url=False, include_input=False)
        ]
    raise FormRefused(*faults)


def _signature_refused(problem: str) -> FormRefused:
    return FormRefused(
        FormFault("signature", problem, "Paste the signature, or choose its file, but not both.")
    )
