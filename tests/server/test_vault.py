"""The key store of an installation: its roots in real tokens, its job, its verbs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hsm.errors import KeyUnfit
from records.key_snapshots import probe
from records.sealing import SealOutcome
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.vault import SealPace, check_roots
from server.vault_tokens import VaultToken
from tests.support.imported_keys import import_wrapping_key
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.softhsm import SoftHsm

STANDBY = "vault-standby"


@pytest.fixture(scope="module")
def parts(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    softhsm.token(STANDBY)
    state = tmp_path_factory.mktemp("vault") / "state"
    with an_installation(softhsm, state, TILLID_HSM__VAULT_STANDBY=STANDBY) as made:
        yield made


@pytest.fixture
def tillid(
    parts: Assembly,
    softhsm: SoftHsm,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    environment = environment_of(softhsm, parts.settings.state)
    environment["TILLID_HSM__VAULT_STANDBY"] = STANDBY
    return Operator(environment, capsys, monkeypatch)


def epochs(parts: Assembly) -> list[set[int]]:
    facts = parts.vault.keys.facts()
    assert facts is not None
    return [token.epochs(facts.name) for token in parts.vault.keys.tokens]


def test_the_root_is_replaced_in_both_tokens_and_the_store_opens_with_either(
    parts: Assembly,
) -> None:
    keys = parts.vault.keys
    made = keys.make(3)
    parts.vault.seal(utc_now())
    keys.drop([made[0].ref])

    outcome = parts.vault.seal(utc_now())

    assert (outcome.began, outcome.complete) == (True, True)
    assert epochs(parts) == [{outcome.epoch}] * 2
    for path in parts.vault.snapshots.newest():
        for token in keys.tokens:
            assert probe(path, (token,)).epoch == outcome.epoch
    assert keys.open(made[0].ref) is None
    assert keys.open(made[1].ref) == made[1].key


def test_roots_never_leave_their_token_and_one_that_could_is_told(
    parts: Assembly, softhsm: SoftHsm
) -> None:
    parts.vault.keys.make()
    check_roots(parts.vault.keys)
    facts = parts.vault.keys.facts()
    assert facts is not None
    token = softhsm.token(STANDBY)
    generated = token.generate_wrapping_key("another")
    token.check_wrapping_key(generated.label)
    import_wrapping_key(token, f"vault-{facts.name}-90")

    with pytest.raises(KeyUnfit):
        check_roots(parts.vault.keys)
    with pytest.raises(KeyUnfit):
        VaultToken(STANDBY, lambda: token).make(facts.name, 90)

    token.destroy_key(f"vault-{facts.name}-90")


def test_the_job_lets_keys_die_at_once_and_seals_in_batches(parts: Assembly) -> None:
    keys, metrics = parts.vault.keys, Metrics.of_process()
    keys.make()
    run_job("seal-keys", parts, metrics)
    epoch = parts.vault.current_epoch()

    assert run_job("seal-keys", parts, metrics) == 0
    keys.drop([keys.make()[0].ref])
    assert run_job("seal-keys", parts, metrics) == 0
    assert parts.vault.current_epoch() == epoch  # within the hour


@pytest.mark.parametrize(
    ("elapsed", "dropped", "at_once", "is_time"),
    [
        (0.0, 0, False, False),
        (0.0, 1, False, False),
        (0.0, 1, True, True),
        (0.0, 0, True, False),
        (3600.0, 0, False, True),
    ],
)
def test_a_seal_waits_for_its_time_unless_each_is_sealed_at_once(
    elapsed: float, dropped: int, *, at_once: bool, is_time: bool
) -> None:
    pace = SealPace(3600.0, at_once)
    assert pace.is_time(1000.0, 0)
    pace.sealed(1000.0, SealOutcome(2))

    assert pace.is_time(1000.0 + elapsed, dropped) == is_time


def test_a_seal_that_failed_or_waits_is_tried_again_soon() -> None:
    pace = SealPace(3600.0, at_once=False)
    for outcome in (None, SealOutcome(2, waiting_for=("token",))):
        pace.sealed(1000.0, outcome)
        assert not pace.is_time(1010.0, 0)
        assert pace.is_time(1040.0, 0)


def test_the_verbs_show_seal_and_rotate(parts: Assembly, tillid: Operator) -> None:
    parts.vault.keys.make()
    parts.vault.seal(utc_now())
    shown = tillid("key", "show")
    assert (shown.code, shown.result["complete"], shown.result["waiting_for"]) == (0, True, [])
    assert len(shown.result["snapshots"]) == 2
    epoch = shown.result["epoch"]

    assert tillid("key", "rotate", "--dry-run").code == 0
    assert tillid("key", "show").result["epoch"] == epoch
    rotated = tillid("key", "rotate")
    assert (rotated.code, rotated.result["epoch"]) == (0, epoch + 1)

    parts.vault.keys.drop([parts.vault.keys.make()[0].ref])
    assert tillid("key", "seal", "--dry-run").result["due"] is True
    assert tillid("key", "seal").result["due"] is True
    sealed = tillid("key", "seal", "--now")
    assert (sealed.code, sealed.result["epoch"]) == (0, epoch + 2)
    assert tillid("key", "seal", "--now").result["began"] is False
    assert epochs(parts) == [{epoch + 2}] * 2


def test_a_token_that_is_still_named_is_not_written_off(tillid: Operator) -> None:
    assert tillid("key", "write-off", STANDBY, "--yes").code == 7
    assert tillid("key", "write-off", "never-there", "--yes").result["roots"] == 0


def test_the_doctor_tells_of_the_key_store_and_its_snapshots(
    parts: Assembly, tillid: Operator
) -> None:
    parts.vault.keys.make()
    parts.vault.seal(utc_now())
    findings = {each["check"]: each for each in tillid("doctor").result["findings"]}
    assert findings["key store"]["ok"]
    folders = [Path(path).parent for path in tillid("key", "show").result["snapshots"]]
    assert all(findings[f"snapshot in {folder.name}"]["ok"] for folder in folders)

    for path in folders[0].iterdir():
        path.unlink()
    findings = {each["check"]: each for each in tillid("doctor").result["findings"]}
    assert not findings[f"snapshot in {folders[0].name}"]["ok"]
    assert tillid("key", "seal", "--now").result["snapshots"] == 1
