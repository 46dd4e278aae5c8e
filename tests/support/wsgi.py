"""Asks a WSGI application as a server does, with the standard library's checker in between."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(
    application: Application,
    path: str,
    method: str = "GET",
    body: bytes | io.BytesIO = b"",
    **environ: str,
) -> Answered:
    """One request; PEP 3333 is checked on the way."""
    stream = io.BytesIO(body) if isinstance(body, bytes) else body
    given: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(stream.getvalue())),
        "wsgi.input": stream,
        **environ,
    }
    setup_testing_defaults(given)
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        assert exc_info is None
        begun.append((status, headers))
        return lambda _: None

    answer = validator(application)(given, start_response)
    try:
        octets = b"".join(answer)
    finally:
        answer.close()  # type: ignore[attr-defined]
    ((status, headers),) = begun
    assert len({name.lower() for name, _ in headers}) == len(headers)
    return Answered(int(status[:3]), dict(headers), octets)
