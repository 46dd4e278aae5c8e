"""A session that one thread uses at a time, and the keys found in it."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pkcs11
from pkcs11 import ObjectClass

from hsm.uri import SCHEME, key_uri


@dataclass(slots=True, eq=False)
class Worker:
    """A session and the key handles found in it."""

    session: pkcs11.Session
    epoch: int
    """That of the module when the session was opened."""
    handles: dict[tuple[ObjectClass, str], Any] = field(default_factory=dict)

    def handle(self, kind: ObjectClass, label: str) -> Any:
        """The key's handle, looked up once a session because finding costs a millisecond."""
        handle = self.handles.get((kind, label))
        if handle is None:
            handle = self.session.get_key(object_class=kind, **_search(label))
            self.handles[kind, label] = handle
        return handle

    def close(self) -> None:
        """Close the session, as far as it can still be closed."""
        with suppress(pkcs11.PKCS11Error):
            self.session.close()


def _search(name: str) -> dict[str, Any]:
    """How a key is looked for that is named by its label or by a PKCS#11 URI."""
    if not name.startswith(SCHEME):
        return {"label": name}
    uri = key_uri(name)
    return {"label": uri.object or None, "id": uri.id or None}
