"""Logs: one JSON object a line in logs/NAME.log below the state directory, and nowhere else.

What a line may hold is in `server.log_fields`. The messages of libraries are free text, so only
their level, logger and error class are kept. Outside `log_to` nothing is written at all.
"""

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from server.log_fields import allowed, drop_refused, raise_refused
from server.problems import new_reference
from server.state import make_state_directory

_FRAMES = 40


def get_logger(component: str) -> FilteringBoundLogger:
    """A logger whose lines name the component; call it where it is used, not at import."""
    if not structlog.is_configured():
        _write_nothing()
    logger: FilteringBoundLogger = structlog.get_logger(component=component)
    return logger


@contextmanager
def log_to(state: Path, name: str, level: str = "info", *, strict: bool = False) -> Iterator[Path]:
    """Write to logs/NAME.log for the length of the block; yields the path of the file.

    In strict mode a line that logs may not hold raises; otherwise what is refused is left out.

    Raises:
        StateRefused: the directories cannot be made.
        LogRefused: from the loggers, in strict mode.
    """
    with _opened(state, name) as (path, file):
        check = raise_refused if strict else drop_refused
        structlog.configure(
            processors=_processors(check),
            wrapper_class=structlog.make_filtering_bound_logger(level),
            logger_factory=structlog.WriteLoggerFactory(file=file),
            cache_logger_on_first_use=False,
        )
        libraries = _LibraryMessages(level.upper())
        logging.root.addHandler(libraries)
        try:
            yield path
        finally:
            logging.root.removeHandler(libraries)
            _write_nothing()


def record_unforeseen(state: Path, error: BaseException) -> str:
    """Write where an exception nobody foresaw came from; returns its new reference.

    The log that is open meanwhile stays as it is: the service goes on writing to it.
    """
    reference = new_reference()
    with _opened(state, "unforeseen") as (_, file):
        logger = structlog.wrap_logger(
            structlog.WriteLogger(file),
            processors=_processors(drop_refused),
            wrapper_class=structlog.make_filtering_bound_logger("critical"),
            component="tillid",
        )
        logger.critical("error.unforeseen", reference=reference, exc_info=error)
    return reference


@contextmanager
def _opened(state: Path, name: str) -> Iterator[tuple[Path, TextIO]]:
    make_state_directory(state)
    make_state_directory(state / "logs")
    path = state / "logs" / f"{name}.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        yield path, file


def _processors(check: Processor) -> list[Processor]:
    return [
        check,
        _describe_exception,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(),
    ]


def _describe_exception(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Turn exc_info into classes and places; never the message, which may quote a person."""
    error = line.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    elif error is True:
        error = sys.exc_info()[1]
    if not isinstance(error, BaseException):
        return line
    causes: list[dict[str, object]] = []
    while error is not None and len(causes) < 5:  # noqa: PLR2004 - the chain may be a circle
        causes.append(_cause(error))
        error = error.__cause__ or error.__context__
    return {**line, "exception": causes}


def _cause(error: BaseException) -> dict[str, object]:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    kind = type(error)
    described: dict[str, object] = {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    return {**described, "errno": error.errno} if isinstance(error, OSError) else described


def _discard(_logger: WrappedLogger, _method: str, _line: EventDict) -> EventDict:
    raise structlog.DropEvent


def _write_nothing() -> None:
    structlog.configure(processors=[_discard], cache_logger_on_first_use=False)


class _LibraryMessages(logging.Handler):
    """Keeps of a library's message only which logger it came from, its level and its error."""

    def emit(self, record: logging.LogRecord) -> None:
        component = record.name if allowed("component", record.name) else "library"
        log = getattr(get_logger(component), record.levelname.lower(), None)
        if log is not None:
            log("library.message", exc_info=record.exc_info)
