"""What the parts of a script say against each other, and against the binding."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ca.errors import NotFound, ProfileFaulty, Refused
from ca.hierarchy import is_same_name
from ca.names import SubjectName
from ca.profiles import Profile, load_profile
from ceremony.errors import ScriptFaulty
from ceremony.script import (
    REHEARSAL,
    Attendance,
    Binding,
    BindingRead,
    Closing,
    Install,
    MakeCrl,
    MakeIssuer,
    MakeKey,
    MakeToken,
    OpenParent,
    Script,
    ScriptRead,
    Split,
    Step,
    placed,
    shape_faults,
)
from ceremony.toml_lines import Place, read_toml
from hsm.labels import why_not_for_authority
from hsm.uri import token_label

_Finding = tuple[Place, str, str]


def read_script(octets: bytes, source: str) -> ScriptRead:
    """Read a script.

    Raises:
        ScriptFaulty: with every fault. What steps say of each other is told only when each step
            is what it should be, so that one slip is not told five times.
    """
    document = read_toml(octets, source)
    script, faults = shape_faults(document, Script)
    if script is not None:
        faults = [placed(document, *found) for found in _findings(script)]
    if script is None or faults:
        raise ScriptFaulty(source, tuple(sorted(faults, key=lambda fault: fault.line)))
    return ScriptRead(document, script)


def check_binding(script: Script, bound: BindingRead) -> None:
    """Whether the binding fits the script. Raises: ScriptFaulty."""
    faults = [placed(bound.document, *found) for found in _binding_findings(script, bound.binding)]
    if faults:
        raise ScriptFaulty(bound.document.source, tuple(faults))


def _findings(script: Script) -> Iterator[_Finding]:
    yield from _people(script)
    yield from _frame(script)
    made: dict[str, dict[str, Step]] = {"token": {}, "key": {}, "issuer": {}, "certified": {}}
    for index, step in enumerate(script.step):
        for key, problem, way_out in _step(script, step, made):
            yield ("step", index, key), problem, way_out
        for kind, name in _made_by(step):
            made[kind][name] = step


def _made_by(step: Step) -> Iterator[tuple[str, str]]:
    """What there is after a step: a kind of thing, and the name that later steps call it by."""
    match step:
        case MakeToken():
            yield "token", step.token
        case MakeKey():
            yield "key", step.label
        case MakeIssuer():
            yield "issuer", step.issuer
            if step.do != "request":
                yield "certified", step.issuer
        case OpenParent():
            yield "token", step.token
            yield "issuer", step.issuer
            yield "certified", step.issuer
        case Install():
            yield "certified", step.issuer


def _people(script: Script) -> Iterator[_Finding]:
    for name, role in script.roles.items():
        if role.needed > role.of:
            yield ("roles", name), "needs more people than there are", "Make needed <= of."
    if script.roles and not any(isinstance(step, Attendance) for step in script.step):
        yield (
            ("roles",),
            "is given, but no step takes attendance",
            'Add [[step]] do = "attendance".',
        )


def _frame(script: Script) -> Iterator[_Finding]:
    kinds = [step.do for step in script.step]
    for index, step in enumerate(script.step):
        place: Place = ("step", index, "do")
        if isinstance(step, Attendance) and index:
            yield place, "attendance is not the first step", "Begin with it."
        if isinstance(step, Closing) and index != len(kinds) - 1:
            yield place, "closing is not the last step", "End with it."
    if "closing" not in kinds:
        yield ("step",), "does not end with closing", 'Add [[step]] do = "closing" at the end.'


_Said = tuple[str, str, str]


def _step(script: Script, step: Step, made: dict[str, dict[str, Any]]) -> Iterator[_Said]:
    witnesses = script.roles.get("witness")
    if step.witnesses > (witnesses.needed if witnesses else 0):
        yield "witnesses", "is more than have to be there", "Lower it, or raise roles.witness."
    match step:
        case Split():
            yield from _split(step, made)
        case MakeToken():
            if step.token in made["token"]:
                yield "token", f"token {step.token} is made twice", "Remove one of the steps."
        case MakeKey():
            yield from _key(step, made)
        case MakeIssuer():
            yield from _issuer(step, made)
        case OpenParent() | Install() | MakeCrl():
            yield from _of_issuers(step, made)


def _of_issuers(
    step: OpenParent | Install | MakeCrl, made: dict[str, dict[str, Any]]
) -> Iterator[_Said]:
    name = step.issuer
    if isinstance(step, OpenParent):
        if name in made["issuer"]:
            yield "issuer", f"issuer {name} is made here already", "Remove one of the steps."
    elif isinstance(step, MakeCrl):
        if name not in made["certified"]:
            yield "issuer", f"no step before it makes issuer {name}", "Put that step first."
    elif getattr(made["issuer"].get(name), "do", "") != "request":
        problem = f"no step before it sends a request of issuer {name}"
        yield "issuer", problem, 'Put [[step]] do = "request" first.'
    elif name in made["certified"]:
        yield "issuer", f"issuer {name} has its certificate", "Remove one of the steps."


def _split(step: Split, made: dict[str, dict[str, Any]]) -> Iterator[_Said]:
    if step.threshold > step.shares:
        yield "threshold", "is more than there are shares", "Make threshold <= shares."
    if step.token in made["token"]:
        # A token whose PIN was once on a disk has a PIN that was once on a disk.
        yield "token", f"token {step.token} is made before its PIN is split", "Split first."


def _key(step: MakeKey, made: dict[str, dict[str, Any]]) -> Iterator[_Said]:
    if step.token not in made["token"]:
        yield "token", f"no step before it makes token {step.token}", "Put that step first."
    if step.label in made["key"]:
        yield "label", f"key {step.label} is made twice", "Give it another label."
    if why := why_not_for_authority(step.label):
        yield "label", f"{step.label} {why}", "Give it another label."


def _issuer(step: MakeIssuer, made: dict[str, dict[str, Any]]) -> Iterator[_Said]:
    if step.issuer in made["issuer"]:
        yield "issuer", f"issuer {step.issuer} is made twice", "Give it another name."
    if step.do != "issuing" and step.parent is not None:
        kind = "a root" if step.do == "root" else "an issuer of a foreign authority"
        yield "parent", f"{kind} has no parent", "Remove it."
    if step.do == "issuing" and step.parent not in made["certified"]:
        yield "parent", f"no step before it makes issuer {step.parent}", "Put that step first."
    if step.key not in made["key"]:
        yield "key", f"no step before it makes key {step.key}", "Put that step first."
    try:
        profile = load_profile(step.profile)
    except (NotFound, ProfileFaulty):
        yield "profile", f"there is no profile {step.profile}", "See: tillid profile list."
        return
    yield from _under(step, profile, made["key"].get(step.key))
    for other in made["issuer"].values():
        if isinstance(other, MakeIssuer) and other.issuer != step.issuer:
            yield from _beside(step, profile, other)


def _beside(step: MakeIssuer, profile: Profile, other: MakeIssuer) -> Iterator[_Said]:
    """What an issuer has of another one before it that it may not have."""
    if step.key == other.key:
        yield "key", f"key {step.key} is that of issuer {other.issuer}", "Make another key."
    with suppress(Refused):
        names = (SubjectName.of(each.subject.items()).to_x509() for each in (step, other))
        if is_same_name(*names):
            yield "subject", f"is the name of issuer {other.issuer}", "Give it another CN."
    if step.parent == other.issuer and not _leaves_room(other.profile, profile):
        problem = f"the path length of {other.issuer} leaves no room for it (RFC 5280 4.2.1.9)"
        yield "parent", problem, "Take a parent with another profile."


def _leaves_room(above: str, profile: Profile) -> bool:
    """Whether an authority of the profile may stand under one of the profile named."""
    try:
        length = load_profile(above).path_length
    except (NotFound, ProfileFaulty):
        return True  # which is told of that one
    return length is None or (profile.path_length is not None and profile.path_length < length)


def _under(step: MakeIssuer, profile: Profile, key: MakeKey | None) -> Iterator[_Said]:
    if not profile.certificate_authority:
        yield "profile", f"{profile.name} is not for a certificate authority", "Take root, issuing."
    # How an RSA key signs is not the profile's.
    if key is not None and key.type.removesuffix("-PSS") not in profile.key_types:
        allowed = ", ".join(profile.key_types)
        yield "key", f"{key.type} is not a key of profile {profile.name}", f"It takes {allowed}."
    try:
        profile.check_subject(SubjectName.of(step.subject.items()))
    except Refused as refused:
        for finding in refused.findings:
            yield "subject", finding.sentence, f"{finding.way_out}."
        return
    try:
        SubjectName.of([("CN", step.subject["CN"] + REHEARSAL)])
    except (Refused, KeyError):
        problem = f"its CN leaves no room for{REHEARSAL} in a rehearsal"
        yield "subject", problem, "Shorten it to 54 characters."


def _binding_findings(script: Script, binding: Binding) -> Iterator[_Finding]:
    named = {step.token for step in script.step if isinstance(step, MakeToken | Split | OpenParent)}
    # The PIN of a token that is there was split when it was made.
    split = {step.token for step in script.step if isinstance(step, Split | OpenParent)}
    for name in sorted(named - binding.token.keys()):
        yield ("token", name), "is of the script and not bound", f"Add [token.{name}]."
    for name, bound in binding.token.items():
        if name not in named:
            yield ("token", name), "is not a token of the script", "Remove it."
        elif bound.pin == "custodians" and name not in split:
            way_out = "Add a split step before it, or say file or module."
            yield ("token", name, "pin"), "has custodians, and no step splits it", way_out
    labels = [token_label(bound.label) for bound in binding.token.values()]
    for name, bound in binding.token.items():
        if labels.count(token_label(bound.label)) > 1:
            yield ("token", name, "label"), "plays two tokens", "Give each its own."
