"""Errors that a PKCS#11 module leaves behind in the OpenSSL that Python's ssl uses as well.

SoftHSM looks for an engine whenever it is initialised, and OpenSSL keeps the failure in a queue of
the thread. The next TLS read of that thread would be told of it as if it were its own
(SSL_get_error(3): the queue must be empty before the operation).
"""

import _ssl
import ctypes
from contextlib import suppress


def forget_openssl_errors() -> None:
    """Empty this thread's queue; nothing happens where ssl has an OpenSSL of its own inside."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(_ssl.__file__).ERR_clear_error()
