"""An auditor with a login that only reads: what the verbs show to whoever can change nothing."""

import json
from pathlib import Path
from typing import Any

from tests.support.nodes import issue, reader_of
from tests.support.workshop import Workshop


def test_who_may_only_read_verifies_the_log_and_compares_the_directories(
    workshop: Workshop, tmp_path: Path
) -> None:
    with workshop.requested("postgresql") as story:
        service = story.service.start()
        serial = issue(service, tmp_path)
        whole = service.verb("audit", "verify")
        key = tmp_path / "audit.pem"
        key.write_bytes(story.audit_key)
        reader = {"TILLID_DATABASE__URL": reader_of(service)}

        def seen(*arguments: str, code: int = 0) -> Any:
            done = service.tillid(*arguments, "--json", **reader)
            assert done.returncode == code, done.stdout + done.stderr
            return json.loads(done.stdout)["result"]

        for keys in ((), ("--no-keys", "--key", str(key))):
            assert seen("audit", "verify", *keys)["events"] >= whole["events"]
        assert seen("audit", "tail")["events"]
        # Other installations of this process publish to the same directory.
        own = service.tillid("directory", "diff", "--json")
        assert seen("directory", "diff", code=own.returncode) == json.loads(own.stdout)["result"]
        seen("db", "check")

        name = f"issuing/{serial:036x}"
        refused = service.tillid(
            "cert", "revoke", name, "--yes", "--reason", "superseded", **reader
        )
        assert refused.returncode == 4
        assert "ROL01" in refused.stderr
        assert service.verb("cert", "status", name)["status"] == "good"
        assert service.verb("audit", "verify")["events"] >= whole["events"]

        # Nor does it need anything of the installation but the address and the public key.
        elsewhere = tmp_path / "auditor"
        elsewhere.mkdir(mode=0o700)
        reader["TILLID_STATE"] = str(elsewhere)
        assert seen("audit", "verify", "--no-keys", "--key", str(key))["events"] >= whole["events"]
        assert list(elsewhere.rglob("*.sqlite")) == []
