"""Real SoftHSM tokens for tests: one store a test process, any number of tokens in it."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from hsm.softhsm import SoftHsmStore
from hsm.token import Token

ROOT = Path(__file__).parent.parent.parent


@dataclass
class SoftHsm:
    """The store of this test process and the tokens opened in it so far."""

    store: SoftHsmStore
    tokens: dict[str, Token] = field(default_factory=dict)

    def token(self, label: str = "tests") -> Token:
        """The open token of this label, made at the first request."""
        if label not in self.tokens:
            self.tokens[label] = Token.open(self.store.create_token(label))
        return self.tokens[label]


def run_python(code: str, *arguments: str, **environment: str) -> str:
    """Run the code in a new interpreter, where SoftHSM is not yet initialised; its output."""
    inherited = {key: value for key, value in os.environ.items() if key != "SOFTHSM2_CONF"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env=inherited | {"PYTHONPATH": str(ROOT)} | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
