"""Tokens as the command line names them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from server.tokens import Tokens


class TokenName(click.ParamType[str]):
    """A token by its label or by a PKCS#11 URI."""

    name = "token"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; click fails with usage for one that no token can have."""
        from hsm.uri import check_token_name

        try:
            check_token_name(value)
        except ValueError as error:  # without the value, in which a PIN may stand
            self.fail(f"That {error}.", param, ctx)
        return value


def check_token(tokens: "Tokens", name: str, of_issuers: Iterable[str] = ()) -> None:
    """Refuse a token that is not there and that neither the settings nor issuers name.

    One that they name may come back. Raises: NotFound, HsmError.
    """
    from ca.errors import NotFound
    from hsm.uri import SCHEME, Pkcs11Uri, token_label, token_uri

    uri = token_uri(name) if name.startswith(SCHEME) else Pkcs11Uri(token=name)
    if not uri.token or uri.module_path is not None:
        return  # only to open it tells
    named = map(token_label, (*tokens.labels, *of_issuers))
    if uri.token not in named and not tokens.is_present(uri.token):
        raise NotFound("token", uri.token)
