"""Errors carry the names of the standard's return values, not those of the library's classes."""

from pathlib import Path

import pkcs11

from hsm.failures import ckr_of
from hsm.module import meaning_of

NO_RETURN_VALUES = {
    "NoSuchKey",
    "NoSuchToken",
    "MultipleObjectsReturned",
    "MultipleTokensReturned",
}


def test_every_return_value_has_the_name_that_the_standard_gives_it() -> None:
    declared = (Path(pkcs11.__file__).parent / "_pkcs11.pxd").read_text()
    classes = {each.__name__: each for each in pkcs11.PKCS11Error.__subclasses__()}
    assert len(classes) > 60
    named = {name: ckr_of(each()) for name, each in classes.items()}
    assert {name for name, ckr in named.items() if not ckr} == NO_RETURN_VALUES
    assert [ckr for ckr in named.values() if ckr and f" {ckr}," not in declared] == []
    assert named["PinLenRange"] == "CKR_PIN_LEN_RANGE"


def test_an_unknown_return_value_is_said_as_it_came_and_none_is_not_said() -> None:
    assert ckr_of(pkcs11.PKCS11Error("Unmapped error code 0x80000001")).endswith("0x80000001")
    assert str(meaning_of(pkcs11.NoSuchKey(), "key")) == "no such key: key"
    assert "CKR_DEVICE_ERROR" in str(meaning_of(pkcs11.DeviceError(), "token"))
