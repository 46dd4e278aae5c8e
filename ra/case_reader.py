"""Reading a case from JSON: every key has a default, and unknown keys and wrong types are refused.

A fault is told with its JSON pointer (RFC 6901), never with the value that is there.
"""

import json
import types
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from ra.case import AuthenticatorPart, Case
from ra.errors import RaError
from ra.levels import AssuranceLevel

_NOT_IN_FILES = frozenset({"on_record", "holder_protection"})
_MOBILE_CRITERIA = range(7)


class CaseFault(RaError):
    """The document is no case: at `pointer` (RFC 6901), in a line of several, it breaks `rule`."""

    def __init__(self, pointer: str, rule: str, line: int | None = None) -> None:
        place = "" if line is None else f"line {line}: "
        super().__init__(f"{place}{pointer or 'the whole document'} is not {rule}.")
        self.pointer = pointer
        self.rule = rule


def parse_case(text: str) -> Case:
    """The case that a JSON text holds.

    Raises: CaseFault.
    """
    try:
        document = json.loads(text, object_pairs_hook=_Members, parse_constant=_no_constant)
    except json.JSONDecodeError as fault:
        place = f"line {fault.lineno}, column {fault.colno}"
        raise CaseFault("", f"JSON; it breaks off at {place}") from None
    except (ValueError, RecursionError):
        raise CaseFault("", "JSON without NaN, Infinity, huge numbers or deep nesting") from None
    return read_case(document)


def read_case(document: object) -> Case:
    """The case of a decoded JSON document.

    Raises: CaseFault.
    """
    parts = _checked_object(document, Case, "")
    if not parts:
        raise CaseFault("", f"an object with at least one of {_listed(_keys(Case))}")
    return Case(**{name: _part(name, value) for name, value in parts.items()})


def _part(name: str, document: object) -> Any:
    """One part; the parts of a case are optional in it but never null in a file."""
    pointer = f"/{name}"
    kind = next(each for each in get_args(_hints(Case)[name]) if each is not types.NoneType)
    members = _checked_object(document, kind, pointer)
    values = {
        key: _value(_hints(kind)[key], value, f"{pointer}/{key}") for key, value in members.items()
    }
    if kind is AuthenticatorPart and values.get("mobile_criteria") not in {None, *_MOBILE_CRITERIA}:
        raise CaseFault(f"{pointer}/mobile_criteria", "null or a whole number from 0 to 6")
    return kind(**values)


def _checked_object(document: object, kind: type, pointer: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise CaseFault(pointer, "an object")
    if isinstance(document, _Members) and document.twice is not None:
        raise CaseFault(f"{pointer}/{_escaped(document.twice)}", "a key that stands there once")
    for key in document:
        if key not in _keys(kind):
            raise CaseFault(f"{pointer}/{_escaped(key)}", f"one of {_listed(_keys(kind))}")
    return document


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


@cache
def _keys(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.name not in _NOT_IN_FILES)


def _value(kind: Any, document: object, pointer: str) -> Any:
    if get_origin(kind) in {Union, types.UnionType}:
        (inner,) = (each for each in get_args(kind) if each is not types.NoneType)
        return None if document is None else _value(inner, document, pointer)
    if get_origin(kind) is tuple:
        if not isinstance(document, list):
            raise CaseFault(pointer, "an array")
        of = get_args(kind)[0]
        return tuple(_value(of, each, f"{pointer}/{i}") for i, each in enumerate(document))
    return _plain(kind, document, pointer)


def _plain(kind: Any, document: object, pointer: str) -> object:
    if kind in {bool, int}:
        if type(document) is not kind:
            raise CaseFault(pointer, "true or false" if kind is bool else "a whole number")
        return document
    words = _words(kind)
    if not isinstance(document, str) or document not in words:
        raise CaseFault(pointer, f"one of {_listed(tuple(words))}")
    return words[document]


@cache
def _words(kind: type[Enum]) -> Mapping[str, Enum]:
    """How a file writes the members of an enumeration."""
    if issubclass(kind, AssuranceLevel):
        return {each.name.lower(): each for each in kind}
    return {each.value: each for each in kind}


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words)


class _Members(dict[str, object]):
    """The members of an object, and the key that stands twice in it, if one does."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.twice = next((key for key, count in counts.items() if count > 1), None)


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _escaped(key: str) -> str:
    """The key as a token of a JSON pointer, cut short."""
    return key[:40].replace("~", "~0").replace("/", "~1")


def described() -> Iterator[tuple[str, tuple[tuple[str, str, str], ...]]]:
    """Each part of a case with its keys: name, values in words, default as JSON writes it."""
    for part in _keys(Case):
        kind = next(each for each in get_args(_hints(Case)[part]) if each is not types.NoneType)
        empty = kind()
        yield (
            part,
            tuple(
                (key, _in_words(_hints(kind)[key]), _as_json(getattr(empty, key)))
                for key in _keys(kind)
            ),
        )


def _in_words(kind: Any) -> str:
    if get_origin(kind) in {Union, types.UnionType}:
        (inner,) = (each for each in get_args(kind) if each is not types.NoneType)
        return f"null, {_in_words(inner)}"
    if get_origin(kind) is tuple:
        return f"array of {_in_words(get_args(kind)[0])}"
    if kind is bool:
        return "true, false"
    return "0 to 6" if kind is int else _listed(tuple(_words(kind)))


def _as_json(value: object) -> str:
    if isinstance(value, AssuranceLevel):
        return f'"{value.name.lower()}"'
    return json.dumps(value)
