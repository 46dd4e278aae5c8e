"""A new PIN for a token, so that at every moment one of two files holds the PIN that works.

The new PIN is written beside the old one, then set in the token, then put in the old one's place.
Whoever logs in meanwhile, or after a crash in between, tries the old file and then the new one
(`hsm.login`). The next change first finds out which of the two is the token's.
"""

from collections.abc import Callable

from hsm.errors import PinKeptElsewhere, PinRejected, TokenUnavailable
from hsm.files import move, remove, write_owner_only
from hsm.module import exclusive, pin_digest
from hsm.pins import is_file, new_pin_file, random_pin, read_pin
from hsm.token import Token

_LEFT_AS_IT_WAS = {
    "CKR_FUNCTION_NOT_SUPPORTED",
    "CKR_PIN_INVALID",
    "CKR_PIN_LEN_RANGE",
    "CKR_PIN_INCORRECT",
}


def change_pin(open_token: Callable[[], Token], changed: Callable[[], None]) -> None:
    """Give a token another random PIN, finishing first a change that was interrupted.

    `changed` is called when the token has the new PIN and both files are still there.
    Raises: PinKeptElsewhere, PinRejected, TokenUnavailable, LockHeld.
    """
    token = open_token()
    location = token.location
    if not is_file(location.pin_file):
        raise PinKeptElsewhere(str(location.pin_file))
    with exclusive(location.lock_dir / "pins.lock"):
        _finish(token, changed)
        old, new = read_pin(location.pin_file), random_pin()
        write_owner_only(new_pin_file(location.pin_file), new.encode())
        try:
            token.change_pin(old, new)
        except (PinRejected, TokenUnavailable) as error:
            if error.ckr in _LEFT_AS_IT_WAS:
                remove(new_pin_file(location.pin_file))
            raise
        changed()
        move(new_pin_file(location.pin_file), location.pin_file)


def _finish(token: Token, changed: Callable[[], None]) -> None:
    """Keep the file whose PIN this process logged in with, of the two that a crash left."""
    pin_file = token.location.pin_file
    if not new_pin_file(pin_file).exists():
        return
    accepted = token.accepted_pin()
    if accepted == pin_digest(read_pin(new_pin_file(pin_file))):
        changed()
        move(new_pin_file(pin_file), pin_file)
    elif accepted == pin_digest(read_pin(pin_file)):
        remove(new_pin_file(pin_file))
    else:
        raise PinRejected(token.location.name, "neither PIN file is the one that logged in")
