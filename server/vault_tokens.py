"""Roots of the key store in the tokens of the settings; implements `records.key_wrapping`."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from hsm.checks import check_wraps
from hsm.errors import KeyExists, KeyNotFound
from hsm.keys import WrappingKey
from hsm.labels import vault_root
from hsm.token import Token


@dataclass(frozen=True, slots=True)
class VaultToken:
    """A token with roots in it; it is opened when a root is needed."""

    name: str
    open: Callable[[], Token]

    def serial(self) -> str:
        """The device's serial number."""
        return self.open().serial()

    def epochs(self, store: str) -> set[int]:
        """Epochs of which a root of the store is in the token now."""
        root = re.compile(re.escape(vault_root(store, 0)).removesuffix("0") + r"([0-9]{1,9})")
        found = (root.fullmatch(label) for label in self.open().key_labels())
        return {int(match[1]) for match in found if match}

    def key(self, store: str, epoch: int) -> WrappingKey:
        """The root of an epoch. Raises: KeyNotFound, HsmError."""
        return self.open().wrapping_key(vault_root(store, epoch))

    def make(self, store: str, epoch: int) -> WrappingKey:
        """The root of an epoch, made when it is not there; tried, and seen to stay."""
        token, label = self.open(), vault_root(store, epoch)
        try:
            root = token.wrapping_key(label)
        except KeyNotFound:
            try:
                root = token.generate_wrapping_key(label)
            except KeyExists:  # another process was a moment earlier
                root = token.wrapping_key(label)
        token.check_wrapping_key(label)
        check_wraps(root)
        return root

    def check(self, store: str) -> None:
        """Whether no root of the store can leave the token. Raises: KeyUnfit, HsmError."""
        for epoch in self.epochs(store):
            self.open().check_wrapping_key(vault_root(store, epoch))

    def destroy(self, store: str, epoch: int) -> None:
        """Destroy the root of an epoch; another process may have been a moment earlier."""
        try:
            self.open().destroy_key(vault_root(store, epoch))
        except KeyNotFound:
            return
