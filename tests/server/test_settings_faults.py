import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import SettingsRefused
from server.settings import SECTIONS
from server.settings_sources import trace_settings
from tests.support.settings_files import faults, load


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    fault = faults(tmp_path, "[public]\nport = 8080\nhost = 127.0.0.1\n")["tillid.toml"]
    assert "line 3" in fault.problem
    assert fault.source.endswith("tillid.toml, line 3")


def test_an_unfinished_file_names_its_last_line(tmp_path: Path) -> None:
    assert "line 2" in faults(tmp_path, '[public]\nhost = """')["tillid.toml"].problem


def test_octets_that_are_not_utf_8_name_their_line(tmp_path: Path) -> None:
    fault = faults(tmp_path, b'[public]\nhost = "\xff"\n')["tillid.toml"]
    assert (fault.problem, fault.source[-6:]) == ("is not UTF-8 text at line 2", "line 2")


def test_a_syntax_error_does_not_hide_the_faults_of_the_environment(tmp_path: Path) -> None:
    found = faults(tmp_path, "[", {"TILLID_PUBLIC__PORT": "no"})
    assert set(found) == {"tillid.toml", "public.port"}


def test_all_faults_are_found_at_once_each_with_a_way_out(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        'colour = 1\n[public]\nprot = 1\nport = "80"\nworkers = 0\n[pubic]\nport = 1\n'
        '[jobs]\ntick_seconds = nan\n[logs]\nlevel = "loud"\n',
        {"TILLID_SERIAL__NODE": "128", "TILLID_CRL__VALIDITY_HUORS": "1"},
    )
    assert set(found) == {
        "colour",
        "public.prot",
        "public.port",
        "public.workers",
        "pubic",
        "jobs.tick_seconds",
        "logs.level",
        "serial.node",
        "TILLID_CRL__VALIDITY_HUORS",
    }
    assert all(fault.way_out.endswith((".", "?")) for fault in found.values())
    assert found["public.port"].source.endswith("tillid.toml")
    assert found["serial.node"].source == "environment"


@pytest.mark.parametrize(
    ("text", "key", "meant"),
    [
        ("[pubic]\n", "pubic", "public"),
        ("[public]\nprot = 1\n", "public.prot", "public.port"),
        ("[stuff]\nport = 1\n", "stuff", "staff"),
    ],
)
def test_an_unknown_name_suggests_the_one_meant(
    tmp_path: Path, text: str, key: str, meant: str
) -> None:
    assert f"Did you mean {meant}?" in faults(tmp_path, text)[key].way_out


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TILLID_PUBIC__PORT", "TILLID_PUBLIC__PORT"),
        ("TILLID_PUBLIC__PROT", "TILLID_PUBLIC__PORT"),
        ("TILLID_PUBLIC_PORT", "TILLID_PUBLIC__PORT"),
        ("TILLID_STAT", "TILLID_STATE"),
    ],
)
def test_an_unknown_environment_name_is_refused(tmp_path: Path, name: str, meant: str) -> None:
    assert f"Did you mean {meant}?" in faults(tmp_path, "", {name: "1"})[name].way_out


def test_three_other_environment_names_are_known(tmp_path: Path) -> None:
    environment = {"TILLID_FAILPOINT": "x", "TILLID_CONFIG": "/dev/null", "PATH": "/bin"}
    assert load(tmp_path, "", environment).origins == {}


@pytest.mark.parametrize(
    ("section", "line", "problem"),
    [
        ("public", 'host = "0.0.0.0"', "is reachable from other machines"),
        ("staff", 'host = "pki.example"', "is reachable from other machines"),
        ("public", 'host = "a b"', "is neither an IP address nor a host name"),
        ("public", "host = 7", "should be a valid string"),
        ("public", "port = 0", "should be greater than or equal to 1"),
        ("public", "port = true", "should be a valid integer"),
        ("public", 'url = "ftp://host"', "does not start with http or https"),
        ("public", 'url = "http://u@host"', "has a user, a query or a fragment"),
        ("public", 'url = "http://blåbær.example"', "is not a URL in ASCII with a host"),
        ("public", 'url = "http://[::1"', "is not a URL"),
        ("staff", 'url = "http://host"', "does not start with https"),
        ("staff", 'url = "https://host:99999"', "is not a URL"),
        ("hsm", 'module = "~/lib.so"', "starts with ~, which is not expanded here"),
        ("hsm", 'module = "a\\u0000b"', "holds characters that cannot be printed"),
        ("hsm", 'root_token = ""', "is empty"),
        ("database", 'url = "mysql://host/x"', "is neither SQLite nor PostgreSQL by psycopg"),
        ("database", 'url = "postgresql://host/x"', "is neither SQLite nor PostgreSQL by psycopg"),
        (
            "database",
            'url = "sqlite:///:memory:"',
            "names no file, and a database in memory cannot be shared",
        ),
        (
            "database",
            'owner_url = "postgresql+psycopg://owner@host/x"',
            "is of use with PostgreSQL alone",
        ),
        ("crl", "renew_margin_hours = 24", "is not shorter than crl.validity_hours"),
    ],
)
def test_a_wrong_value_is_refused(tmp_path: Path, section: str, line: str, problem: str) -> None:
    key = f"{section}.{line.partition(' ')[0]}"
    found = faults(tmp_path, f"[{section}]\n{line}\n")
    assert {name: fault.problem for name, fault in found.items()} == {key: problem}


@pytest.mark.parametrize(
    ("owner", "problem"),
    [
        ("sqlite:///tillid.sqlite", "is of use with PostgreSQL alone"),
        ("postgresql+psycopg://owner@host/y", "names another database than database.url"),
        ("postgresql+psycopg://service:x@host/x", "signs in as database.url does"),
    ],
)
def test_an_owner_is_another_role_of_the_same_database(
    tmp_path: Path, owner: str, problem: str
) -> None:
    text = f'[database]\nurl = "postgresql+psycopg://service@host/x"\nowner_url = "{owner}"\n'
    assert faults(tmp_path, text)["database.owner_url"].problem == problem


def test_the_listeners_cannot_share_a_port(tmp_path: Path) -> None:
    fault = faults(tmp_path, "[public]\nport = 8443\n")["settings"]
    assert fault.problem == "staff.port is the same as public.port"


def test_a_section_is_not_a_value(tmp_path: Path) -> None:
    assert faults(tmp_path, "public = 3\n")["public"].problem == "is a section, not a value"


def test_the_state_directory_is_not_a_key(tmp_path: Path) -> None:
    assert "state" in faults(tmp_path, 'state = "/x"\n')


@pytest.mark.parametrize(
    ("name", "problem"),
    [("missing.toml", "cannot be read (No such file"), (".", "cannot be read (Is a directory")],
)
def test_a_named_file_has_to_be_readable(tmp_path: Path, name: str, problem: str) -> None:
    (fault,) = faults(tmp_path, "", {"TILLID_CONFIG": name}).values()
    assert fault.problem.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"a = {'9' * 5000}", "holds a value beyond all bounds"),
        (f"a = {'[' * 5000}", "holds a value beyond all bounds"),
        (f"# {' ' * (1 << 20)}", "is larger than 1 MiB"),
    ],
)
def test_a_file_beyond_all_bounds_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    assert faults(tmp_path, text)["tillid.toml"].problem == problem


def test_a_fault_never_quotes_the_value(tmp_path: Path) -> None:
    text = '[database]\nurl = "oracle://user:canary@host"\n[logs]\nlevel = "canary"\n'
    found = faults(tmp_path, text, {"TILLID_PUBLIC__PORT": "canary"})
    assert len(found) == 3
    assert "canary" not in repr(found)


_names = st.sampled_from([*SECTIONS, "unknown"]) | st.text(max_size=5)
_keys = st.sampled_from([key for model in SECTIONS.values() for key in model.model_fields])
_scalars = st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_values = _scalars | st.lists(_scalars, max_size=2)


def _refuses_or_loads(directory: Path, octets: bytes, environment: dict[str, str]) -> None:
    file = directory / "junk.toml"
    file.write_bytes(octets)
    try:
        trace_settings({"TILLID_CONFIG": str(file), **environment}, directory)
    except SettingsRefused as refused:
        assert refused.faults  # noqa: PT017 - loading is as right as refusing here


@given(octets=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_a_junk_file_is_refused_and_nothing_worse(
    tmp_path_factory: pytest.TempPathFactory, octets: bytes
) -> None:
    _refuses_or_loads(tmp_path_factory.getbasetemp(), octets, {})


@given(tables=st.dictionaries(_names, st.dictionaries(_keys, _values, max_size=4), max_size=4))
def test_junk_values_are_refused_and_nothing_worse(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, dict[str, object]]
) -> None:
    lines = []
    for name, table in tables.items():
        lines.append(f"[{json.dumps(name)}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    _refuses_or_loads(tmp_path_factory.getbasetemp(), "\n".join(lines).encode(), {})


@given(section=st.sampled_from(list(SECTIONS)), key=_keys, text=st.text(max_size=20))
def test_a_junk_environment_is_refused_and_nothing_worse(
    tmp_path_factory: pytest.TempPathFactory, section: str, key: str, text: str
) -> None:
    name = f"TILLID_{section}__{key}".upper()
    _refuses_or_loads(tmp_path_factory.getbasetemp(), b"", {name: text})


def test_what_is_wrong_with_two_keys_together_names_where_both_were_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused) as refused:
        load(tmp_path, "[public]\nport = 81\n", {"TILLID_STAFF__PORT": "81"})
    (fault,) = refused.value.faults
    assert fault.problem == "staff.port is the same as public.port"
    assert fault.source.split(", ")[-1] == "environment"
    assert "tillid.toml" in fault.source
