"""Calling the staff API with an officer's certificate, by curl.

curl because it can use a key that stays in a token (OpenSSL's pkcs11 engine), and so that a user
can repeat each call by hand. Its options go in by standard input: nothing secret is on its command
line, and the PIN is read by the engine from the file that the PKCS#11 URI names.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from commands.identity import Identity
from server.problems import Problem, ProblemRaised

_SECONDS = 30
_CANNOT = Problem(
    type="staff-unreachable",
    title="The staff listener does not answer",
    status=503,
    detail="The call did not reach the staff listener.",
    way_out="See that `tillid serve` runs, and that curl and libengine-pkcs11-openssl are here.",
)


@dataclass(frozen=True, slots=True)
class StaffClient:
    """One caller: with an identity, with an applicant's secret, or with nothing (enrolment)."""

    url: str
    trust: Path
    identity: Identity | None = None
    secret: str | None = None

    @classmethod
    def as_officer(cls, identity_file: Path) -> "StaffClient":
        """Call as the officer of an identity file."""
        identity = Identity.load(identity_file)
        return cls(identity.staff_url, identity.trust, identity)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """GET /api/v1/PATH; what the JSON answer holds."""
        return _parsed(self._call(path, None, query or {}))

    def fetch(self, path: str) -> bytes:
        """GET /api/v1/PATH; the octets of the answer.

        Raises:
            ProblemRaised: the service answered with a problem, or not at all.
        """
        return self._call(path, None)

    def post(self, path: str, body: object = None) -> Any:
        """POST JSON to /api/v1/PATH; what the JSON answer holds."""
        return _parsed(self.send(path, body))

    def send(self, path: str, body: object = None) -> bytes:
        """POST JSON to /api/v1/PATH; the octets of the answer."""
        return self._call(path, json.dumps({} if body is None else body))

    def _call(self, path: str, body: str | None, query: Mapping[str, str] | None = None) -> bytes:
        with tempfile.TemporaryDirectory(prefix="tillid-") as folder:
            options = self._options(path, query or {})
            answer = Path(folder) / "answer"
            options += [_option("output", answer), 'write-out = "%{http_code}"']
            if body is not None:
                sent = Path(folder) / "body"
                sent.write_text(body, encoding="utf-8")
                options += [
                    _option("data-binary", f"@{sent}"),
                    _option("header", "Content-Type: application/json"),
                ]
            done = subprocess.run(
                ["curl", "--disable", "--config", "-"],
                input="\n".join(options),
                capture_output=True,
                text=True,
                check=False,
                env=self._environment(),
            )
            status = done.stdout[-3:]
            if done.returncode != 0 or not answer.exists():
                said = done.stderr.strip().splitlines() or ["curl said nothing"]
                raise ProblemRaised(replace(_CANNOT, detail=said[0]))
            octets = answer.read_bytes()
        if not status.startswith("2"):
            raise ProblemRaised(_problem(octets))
        return octets

    def _options(self, path: str, query: Mapping[str, str]) -> list[str]:
        asked = f"?{urlencode(query)}" if query else ""
        options = [
            "silent",
            "show-error",
            _option("url", f"{self.url}/api/v1/{quote(path)}{asked}"),
            "globoff",
            "path-as-is",
            _option("cacert", self.trust),
            _option("max-time", _SECONDS),
        ]
        if self.secret is not None:
            options.append(_option("header", f"Authorization: Bearer {self.secret}"))
        if self.identity is not None:
            options.append(_option("cert", self.identity.path))
            if self.identity.key is None:
                options.append(_option("key", self.identity.path))
            else:
                options += [
                    _option("engine", "pkcs11"),
                    _option("key-type", "ENG"),
                    _option("key", self.identity.key),
                ]
        return options

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        if self.identity is not None and self.identity.module is not None:
            environment["PKCS11_MODULE_PATH"] = str(self.identity.module)
        if self.identity is not None and self.identity.softhsm is not None:
            environment["SOFTHSM2_CONF"] = str(self.identity.softhsm)
        return environment


def _option(name: str, value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    # An option ends with its line: what is given must not begin another.
    text = text.replace("\n", "\\n").replace("\r", "\\r")
    return f'{name} = "{text}"'


def _parsed(octets: bytes) -> Any:
    try:
        return json.loads(octets)
    except ValueError:
        raise ProblemRaised(_CANNOT) from None


def _problem(octets: bytes) -> Problem:
    try:
        return Problem.from_document(json.loads(octets))
    except (ValueError, TypeError, AttributeError):
        return _CANNOT
