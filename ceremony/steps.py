"""Doing a step: each looks first at what is there, so a step that was broken off is done again."""

from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_crl

from ca.hierarchy import IssuerRecord, PlannedIssuer, run_ceremony
from ca.identifiers import IssuerName
from ca.issuers import current_issuer, find_issuer
from ca.key_quality import key_type
from ca.names import SubjectName
from ca.profiles import load_profile
from ceremony.custodians import join_pin, new_pin, officer_pin, split_pin
from ceremony.custody import BY_DEVICE, Custody
from ceremony.errors import Conflict
from ceremony.facts import (
    Certified,
    Closed,
    CrlSigned,
    Installed,
    KeyTested,
    ParentThere,
    Present,
    Requested,
    SplitDone,
    TokenThere,
    public_facts,
    sign_text,
    test_statement,
    verify_text,
)
from ceremony.journal import Journal
from ceremony.parents import await_certificate, install, open_parent, send_request
from ceremony.people import People, ask_new, gather_pin
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
from ceremony.site import Site
from hsm.checks import check_stays_inside
from hsm.errors import PinRejected
from hsm.key_kinds import KeyKind
from hsm.token import Token
from revocation.crl_issue import issue_crl
from revocation.publication import CrlDue, CrlRecord, CrlScope, IssuingKey, crl_is_due

Made = TokenThere | KeyTested | Certified | CrlSigned
Done = Present | SplitDone | Made | ParentThere | Requested | Installed | Closed


@dataclass(slots=True)
class Room:
    """The ceremony while it is held: script, people, site, and the PINs that are in memory."""

    script: Script
    binding: Binding
    site: Site
    people: People
    journal: Journal
    _pins: dict[str, str] = field(default_factory=dict, repr=False)
    _opened: set[str] = field(default_factory=set)

    def await_outside(self, step: Step) -> None:
        """See that what a step needs from elsewhere is there. Raises: Awaited."""
        if isinstance(step, Install):
            await_certificate(self, step)

    def perform(self, number: int, step: Step) -> Done:
        """Do a step, whatever was done of it before."""
        done: Done
        match step:
            case Attendance():
                done = self._attendance()
            case Split():
                done = self._split(number, step)
            case MakeToken():
                done = self._token(step)
            case MakeKey():
                done = self._key(step)
            case MakeIssuer() | OpenParent() | Install():
                done = self._authority(step)
            case MakeCrl():
                done = self._crl(step)
            case Closing():
                done = self._closing()
        return done

    def _attendance(self) -> Present:
        now = self.journal.now()
        self.people.tell(f"This machine says it is {now:%Y-%m-%d %H:%M:%S} UTC: compare a clock.")
        present: dict[str, tuple[str, ...]] = {}
        for role, number in self.script.roles.items():
            names: list[str] = []
            for count in range(1, number.of + 1):
                taken = [name for those in (*present.values(), names) for name in those]
                question = f"Name of {role} {count}:"
                optional = count > number.needed
                question += " (empty: not here)" * optional
                names.append(ask_new(self.people, question, taken, optional=optional))
            present[role] = tuple(filter(None, names))
        return Present("attendance", present)

    # --- The PIN and the token ------------------------------------------------------------------

    def _split(self, number: int, step: Split) -> SplitDone:
        bound = self.binding.token[step.token]
        if bound.pin != "custodians":
            how = "its file" if bound.pin == "file" else "the device's own scheme"
            return SplitDone("split", step.token, f"not split: the binding keeps the PIN by {how}")
        custody = self.site.tokens.custody(bound.label)
        if custody is None:
            custody = self._hand_out(number, step, bound)
        if custody.by_device:
            raise Conflict(self.script.name, f"the device asks for the PIN of {bound.label} itself")
        identifier, names = self._last_set(number)
        here = identifier == custody.identifier
        return SplitDone(
            do="split",
            token=step.token,
            outcome="split" if here else "was split before this ceremony",
            threshold=custody.threshold,
            shares=custody.shares,
            identifier=custody.identifier,
            custodians=tuple(names) if here else (),
        )

    def _hand_out(self, number: int, step: Split, bound: Bound) -> Custody:
        tokens = self.site.tokens
        if tokens.makes_tokens and tokens.is_present(bound.label):
            raise Conflict(self.script.name, f"token {bound.label} is there with a PIN of its own")
        if self._last_set(number)[0] is not None:
            void = "Handing out of shares was broken off: those shown before are void, destroy them"
            self.journal.append("deviation", step=number, text=void)
            self.people.tell(f"{void}.")
        pin = new_pin()
        custody, shares = split_pin(pin, step.threshold, step.shares)
        if join_pin(shares[-step.threshold :]) != pin:
            raise Conflict(self.script.name, "the shares do not make the PIN")
        self.journal.append("set", step=number, identifier=custody.identifier)
        names: list[str] = []
        for count, share in enumerate(shares, 1):
            names.append(ask_new(self.people, f"Name of custodian {count}:", names))
            heading = f"Share {count} of {step.shares} of token {step.token}, for {names[-1]}"
            self.people.hand_out(names[-1], heading, share)
            self.journal.append("handed", step=number, name=names[-1])
        self._pins[bound.label] = pin
        custody = replace(custody, in_force=tokens.makes_tokens)
        tokens.keep_custody(bound.label, custody)
        return custody

    def _last_set(self, number: int) -> tuple[int | None, list[str]]:
        """The last set of shares that this step began to hand out, and who got one."""
        identifier, names = None, list[str]()
        for entry in self.journal.entries:
            if entry.get("step") == number and entry["kind"] == "set":
                identifier, names = int(entry["identifier"]), []
            elif entry.get("step") == number and entry["kind"] == "handed":
                names.append(str(entry["name"]))
        return identifier, names

    def _token(self, step: MakeToken) -> TokenThere:
        bound = self.binding.token[step.token]
        tokens = self.site.tokens
        made = not tokens.is_present(bound.label)
        if made:
            pin = self._pin(step.token, bound) if bound.pin == "custodians" else None
            tokens.create(bound.label, (officer_pin(pin, bound.label), pin) if pin else None)
        device = self.open(step.token).device()
        return TokenThere("token", step.token, bound.label, device, bound.pin, made)

    def open(self, name: str) -> Token:
        """The open token that plays this part; its PIN comes from where the binding says."""
        bound = self.binding.token[name]
        tokens = self.site.tokens
        if bound.label not in self._opened:
            if bound.pin == "module":
                tokens.use_pin_pad(bound.label)
                tokens.open(bound.label)
                tokens.keep_custody(bound.label, BY_DEVICE)
            if bound.pin == "custodians":
                self._unlock(name, bound)
            self._opened.add(bound.label)
        return tokens.open(bound.label)

    def _unlock(self, name: str, bound: Bound) -> None:
        """Open a token with the custodians' PIN, which a token made elsewhere is given first."""
        pin = self._pin(name, bound)
        custody = self._custody(bound)
        if not custody.in_force:
            first = self.people.secret(f"PIN that token {bound.label} was made with:")
            self.site.tokens.unlock(bound.label, first)
            try:
                token = self.site.tokens.open(bound.label)
            except PinRejected:
                # A run that was broken off may have changed it already.
                self.people.tell("The token does not take it; trying the custodians' PIN.")
            else:
                token.change_pin(first, pin)
        self.site.tokens.unlock(bound.label, pin)
        self.site.tokens.open(bound.label)
        if not custody.in_force:
            self.site.tokens.keep_custody(bound.label, replace(custody, in_force=True))

    def _pin(self, name: str, bound: Bound) -> str:
        if bound.label not in self._pins:
            self._pins[bound.label] = gather_pin(self.people, name, self._custody(bound))
        return self._pins[bound.label]

    def _custody(self, bound: Bound) -> Custody:
        custody = self.site.tokens.custody(bound.label)
        if custody is None:
            raise Conflict(self.script.name, f"no custodians hold the PIN of token {bound.label}")
        return custody

    # --- Keys and what they sign ----------------------------------------------------------------

    def _key(self, step: MakeKey) -> KeyTested:
        token = self.open(step.token)
        made = not token.has_key(step.label)
        if made:
            token.generate_key(step.label, KeyKind(step.type))
        (facts,) = [each for each in token.key_facts() if each.label == step.label]
        check_stays_inside(facts)
        key = token.private_key(step.label)
        kind = key_type(key.public_key()) + "-PSS" * getattr(key, "pss", False)
        if kind != step.type:
            raise Conflict(self.script.name, f"key {step.label} is there, of type {kind}")
        pem, digest = public_facts(key.public_key())
        statement = test_statement(self.script.name, step.label, digest)
        signature = sign_text(key, statement)
        verify_text(key.public_key(), signature, statement)
        return KeyTested(
            do="key",
            token=step.token,
            label=step.label,
            type=kind,
            attributes=facts.attributes,
            public_key=pem,
            sha256=digest,
            signature=signature,
            made=made,
        )

    def _authority(
        self, step: MakeIssuer | OpenParent | Install
    ) -> Certified | ParentThere | Requested | Installed:
        match step:
            case OpenParent():
                return open_parent(self, step)
            case Install():
                return install(self, step)
        return send_request(self, step) if step.do == "request" else self._issuer(step)

    def _issuer(self, step: MakeIssuer) -> Certified:
        parent = step.parent or step.issuer
        self.open_for(parent)
        self.open_for(step.issuer)
        planned = self.planned(step, IssuerName(parent))
        site = self.site
        stores = (site.issuers, site.certificates)
        told = list(
            run_ceremony((planned,), site.base_url, stores, site.tokens, self.journal.now())
        )
        record = self.record(step.issuer)
        certificate = record.certificate
        if certificate is None:
            raise Conflict(self.script.name, f"issuer {step.issuer} got no certificate")
        return Certified(
            do="root" if step.parent is None else "issuing",
            issuer=step.issuer,
            parent=parent,
            key=step.key,
            certificate=certificate.public_bytes(Encoding.PEM).decode(),
            sha256=certificate.fingerprint(hashes.SHA256()).hex(),
            made=any("issued" in one.done for one in told),
        )

    def planned(self, step: MakeIssuer, parent: IssuerName | None) -> PlannedIssuer:
        """The issuer of a step as `ca.hierarchy` makes it."""
        key = self._key_of(step.issuer)
        return PlannedIssuer(
            IssuerName(step.issuer),
            parent,
            load_profile(step.profile),
            SubjectName.of(step.subject.items()),
            self.binding.token[key.token].label,
            key.label,
            None,
            within_parent=True,
        )

    def _crl(self, step: MakeCrl) -> CrlSigned:
        record = self.record(step.issuer)
        name, policy = record.name, self.site.crl_policy(record)
        heading = self.site.crls.crl_heading(CrlScope(name))
        due = crl_is_due(heading, self.journal.now(), policy, published=True)
        latest = heading.latest
        if due is not None or latest is None:
            self.open_for(step.issuer)
            key = self.site.tokens.find(record.token, record.key_label)
            if key is None or record.certificate is None:
                raise Conflict(self.script.name, f"issuer {name} has no key that signs a CRL")
            issuing = IssuingKey(name, record.certificate, key)
            latest = issue_crl(self.site.crls, issuing, self.journal.now(), policy)
        return _crl_facts(step.issuer, latest, self.site.crls.whole(name), due)

    def _closing(self) -> Closed:
        for entry in self.journal.of("done"):
            facts = entry["facts"]
            if facts["do"] not in ("root", "issuing", "install"):
                continue
            certificate = self.record(facts["issuer"]).certificate
            digest = certificate and certificate.fingerprint(hashes.SHA256()).hex()
            if digest != facts["sha256"]:
                why = f"issuer {facts['issuer']} has another certificate than was made here"
                raise Conflict(self.script.name, why)
            self.people.tell(
                f"Issuer {facts['issuer']}, SHA-256:",
                "  " + bytes.fromhex(facts["sha256"]).hex(":").upper(),
            )
        return Closed("closing")

    def _key_of(self, issuer: str) -> MakeKey:
        steps = self.script.step
        labels = {step.issuer: step.key for step in steps if isinstance(step, MakeIssuer)}
        keys = {step.label: step for step in steps if isinstance(step, MakeKey)}
        return keys[labels[issuer]]

    def open_for(self, issuer: str) -> None:
        """Open the token of an issuer of the script."""
        self.open(self._parents.get(issuer) or self._key_of(issuer).token)

    def record(self, issuer: str) -> IssuerRecord:
        """An issuer of the script as it stands; of an authority that was there, its present one."""
        records = self.site.issuers.all()
        find = current_issuer if issuer in self._parents else find_issuer
        record = find(records, issuer)
        if record is None:
            raise Conflict(self.script.name, f"there is no issuer {issuer}")
        return record

    @property
    def _parents(self) -> dict[str, str]:
        """Authorities that were there before, and their tokens."""
        return {s.issuer: s.token for s in self.script.step if isinstance(s, OpenParent)}


def _crl_facts(issuer: str, record: CrlRecord, octets: bytes, due: CrlDue | None) -> CrlSigned:
    crl = load_der_x509_crl(octets)
    return CrlSigned(
        do="crl",
        issuer=issuer,
        number=record.number,
        next_update=record.next_update.isoformat(),
        crl=crl.public_bytes(Encoding.PEM).decode(),
        sha256=record.sha256.hex(),
        made=due is not None,
    )
