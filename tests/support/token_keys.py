"""Keys made in tokens, of the class that the test needs."""

from typing import cast

from hsm.key_kinds import KeyKind
from hsm.keys import TokenRSAPrivateKey
from hsm.token import Token


def a_token_rsa_key(token: Token, label: str) -> TokenRSAPrivateKey:
    """An RSA key of 2048 bits, made in the token."""
    return cast("TokenRSAPrivateKey", token.generate_key(label, KeyKind.RSA_2048))
