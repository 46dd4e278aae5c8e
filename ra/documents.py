"""Values of this package as JSON documents, and back.

An application is stored as one body, encrypted as a whole, beside a few operational columns in
clear. The codec follows the types of the fields, so a new field needs nothing here; a document
with a name it does not know, or without one it needs, is refused.
"""

import types
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ra.applications import Application, ApplicationId, ApplicationState
from ra.errors import MalformedField
from ra.identity import Personal
from ra.levels import AssuranceLevel

_T = TypeVar("_T")
_IN_CLEAR = ("id", "state", "created_at", "updated_at", "package_hash")


@dataclass(frozen=True, slots=True)
class OperationalColumns:
    """What is stored of an application in clear: nothing that tells who it is about."""

    id: ApplicationId
    profile: str
    level: AssuranceLevel
    state: ApplicationState
    subject_id: str
    spki_sha256: str
    package_hash: str | None
    created_at: datetime
    updated_at: datetime


def operational_columns(application: Application) -> OperationalColumns:
    """The columns in clear of an application."""
    names = (each.name for each in fields(OperationalColumns))
    return OperationalColumns(**{name: getattr(application, name) for name in names})


def personal_document(application: Application) -> dict[str, object]:
    """Everything else, to be stored encrypted as one body."""
    document = to_document(application)
    return {name: value for name, value in document.items() if name not in _IN_CLEAR}


def restore_application(columns: OperationalColumns, document: Mapping[str, object]) -> Application:
    """The application of these columns and this decrypted body.

    Raises: MalformedField when the body is not of the form, or belongs to other columns.
    """
    clear = {name: _encode(getattr(columns, name)) for name in _IN_CLEAR}
    application = from_document(Application, {**document, **clear})
    if operational_columns(application) != columns:
        raise MalformedField("application", "body and columns of one application")
    return application


def to_document(value: object) -> dict[str, object]:
    """A frozen value as a JSON object, name by name; TypeError for a value of another kind."""
    encoded = _encode(value)
    if not isinstance(encoded, dict):
        raise TypeError(type(value).__name__)
    return encoded


def from_document(kind: type[_T], document: Mapping[str, object]) -> _T:
    """The value of this type; MalformedField names the field that is not of the form."""
    decoded = _decode_value(kind, document)
    if not isinstance(decoded, kind):
        raise TypeError(kind.__name__)
    return decoded


def _encode(value: Any) -> Any:
    if isinstance(value, Personal | Enum | date | bytes):
        return _encode_scalar(value)
    if isinstance(value, tuple):
        return [_encode(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _encode(getattr(value, each.name)) for each in fields(value)}
    return value


def _encode_scalar(value: Personal | Enum | date | bytes) -> object:
    if isinstance(value, AssuranceLevel):
        return value.label
    if isinstance(value, date):
        return value.isoformat()
    return b64encode(value).decode() if isinstance(value, bytes) else value.value


def _decode(kind: Any, document: Any, name: str) -> Any:
    try:
        return _decode_typed(kind, document)
    except (ValueError, TypeError, AttributeError):
        # The cause may print a personal value, so it is cut off.
        raise MalformedField(name, "the stored form") from None


def _decode_typed(kind: Any, document: Any) -> Any:
    if get_origin(kind) in {Union, types.UnionType}:
        (inner,) = (each for each in get_args(kind) if each is not types.NoneType)
        return None if document is None else _decode_typed(inner, document)
    if get_origin(kind) is tuple:
        return tuple(_decode_typed(get_args(kind)[0], each) for each in document)
    if isinstance(kind, type) and is_dataclass(kind) and not issubclass(kind, Personal):
        return _decode_value(kind, document)
    return _decode_plain(kind, document)


def _decode_plain(kind: Any, document: Any) -> Any:
    if kind in {bool, int}:
        if type(document) is not kind:
            raise TypeError(kind.__name__)
        return document
    if not isinstance(document, str):
        raise TypeError(kind.__name__)
    if kind is AssuranceLevel:
        return AssuranceLevel.from_label(document)
    if kind in {datetime, date}:
        return kind.fromisoformat(document)
    return b64decode(document, validate=True) if kind is bytes else kind(document)


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _decode_value(kind: Any, document: Mapping[str, object]) -> Any:
    hints = _hints(kind)
    known = {each.name for each in fields(kind)}
    needed = {each.name for each in fields(kind) if each.default is MISSING}
    wrong = sorted((set(document) - known) | (needed - set(document)))
    if wrong:
        raise MalformedField(wrong[0], "the names of the stored form")
    return kind(**{name: _decode(hints[name], value, name) for name, value in document.items()})
