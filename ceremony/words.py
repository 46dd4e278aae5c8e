"""The script in sentences: what will happen, and what the administrator reads out."""

from collections.abc import Mapping

from ceremony.script import (
    Attendance,
    Binding,
    Bound,
    Closing,
    Install,
    MakeCrl,
    MakeIssuer,
    MakeKey,
    MakeToken,
    OpenParent,
    Script,
    Split,
    Step,
)

_PIN = {
    "custodians": "its PIN is put together by the custodians and is nowhere on disk",
    "file": "its PIN is random and lies in a file for the owner alone",
    "module": "its device asks for the PIN by itself",
}


def sentence(step: Step, binding: Binding | None = None) -> str:
    """What a step does; with the device where the binding says it."""
    bound = binding.token if binding else {}
    match step:
        case Attendance():
            said = "Everybody types their name, and compares the clock."
        case Split():
            said = _split(step, bound.get(step.token))
        case MakeToken():
            here = bound.get(step.token)
            known = f" (the device {here.label}; {_PIN[here.pin]})" if here else ""
            said = f"Token {step.token}{known} is made, or opened where it is there."
        case MakeKey():
            said = f"Key {step.label} ({step.type}) is made in token {step.token}, and tried."
        case MakeIssuer() | OpenParent() | Install():
            said = _authority(step, bound)
        case MakeCrl():
            said = f"A CRL of issuer {step.issuer} is signed, where one is due."
        case Closing():
            said = "What was made is read out and compared; the transcript is signed."
    return said


def _authority(step: MakeIssuer | OpenParent | Install, bound: Mapping[str, Bound]) -> str:
    match step:
        case OpenParent():
            here = bound.get(step.token)
            known = f" (the device {here.label}; {_PIN[here.pin]})" if here else ""
            return f"Token {step.token}{known} of issuer {step.issuer} is opened, its key tried."
        case Install():
            return f"The certificate of issuer {step.issuer}, once it is there, is installed."
    name = ", ".join(f"{attribute}={value}" for attribute, value in step.subject.items())
    by = {"root": "is certified by itself", "request": "asks a foreign authority"}
    how = by.get(step.do, f"is certified by {step.parent}")
    return f"Issuer {step.issuer} ({name}; key {step.key}) {how}."


def _split(step: Split, bound: Bound | None) -> str:
    if bound is not None and bound.pin != "custodians":
        return f"The PIN of token {step.token} is not split: the binding says so."
    return (
        f"A new PIN for token {step.token} is split into {step.shares} shares,"
        f" of which {step.threshold} are needed."
    )


def people(script: Script) -> list[str]:
    """Who has to be there."""
    return [
        f"{role}: {number.needed} of {number.of}" if number.of > 1 else f"{role}: 1"
        for role, number in script.roles.items()
    ]
