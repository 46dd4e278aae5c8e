"""What an error of PKCS#11 says of the token, beside what it was asked."""

import pkcs11

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


def speaks_of_the_token(error: BaseException) -> bool:
    """Whether the token failed; any other error speaks of what it was asked."""
    return isinstance(error, _OF_THE_TOKEN) or type(error) is pkcs11.PKCS11Error


def puts_login_in_doubt(error: BaseException) -> bool:
    """Whether the login may be gone, or the token; an error without a name may mean it too."""
    return isinstance(error, _LOGIN_IN_DOUBT) or type(error) is pkcs11.PKCS11Error
