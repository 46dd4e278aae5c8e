"""What an error of PKCS#11 says of the token, beside what it was asked."""

import re

import pkcs11

_OWN = (
    pkcs11.NoSuchKey,
    pkcs11.NoSuchToken,
    pkcs11.MultipleObjectsReturned,
    pkcs11.MultipleTokensReturned,
)
"""What python-pkcs11 finds by itself, of which the token has said nothing."""

_SPELT_OTHERWISE = {
    "AnotherUserAlreadyLoggedIn": "UserAnotherAlreadyLoggedIn",
    "FunctionCancelled": "FunctionCanceled",
    "TokenNotRecognised": "TokenNotRecognized",
}
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_LOGIN_IN_DOUBT = (
    pkcs11.DeviceError,
    pkcs11.DeviceRemoved,
    pkcs11.KeyHandleInvalid,
    pkcs11.ObjectHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.UserNotLoggedIn,
)
_OF_THE_TOKEN = (
    *_LOGIN_IN_DOUBT,
    pkcs11.DeviceMemory,
    pkcs11.FunctionFailed,
    pkcs11.GeneralError,
    pkcs11.HostMemory,
    pkcs11.NoSuchToken,
    pkcs11.SessionCount,
)


def ckr_of(error: pkcs11.PKCS11Error) -> str:
    """The return value's name (PKCS#11 v2.40 section 5.1), empty if it was none.

    Those that python-pkcs11 does not know come as the bare class, with a sentence that is given.
    """
    if isinstance(error, _OWN):
        return ""
    if type(error) is pkcs11.PKCS11Error:
        return str(error)
    name = type(error).__name__
    return "CKR_" + _WORDS.sub("_", _SPELT_OTHERWISE.get(name, name)).upper()


def speaks_of_the_token(error: BaseException) -> bool:
    """Whether the token failed; any other error speaks of what it was asked."""
    return isinstance(error, _OF_THE_TOKEN) or type(error) is pkcs11.PKCS11Error


def puts_login_in_doubt(error: BaseException) -> bool:
    """Whether the login may be gone, or the token; an error without a name may mean it too."""
    return isinstance(error, _LOGIN_IN_DOUBT) or type(error) is pkcs11.PKCS11Error
