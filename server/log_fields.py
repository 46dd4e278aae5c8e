"""What a log line may hold: fixed words, identifiers and numbers, never free text.

Personal data cannot slip in by mistake: a field has to be in `FIELDS` and its value has to have
that field's form. None of the forms admits a space, an @, a CPR number (six digits and four) or
a capitalised name. A name in lower case looks like any other word; that no form can tell.
"""

import re
from collections.abc import Callable

from structlog.typing import EventDict, WrappedLogger

from server.errors import LogRefused

_NUMBER_CEILING = 10**8  # the smallest CPR number, read as a number, is above it
_TEN_DIGITS = re.compile(r"[0-9]{6}[-_./:]?[0-9]{4}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME_LIKE = re.compile(r"[A-Z][a-z]+([-_][A-Z]?[a-z]+)*")

Form = Callable[[object], bool]


def _text(pattern: str) -> Form:
    compiled = re.compile(pattern)
    return lambda value: (
        isinstance(value, str)
        and compiled.fullmatch(value) is not None
        and not _TEN_DIGITS.search(value)
    )


def _serial(value: object) -> bool:
    """Hexadecimal digits in a number that a CPR number never has; ten decimals may meet there."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{16,40}", value) is not None


def _number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -_NUMBER_CEILING < value < _NUMBER_CEILING
    )


def _truth(value: object) -> bool:
    return isinstance(value, bool)


def _identifier(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        return False
    if _UUID.fullmatch(value):
        return True
    return not _TEN_DIGITS.search(value) and not _NAME_LIKE.fullmatch(value)


_word = _text(r"[a-z][a-z0-9_-]{0,31}(\.[a-z][a-z0-9_-]{0,31}){0,7}")
_code = _text(r"[a-z][A-Za-z_]{0,63}|[A-Z]{2,16}(_[A-Z0-9]{1,16}){1,8}")

FIELDS: dict[str, Form] = {
    "alarm": _code,
    "application": _identifier,
    "attempt": _number,
    "case": _identifier,
    "code": lambda value: _number(value) or _code(value),
    "component": _text(r"[a-z_]{1,32}[0-9]?(\.[a-z_]{1,32}[0-9]?){0,7}"),
    "count": _number,
    "done": _truth,
    "issuer": _text(r"[a-z][a-z0-9-]{0,31}"),
    "job": _word,
    "method": _text(r"[A-Z]{3,7}"),
    "number": _number,
    "octets": _number,
    "officer": _identifier,
    "pid": _number,
    "port": _number,
    "profile": _word,
    "reason": _code,
    "reference": _identifier,
    "route": _text(r"(/(v[0-9]|[a-z_.-]{0,32}(<[a-z_:]{1,32}>[a-z_.-]{0,32})?)){1,12}"),
    "seconds": _number,
    "serial": _serial,
    "signal": _text(r"SIG[A-Z]{2,7}"),
    "state": _code,
    "token": _text(r"[a-z][a-z0-9._-]{0,31}"),
    "status": lambda value: _number(value) or _code(value),
    "subject": _word,
}
"""The fields that code may give, each with the form of its values."""

_is_event = _text(r"[a-z][a-z_]{0,31}(\.[a-z][a-z_]{0,31}){1,4}")
_GIVEN_BY_THE_LIBRARY = frozenset({"event", "exc_info"})


def allowed(field: str, value: object) -> bool:
    """Whether a log line may hold the value under this name."""
    form = FIELDS.get(field)
    return form is not None and form(value)


def drop_refused(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Leave out what logs may not hold, and count it under `dropped`."""
    kept = {
        field: value
        for field, value in line.items()
        if field in _GIVEN_BY_THE_LIBRARY or allowed(field, value)
    }
    dropped = len(line) - len(kept)
    if not _is_event(kept["event"]):
        kept["event"] = "event.refused"
        dropped += 1
    return {**kept, "dropped": dropped} if dropped else kept


def raise_refused(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """As `drop_refused`, for tests.

    Raises:
        LogRefused: naming the first field that logs may not hold.
    """
    for field, value in line.items():
        if field not in _GIVEN_BY_THE_LIBRARY and not allowed(field, value):
            raise LogRefused(field)
    if not _is_event(line["event"]):
        raise LogRefused("event")
    return line
