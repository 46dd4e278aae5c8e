"""Fixtures that several packages' tests share."""

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from hsm.softhsm import SoftHsmStore
from tests.support.databases import database, databases, engine, postgres
from tests.support.pkcs11_shim import shim, shim_library
from tests.support.softhsm import SoftHsm

# How fast a machine is decides no test.
settings.register_profile("tillid", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tillid")

_TOGETHER = (
    "tests/conformance/",
    "tests/end_to_end/test_e2e_clients_agree.py",
    "tests/end_to_end/test_e2e_secrets.py",
    "tests/end_to_end/test_e2e_tour_erasure.py",
    "tests/records/test_attacks.py",
)
"""Folders and files whose tests share a part that takes long to make, and so one process."""

__all__ = ["database", "databases", "engine", "postgres", "shim", "shim_library", "softhsm"]


class _Scheduling(LoadScopeScheduling):
    """Tests of such a place go to one process, every other to whichever is free.

    The groups of pytest-xdist 3.8 itself are lost under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in _TOGETHER if nodeid.startswith(place)), nodeid)

    def _reschedule(self, node: WorkerController) -> None:
        """A worker begins a test when it knows the next one: a new worker needs two."""
        super()._reschedule(node)
        while self.workqueue and not node.shutting_down:
            if self._pending_of(self.assigned_work[node]) > 1:
                break
            self._assign_work_unit(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """What ended its worker is not tried again."""
        left = self.assigned_work[node]
        begun = next((t for unit in left.values() for t, done in unit.items() if not done), None)
        for unit in left.values():
            unit.pop(begun, None)
        for scope in [scope for scope, unit in left.items() if all(unit.values())]:
            del left[scope]
        super().remove_node(node)
        return begun


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Scheduling | None:
    return _Scheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


class _Failures:
    """Tells of each failure when it happens: a run that is stopped has told what it found."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.write_line(f"\n{report.nodeid} ({report.when})", red=True)
            self._terminal.write_line(report.longreprtext)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Failures(terminal))


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    store = SoftHsmStore(tmp_path_factory.mktemp("softhsm"))
    store.activate()
    return SoftHsm(store)
