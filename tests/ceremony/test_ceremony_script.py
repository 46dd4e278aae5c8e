"""Scripts and bindings: the template holds, and every fault is told at once, with its line."""

import re

import pytest

from ceremony.checks import check_binding, read_script
from ceremony.errors import Fault, ScriptFaulty
from ceremony.script import read_binding, rehearsed, template_text
from ceremony.words import people, sentence
from tests.support.ceremonies import a_binding

TEMPLATE = template_text()


def faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(ScriptFaulty) as refused:
        read_script(text.encode(), "script.toml")
    return refused.value.faults


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_the_template_is_a_script_without_faults() -> None:
    script = read_script(TEMPLATE.encode(), "template").script
    assert [step.do for step in script.step][-1] == "closing"
    assert people(script)[0] == "administrator: 1"


def test_a_script_is_told_in_words_with_the_device_that_the_binding_names() -> None:
    script = read_script(TEMPLATE.encode(), "template").script
    bound = read_binding(a_binding().encode(), "binding").binding
    said = [sentence(step, bound) for step in script.step]
    assert "split into 3 shares, of which 2 are needed" in said[1]
    assert bound.token["root"].label in said[2]
    assert len(said) == len(script.step)


def test_every_fault_of_shape_is_told_at_once_with_its_line() -> None:
    text = (
        TEMPLATE.replace("threshold = 2 ", 'threshold = "two" ')
        .replace('type = "EC-P384"', 'type = "EC-P999"')
        .replace('do = "closing"', 'do = "closing"\ncolour = "red"')
        .replace('name = "first"', 'name = "First One"')
    )
    found = {(fault.line, fault.key) for fault in faults(text)}
    assert found == {
        (line_of(text, 'name = "First'), "name"),
        (line_of(text, "threshold = "), "step.2.threshold"),
        (line_of(text, "EC-P999"), "step.5.type"),
        (line_of(text, "colour"), "step.10.colour"),
    }


def test_an_unknown_table_and_a_missing_key_are_told() -> None:
    text = TEMPLATE.replace(
        'issuer = "root"\n\n[[step]]\ndo = "closing"', '[[step]]\ndo = "closing"'
    )
    text += "\n[extra]\na = 1\n"
    found = {(fault.key, fault.problem) for fault in faults(text)}
    assert found == {("extra", "is not a key here"), ("step.9.issuer", "is missing")}


def test_what_is_no_toml_is_told_with_its_line() -> None:
    (fault,) = faults('name = "first"\ntitle = \n')
    assert fault.line == 2


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ("threshold = 2 ", "threshold = 4 ", "step.2.threshold", "more than there are shares"),
        ("needed = 2, of = 3", "needed = 4, of = 3", "roles.witness", "more people"),
        ("witnesses = 1", "witnesses = 3", "step.2.witnesses", "more than have to be there"),
        ('label = "issuing-ca"', 'label = "root-ca"', "step.7.label", "made twice"),
        ('parent = "root"', 'parent = "other"', "step.8.parent", "makes issuer other"),
        ('key = "root-ca"', 'key = "other"', "step.6.key", "makes key other"),
        ('profile = "issuing"', 'profile = "staff"', "step.8.profile", "not for a certificate"),
        ('profile = "issuing"', 'profile = "none"', "step.8.profile", "no profile none"),
        ('type = "EC-P256"', 'type = "RSA-2048"', "step.8.key", "RSA-2048 is not a key"),
        ('C = "DK", O', 'C = "Denmark", O', "step.6.subject", "not an ISO 3166 code"),
        ('do = "attendance"', 'do = "closing"', "step.1.do", "not the last"),
        ('[[step]]\ndo = "closing"', '[[step]]\ndo = "attendance"', "step", "end with closing"),
        ("Example Root CA", "E" * 60, "step.6.subject", "REHEARSAL"),
        ('token = "issuing"\n\n', 'token = "root"\n\n', "step.4.token", "made twice"),
        ('label = "issuing-ca"', 'label = "audit"', "step.7.label", "of the audit log"),
        ('label = "issuing-ca"', 'label = "ocsp-issuing"', "step.7.label", "of OCSP answers"),
        ('key = "issuing-ca"', 'key = "root-ca"', "step.8.key", "is that of issuer root"),
        ("Example Issuing CA", "Example root CA", "step.8.subject", "the name of issuer root"),
        ('profile = "root"', 'profile = "issuing"', "step.8.parent", "leaves no room for it"),
    ],
)
def test_what_steps_say_against_each_other_is_told(
    old: str, new: str, key: str, problem: str
) -> None:
    assert old in TEMPLATE
    found = faults(TEMPLATE.replace(old, new, 1))
    assert any(fault.key == key and problem in fault.problem for fault in found), found
    assert all(fault.way_out.endswith((".", "].")) or fault.way_out for fault in found)


@pytest.mark.parametrize(
    ("steps", "key", "problem"),
    [
        ([("install", "a")], "step.1.issuer", "sends a request of issuer a"),
        ([("parent", "a"), ("parent", "a")], "step.2.issuer", "is made here already"),
        ([("request", "a"), ("crl", "a")], "step.2.issuer", "makes issuer a"),
        ([("request", "a"), ("install", "a"), ("install", "a")], "step.3.issuer", "certificate"),
        ([("parent", "a"), ("install", "a")], "step.2.issuer", "sends a request"),
    ],
)
def test_what_steps_about_authorities_from_elsewhere_say_against_each_other_is_told(
    steps: list[tuple[str, str]], key: str, problem: str
) -> None:
    more = {
        "parent": 'token = "t"\n',
        "request": 'key = "k"\nprofile = "issuing"\n'
        'subject = { C = "DK", O = "Example", CN = "Example" }\n',
    }
    text = 'name = "first"\ntitle = "First"\n' + "".join(
        f'[[step]]\ndo = "{do}"\nissuer = "{issuer}"\n{more.get(do, "")}' for do, issuer in steps
    )
    found = faults(text + '[[step]]\ndo = "closing"\n')
    assert any(fault.key == key and problem in fault.problem for fault in found), found


def test_a_pin_is_split_before_its_token_is_made() -> None:
    step = '[[step]]\ndo = "token"\ntoken = "root"\n'
    text = TEMPLATE.replace(step, "", 1).replace(
        '[[step]]\ndo = "split"', f'{step}\n[[step]]\ndo = "split"'
    )
    assert any("before its PIN is split" in fault.problem for fault in faults(text))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[token.issuing]", "[token.other]", "is of the script and not bound"),
        ("[token.issuing]", "[token.other]", "is not a token of the script"),
        ('pin = "file"', 'pin = "custodians"', "no step splits it"),
    ],
)
def test_a_binding_that_does_not_fit_the_script_is_told(old: str, new: str, problem: str) -> None:
    script = read_script(TEMPLATE.encode(), "template").script
    bound = read_binding(a_binding().replace(old, new).encode(), "binding.toml")
    with pytest.raises(ScriptFaulty) as refused:
        check_binding(script, bound)
    assert any(problem in fault.problem for fault in refused.value.faults)


def test_one_device_does_not_play_two_tokens() -> None:
    script = read_script(TEMPLATE.encode(), "template").script
    text = a_binding().replace("ceremony-issuing", "ceremony-root")
    with pytest.raises(ScriptFaulty) as refused:
        check_binding(script, read_binding(text.encode(), "binding.toml"))
    assert {fault.problem for fault in refused.value.faults} == {"plays two tokens"}


@pytest.mark.parametrize("label", ["Luna Root", "Røde Ør", "pkcs11:token=Luna%20Root;serial=1f"])
def test_a_device_is_named_as_in_the_settings(label: str) -> None:
    script = read_script(TEMPLATE.encode(), "template").script
    bound = read_binding(
        re.sub("ceremony-root-[0-9]+", label, a_binding()).encode(), "binding.toml"
    )
    check_binding(script, bound)
    assert label in sentence(script.step[2], bound.binding)


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("", "at least 1 character"),
        ("a" * 33, "is longer than 32 octets"),
        ("ø" * 17, "is longer than 32 octets"),
        ("pkcs11:object=a", "is no PKCS#11 URI of a token"),
        ("pkcs11:token=a;colour=red", "is no PKCS#11 URI of a token"),
    ],
)
def test_a_device_that_no_token_can_be_called_is_a_fault(label: str, problem: str) -> None:
    with pytest.raises(ScriptFaulty) as refused:
        read_binding(f'[token.root]\nlabel = "{label}"\npin = "file"\n'.encode(), "binding.toml")
    (fault,) = refused.value.faults
    assert (fault.line, fault.key) == (2, "token.root.label")
    assert problem in fault.problem


def test_one_device_does_not_play_two_tokens_under_two_names() -> None:
    script = read_script(TEMPLATE.encode(), "template").script
    text = "".join(
        f'[token.{name}]\nlabel = "{label}"\npin = "file"\n'
        for name, label in (("root", "Luna Root"), ("issuing", "pkcs11:token=Luna%20Root"))
    )
    with pytest.raises(ScriptFaulty) as refused:
        check_binding(script, read_binding(text.encode(), "binding.toml"))
    assert {fault.problem for fault in refused.value.faults} == {"plays two tokens"}


def test_a_binding_with_a_pin_in_it_is_refused_as_any_unknown_key() -> None:
    with pytest.raises(ScriptFaulty) as refused:
        read_binding(b'[token.root]\nlabel = "a"\npin = "1234"\n', "binding.toml")
    assert "1234" not in str([fault.problem for fault in refused.value.faults])


def test_the_issuers_of_a_rehearsal_are_named_so() -> None:
    script = rehearsed(read_script(TEMPLATE.encode(), "template").script)
    names = [step.subject["CN"] for step in script.step if hasattr(step, "subject")]
    assert names == ["Example Root CA REHEARSAL", "Example Issuing CA REHEARSAL"]
    assert script.title.startswith("REHEARSAL of")
