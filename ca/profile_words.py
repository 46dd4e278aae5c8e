"""Profiles in sentences: what a certificate holds, and what a change means to holders."""

from dataclasses import dataclass

from ca.errors import Refused
from ca.names import SubjectName
from ca.profiles import Profile
from ca.qualified import Qualified

_ATTRIBUTES = {
    "C": ("country", "DK"),
    "O": ("organisation", "Havn & Søn A/S"),
    "OU": ("organisational unit", "Registration"),
    "GN": ("given name", "Åse"),
    "SN": ("surname", "Ødegaard"),
    "CN": ("common name", "Åse Ødegaard"),
    "serialNumber": ("identifier of the subject", "UI:DK-E:G:7"),
    "pseudonym": ("pseudonym", "officer-7"),
    "organizationIdentifier": ("identifier of the organisation", "NTRDK-12345674"),
}
_USAGES = {
    "digital_signature": "authenticate and sign",
    "content_commitment": "commit to what is signed (electronic signature or seal)",
    "key_encipherment": "decrypt keys",
    "data_encipherment": "decrypt data",
    "key_agreement": "agree on keys",
    "key_cert_sign": "sign certificates",
    "crl_sign": "sign revocation lists",
}
_PURPOSES = {
    "server_auth": "TLS servers",
    "client_auth": "TLS clients",
    "email_protection": "e-mail",
    "code_signing": "code",
    "ocsp_signing": "OCSP answers",
}
_WORDS = {2: "two", 3: "three", 4: "four", 5: "five"}
_TYPES = {"esign": "for signatures", "eseal": "for seals", "web": "of a web site"}


@dataclass(frozen=True, slots=True)
class Example:
    """A name under a profile, and what is said of one that is not: the name and the reason."""

    subject: str
    counter_subject: str
    reason: str


def sentences(profile: Profile) -> dict[str, str]:
    """The profile by topic, one sentence each."""
    return {
        "for": f"{profile.description}.",
        "name": f"The name holds {_listed([_attribute(a) for a in profile.subject])}."
        + _alternative_names(profile),
        "keys": f"The key is {_listed(profile.key_types, 'or')}; {_reuse(profile)}.",
        "validity": _validity(profile),
        "use": _use(profile),
        "status": _status(profile),
        "policy": f"It names the policies {_listed(profile.policy_oids)}."
        if profile.policy_oids
        else "It names no policy.",
        "claims": _claims(profile.qualified),
        "approval": _approval(profile),
    }


def example(profile: Profile) -> Example:
    """A name that the profile takes and one that it refuses, with the refusal's own words."""
    pairs = [(a.removesuffix("?"), _ATTRIBUTES[a.removesuffix("?")][1]) for a in profile.subject]
    # One attribute too many is refused under every profile, whatever it lists.
    other, reason = [pairs[-1], *pairs], ""
    try:
        profile.check_subject(SubjectName.of(other))
    except Refused as refused:
        reason = refused.findings[0].sentence
    return Example(_written(pairs), _written(other), reason)


def differences(before: Profile, after: Profile) -> list[str]:
    """What changes for holders from one profile to the other, one sentence a topic."""
    old, new = sentences(before), sentences(after)
    return [f"{old[topic]} -> {new[topic]}" for topic in old if old[topic] != new[topic]]


def _validity(profile: Profile) -> str:
    because = f": {profile.validity_reason}" if profile.validity_reason else ""
    return f"It is valid for {profile.validity_days} days{because}."


def _attribute(attribute: str) -> str:
    name = attribute.removesuffix("?")
    return f"{_ATTRIBUTES[name][0]} ({name}{', optional' if attribute.endswith('?') else ''})"


def _alternative_names(profile: Profile) -> str:
    kinds = ["hosts"] * profile.host_names + ["e-mail addresses"] * profile.email_addresses
    return f" Beside it stand {_listed(kinds)} (subjectAltName)." if kinds else ""


def _reuse(profile: Profile) -> str:
    return "a renewal may keep it" if profile.reuse_key else "a renewal needs a new one"


def _use(profile: Profile) -> str:
    use = f"Its key may {_listed([_USAGES[usage] for usage in profile.key_usage])}"
    if profile.extended_key_usage:
        use += f", for {_listed([_PURPOSES[p] for p in profile.extended_key_usage])} only"
    if not profile.certificate_authority:
        return f"{use}."
    below = "any number of" if profile.path_length is None else str(profile.path_length)
    return f"{use}; {below} certificate authorities may stand below it.{_bounds(profile)}"


def _bounds(profile: Profile) -> str:
    """What a certificate authority is held to, as a further sentence for each."""
    said = ""
    if profile.permitted_names:
        said += f" What it certifies stays within {_listed(profile.permitted_names, 'or')}."
    if profile.excluded_names:
        said += f" It certifies nothing within {_listed(profile.excluded_names, 'or')}."
    if profile.require_explicit_policy is not None:
        said += " A path through it needs one of its policies"
        said += f" from {profile.require_explicit_policy} certificates below it on."
    return said


def _status(profile: Profile) -> str:
    if profile.ocsp_no_check:
        return "Its status is not asked for: it lives too short for that."
    if not profile.status_urls:
        return "It does not say where its status is found."
    hold = " It can be put on hold and returned." if profile.hold else ""
    return f"Its status is found in the CRL{' and by OCSP' if profile.ocsp_url else ''}.{hold}"


def _approval(profile: Profile) -> str:
    if profile.names_person:
        level = (profile.assurance_level or "").capitalize()
        return (
            "It names a person: it is issued only from an application at level"
            f" {level} that {_officers(profile.approvals_demanded + 1)} have approved."
            f" The relation rests on a {profile.agreement or 'contract'}."
        )
    if profile.approvals == 1:
        return "It is issued only when an approving officer signed for it."
    if profile.approvals:
        return f"It is issued only when {_officers(profile.approvals)} signed for it."
    return "It names no person, so no application has to be approved."


def _officers(count: int) -> str:
    return f"{_WORDS.get(count, count)} officers"


def _claims(qualified: Qualified | None) -> str:
    if qualified is None:
        return "It claims nothing about its standing in law (QCStatements)."
    where = f"the law of {_listed(qualified.countries)}" if qualified.countries else "EU law"
    kind = "" if qualified.type is None else f" {_TYPES[qualified.type]}"
    said = [f"a qualified certificate{kind} under {where}"] * qualified.compliance
    said += [f"one{kind}"] * (bool(kind) and not qualified.compliance)
    said += ["one whose private key is in a qualified device"] * qualified.sscd
    if qualified.retention_years is not None:
        said.append(f"one whose records are kept {qualified.retention_years} years longer")
    if qualified.semantics is not None:
        said.append(f"one that identifies a {qualified.semantics} person as EN 319 412-1 does")
    said += [f"one that {place[3:]} explains ({place[:2]})" for place in qualified.disclosure]
    return f"It claims to be {_listed(said)}."


def _written(pairs: list[tuple[str, str]]) -> str:
    return ", ".join(f"{attribute}={value}" for attribute, value in pairs)


def _listed(words: tuple[str, ...] | list[str], last: str = "and") -> str:
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end
