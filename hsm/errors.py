"""What can go wrong with a token, told apart by what the caller can do about it.

HsmError
├── TokenUnavailable        try again later, or look at the device
│   ├── TokenLeftAlone      it failed several times in a row and was not asked now
│   ├── ModuleForked        the parent process opened the token, open it again
│   └── LockHeld            another process has not let go of the lock file
├── TokenNotFound           no token of that label in the module
├── TokenAmbiguous          more than one token fits
├── TokenInUse              a token that holds keys is not made again
│   └── TokenLocked         custodians hold its PIN, and were not asked
├── PinRejected             the PIN is wrong, expired or locked
│   ├── PinUnreadable       the file that should hold the PIN cannot be read
│   └── PinKeptElsewhere    the PIN is in no file that could be written
├── KeyNotFound             no key of that label in the token
├── KeyExists               the label is taken
├── KeyUnfit                a key is not kept in the token as a CA key must be
├── KeyKindUnsupported      the token makes no keys of that kind
├── QuotaExhausted          this key has signed enough for this hour
├── KeyUnextractable        private key material never leaves the token
└── IntegrityFailed         the ciphertext or its associated data were changed
"""


class HsmError(Exception):
    """Root of this package's errors: the label or file concerned, and the token's return value."""

    meaning = "the token reported an error"

    def __init__(self, subject: str, ckr: str = "") -> None:
        """Keep both values; `ckr` is empty where the token returned none."""
        super().__init__(f"{self.meaning}: {subject}" + (f" ({ckr})" if ckr else ""))
        self.subject = subject
        self.ckr = ckr


class TokenUnavailable(HsmError):
    """The token or its module does not answer as it should."""

    meaning = "the token is not available"


class TokenLeftAlone(TokenUnavailable):
    """The token failed several times in a row; this call did not reach it."""

    meaning = "the token is left alone for a moment after failing"


class ModuleForked(TokenUnavailable):
    """The token was opened by the parent process (PKCS#11 v2.40 section 2.4)."""

    meaning = "the token was opened by the parent process, open it again after the fork"


class LockHeld(TokenUnavailable):
    """Another process has held the lock file for too long."""

    meaning = "another process holds the lock file"


class TokenNotFound(HsmError):
    """No token of this label is present in the module."""

    meaning = "no such token"


class TokenAmbiguous(HsmError):
    """Several tokens answer to what was said of one."""

    meaning = "more than one token fits"


class TokenInUse(HsmError):
    """The token holds keys, which making it again would destroy."""

    meaning = "the token holds keys"


class TokenLocked(TokenNotFound):
    """Custodians hold the PIN, and nobody asked them: to the process it is as if it were away."""

    meaning = "custodians hold the PIN of the token"


class PinRejected(HsmError):
    """The token does not accept the PIN; asking again with the same PIN may lock it."""

    meaning = "the token rejected the PIN"


class PinUnreadable(PinRejected):
    """The PIN file is missing or not readable; the token was not asked."""

    meaning = "the PIN file cannot be read"


class PinKeptElsewhere(PinRejected):
    """The PIN comes from a credential or a descriptor, which nothing here can write."""

    meaning = "the PIN is not kept in a file that can be written"


class KeyNotFound(HsmError):
    """No key of this label and kind is in the token."""

    meaning = "no such key"


class KeyExists(HsmError):
    """A key of this label is in the token already."""

    meaning = "the key label is taken"


class KeyUnfit(HsmError):
    """The private key may leave the token, or came from outside it; `ckr` is the attribute."""

    meaning = "the key is not one that was made in the token and cannot leave it"


class KeyKindUnsupported(HsmError):
    """The token has no mechanism for this kind of key; `ckr` is the kind."""

    meaning = "the token makes no keys of this kind"


class QuotaExhausted(HsmError):
    """The key has made as many signatures as it may in an hour."""

    meaning = "the key has made its signatures of this hour"


class KeyUnextractable(HsmError):
    """The private part of a token key was asked for."""

    meaning = "the private key never leaves the token"


class IntegrityFailed(HsmError):
    """The AES-GCM tag does not match: ciphertext, nonce or associated data were changed."""

    meaning = "the ciphertext is not what this key produced"
