"""Parents that no step makes: a root that custodians hold, and a foreign authority."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.errors import Refused
from ceremony.conduct import Papers, hold
from ceremony.custodians import join_pin
from ceremony.errors import Awaited, Conflict
from ceremony.script import read_binding, template_text
from ceremony.transcript import JSON_FILE, TEXT_FILE, Written, read_transcript
from ceremony.verify import verify_transcript
from hsm.errors import TokenLocked
from server.assembly import Assembly
from server.authorities import rekey_authority
from server.ceremony import ceremonies, let_be_seen, site_of
from server.clock import utc_now
from server.rehearsal_authorities import foreign_authority
from server.tokens import Tokens
from tests.support.ceremonies import Crew, a_binding, an_empty_installation, papers
from tests.support.command_line import tillid
from tests.support.relying_parties import openssl_verify
from tests.support.softhsm import SoftHsm

_CHILD = """
[[step]]
do = "token"
token = "issuing"

[[step]]
do = "key"
token = "issuing"
label = "servers-ca"
type = "EC-P256"
"""
_SUBJECT = """
issuer = "servers"
key = "servers-ca"
profile = "issuing"
subject = { C = "DK", O = "Example CA", CN = "Example Servers CA" }
"""
UNDER_THE_ROOT = f"""
name = "second"
title = "A further authority under the root"

[roles]
witness = {{ needed = 1, of = 1 }}

[[step]]
do = "attendance"

[[step]]
do = "parent"
issuer = "root"
token = "root"
witnesses = 1
{_CHILD}
[[step]]
do = "issuing"
parent = "root"
{_SUBJECT}
[[step]]
do = "crl"
issuer = "root"

[[step]]
do = "closing"
"""
BY_A_FOREIGN_ROOT = f"""
name = "foreign"
title = "An authority that another one certifies"
{_CHILD}
[[step]]
do = "request"
{_SUBJECT}
[[step]]
do = "install"
issuer = "servers"

[[step]]
do = "crl"
issuer = "servers"

[[step]]
do = "closing"
"""


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Assembly]:
    with an_empty_installation(softhsm, tmp_path / "state") as made:
        yield made


@pytest.fixture
def first(parts: Assembly) -> tuple[Papers, Crew]:
    """The ceremony that made the root, and the custodians who hold its PIN since."""
    of, crew = papers(), Crew()
    held(parts, of, crew)
    return of, crew


def held(parts: Assembly, of: Papers, crew: Crew | None = None) -> Written:
    return hold(of, site_of(parts), crew or Crew())


def years_later(parts: Assembly) -> Assembly:
    """The parts as another process has them: nothing unlocked, nothing remembered."""
    return dataclasses.replace(parts, tokens=Tokens(parts.settings.hsm))


def under_the_root(first: Papers, root: str = "root") -> Papers:
    """The second script, where the token of the first one's root plays the root."""
    other = a_binding().partition("\n\n")[2]
    label = first.binding.binding.token[root].label
    return papers(UNDER_THE_ROOT, f'[token.root]\nlabel = "{label}"\npin = "custodians"\n\n{other}')


def faults(written: Path) -> list[str]:
    return [c.sentence for c in verify_transcript(written / JSON_FILE) if c.holds is False]


def test_custodians_open_their_root_and_it_certifies_the_next_authority(
    parts: Assembly, first: tuple[Papers, Crew], tmp_path: Path
) -> None:
    of, custodians = first
    later, crew = years_later(parts), Crew(shares=custodians.shares[1:])
    written = held(later, under_the_root(of), crew)
    root, servers = (parts.issuers.get(name).certificate for name in ("root", "servers"))
    assert root is not None
    assert servers is not None
    assert openssl_verify(tmp_path, [servers, root], utc_now()) == ""
    assert faults(written.folder) == []
    text = (written.folder / TEXT_FILE).read_text(encoding="utf-8")
    assert "Parent root in token root, made before this ceremony" in text
    assert "witnessed by" in text
    assert not [share for share in crew.shares if share in text]
    # What the custodians typed ends with the ceremony.
    with pytest.raises(TokenLocked):
        years_later(parts).tokens.open(of.binding.binding.token["root"].label)
    with pytest.raises(TokenLocked):
        later.tokens.open(of.binding.binding.token["root"].label)


@pytest.mark.slow
@pytest.mark.parametrize("question", range(1, 12))
def test_broken_off_at_any_question_the_custodians_are_asked_again_and_it_ends_the_same(
    parts: Assembly, first: tuple[Papers, Crew], question: int
) -> None:
    of, custodians = first
    second = under_the_root(of)
    with pytest.raises(KeyboardInterrupt):
        held(years_later(parts), second, Crew(shares=custodians.shares[1:], stop_at=question))
    written = held(years_later(parts), second, Crew(shares=custodians.shares[1:]))
    assert faults(written.folder) == []
    assert len(parts.certificates.find(profile="issuing", status="issued")) == 2


def test_a_root_that_has_a_new_key_since_signs_with_that_one(
    parts: Assembly, first: tuple[Papers, Crew], tmp_path: Path
) -> None:
    of, custodians = first
    later, label = years_later(parts), of.binding.binding.token["root"].label
    with later.tokens.online(label):
        later.tokens.unlock(label, join_pin(custodians.shares[1:]))
        list(rekey_authority(later, "root", None, utc_now()))
    crew = Crew(shares=custodians.shares[1:])
    written = held(years_later(parts), under_the_root(of), crew)
    root, servers = (parts.issuers.get(name).certificate for name in ("root-2", "servers"))
    assert root is not None
    assert servers is not None
    assert openssl_verify(tmp_path, [servers, root], utc_now()) == ""
    assert faults(written.folder) == []


@pytest.mark.parametrize("pin", ["file", "custodians"])
def test_issuers_are_seen_unless_custodians_hold_their_token(
    softhsm: SoftHsm, tmp_path: Path, pin: str
) -> None:
    root = a_binding(pin).partition("\n\n")[0]
    label = root.partition('label = "')[2].partition('"')[0]
    script = template_text().replace('[[step]]\ndo = "token"\ntoken = "issuing"\n', "")
    script = script.replace('token = "issuing"', 'token = "root"')
    state, environment = tmp_path / "of-one-token", {"TILLID_HSM__ROOT_TOKEN": label}
    with an_empty_installation(softhsm, state, **environment) as parts:
        held(parts, papers(script, root))
        done = [step.done for step in let_be_seen(parts, ["root", "issuing"], utc_now())]
    assert done == (["CRL issued", "OCSP signer certified"] if pin == "file" else [])


def test_a_token_that_a_uri_names_is_made_and_found_again(parts: Assembly) -> None:
    def named(binding: str) -> str:
        return binding.replace('label = "', 'label = "pkcs11:token=')

    of, crew = papers(binding=named(a_binding())), Crew()
    held(parts, of, crew)
    later = years_later(parts)
    other = named(a_binding()).partition("\n\n")[2]
    root = f'[token.root]\nlabel = "{of.binding.binding.token["root"].label}"\npin = "custodians"'
    held(later, papers(UNDER_THE_ROOT, f"{root}\n\n{other}"), crew)
    assert later.issuer("servers").certificate is not None


def test_a_parent_that_is_in_another_token_stops_the_ceremony(
    parts: Assembly, first: tuple[Papers, Crew]
) -> None:
    of, _ = first
    label = of.binding.binding.token["issuing"].label
    other = a_binding().partition("\n\n")[2]
    wrong = papers(UNDER_THE_ROOT, f'[token.root]\nlabel = "{label}"\npin = "file"\n\n{other}')
    with pytest.raises(Conflict, match="has its key in token"):
        held(years_later(parts), wrong)


def test_a_request_goes_out_in_one_session_and_the_certificate_comes_in_at_a_later_one(
    parts: Assembly, tmp_path: Path
) -> None:
    of = papers(BY_A_FOREIGN_ROOT, a_binding().partition("\n\n")[2])
    folder = ceremonies(parts.settings.state) / "foreign"
    with pytest.raises(Awaited) as waits:
        held(parts, of)
    assert waits.value.path == folder / "servers.pem"
    assert parts.issuers.get("servers").certificate is None
    with pytest.raises(Awaited):  # still not there; nothing is done twice
        held(years_later(parts), of)
    request = (folder / "servers.csr").read_bytes()
    other = x509.load_pem_x509_certificates(foreign_authority(request, utc_now()))
    waits.value.path.write_bytes(other[1].public_bytes(Encoding.PEM))  # the root in its place
    with pytest.raises(Refused):
        held(years_later(parts), of)
    assert parts.issuers.get("servers").certificate is None
    waits.value.path.write_bytes(foreign_authority(request, utc_now()))
    written = held(years_later(parts), of)
    record = parts.issuers.get("servers")
    assert record.certificate is not None
    assert openssl_verify(tmp_path, [record.certificate, *record.chain], utc_now()) == ""
    assert faults(written.folder) == []
    text = (written.folder / TEXT_FILE).read_text(encoding="utf-8")
    assert "Request of servers to a foreign authority" in text
    assert text.count("Gone on with   ") == 3
    signed, _ = read_transcript(written.folder / JSON_FILE)
    # To wait is no deviation; the certificate that was refused is one.
    assert [each.text for each in signed.transcript.deviations] == [
        "Begun before, broken off, and gone on with"
    ]
    entries = (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in entries].count("done") == 6


@pytest.mark.parametrize("script", [UNDER_THE_ROOT, BY_A_FOREIGN_ROOT], ids=["held", "foreign"])
def test_it_is_rehearsed_with_stand_ins_for_the_authorities_above(
    tmp_path: Path, script: str
) -> None:
    (tmp_path / "script.toml").write_text(script, encoding="utf-8")
    done = tillid("ceremony", "rehearse", "script.toml", "--unattended", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    assert faults(tmp_path / "rehearsal") == []
    signed, _ = read_transcript(tmp_path / "rehearsal" / JSON_FILE)
    assert signed.transcript.rehearsal
    assert signed.transcript.deviations == ()


def test_what_was_changed_of_a_parent_is_told(parts: Assembly, first: tuple[Papers, Crew]) -> None:
    of, custodians = first
    crew = Crew(shares=custodians.shares[1:])
    folder = held(years_later(parts), under_the_root(of), crew).folder
    told = changed(folder, '"key":"root-ca"', '"key":"root-cb"')
    assert any("its key signed a test" in sentence for sentence in told)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('"chain":"-----BEGIN', '"chain":"-----BEGUN', "the chain above it is whole"),
        ('"request":"-----BEGIN', '"request":"-----BEGUN', "Request of servers"),
        ('"key":"servers-ca"', '"key":"others-ca"', "Request of servers"),
    ],
)
def test_what_was_changed_of_a_foreign_certificate_is_told(
    parts: Assembly, old: str, new: str, wanted: str
) -> None:
    of = papers(BY_A_FOREIGN_ROOT, a_binding().partition("\n\n")[2])
    site = dataclasses.replace(
        site_of(parts), foreign=lambda pem: foreign_authority(pem, utc_now())
    )
    told = changed(hold(of, site, Crew()).folder, old, new)
    assert any(wanted in sentence for sentence in told)


def changed(folder: Path, old: str, new: str) -> list[str]:
    """What does not hold of a transcript after a change."""
    path = folder / JSON_FILE
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return faults(folder)


def test_a_binding_may_name_custodians_for_a_token_that_is_there(parts: Assembly) -> None:
    of = under_the_root(papers())
    assert of.binding.binding.token["root"].pin == "custodians"
    assert read_binding(of.binding.document.text.encode(), "again").binding == of.binding.binding
    with pytest.raises(Conflict, match="no issuer root"):
        held(parts, of)
