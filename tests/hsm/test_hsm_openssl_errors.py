"""What a module leaves in OpenSSL's error queue is not taken for a failure of TLS."""

import _ssl
import ctypes

from hsm.module import load_module
from tests.support.softhsm import SoftHsm


def test_a_restart_of_the_module_leaves_no_error_of_openssl_behind(softhsm: SoftHsm) -> None:
    openssl = ctypes.CDLL(_ssl.__file__)
    openssl.ERR_clear_error()
    softhsm.store.activate()
    load_module(softhsm.store.module).restart()

    assert openssl.ERR_peek_error() == 0
