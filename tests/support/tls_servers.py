"""Private nginx and apache on loopback: servers that staple, and servers that judge clients."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.processes import is_free, start_child, stop_child
from tests.support.service import until
from tests.support.status_matrix import STATES, Party, State, run

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log info;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  ssl_session_cache off;
  ssl_trusted_certificate {folder}/all.pem;
  ssl_client_certificate {folder}/all.pem;
  ssl_verify_depth 2;
  error_page 495 = @refused;
{servers}
}}
"""
_SERVER = """
  server {{
    listen 127.0.0.1:{port} ssl;
    location / {{ return 200 "$ssl_client_verify\\n"; }}
    location @refused {{ return 403 "$ssl_client_verify\\n"; }}
    ssl_certificate {folder}/{name}.chain.pem;
    ssl_certificate_key {folder}/{name}.key;
    {lines}
  }}
"""
_APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.log
LogLevel info
Mutex pthread
{user}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
SSLSessionCache none
SSLCACertificateFile {folder}/all.pem
SSLVerifyClient require
SSLVerifyDepth 2
{servers}
"""
_HOST = """
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
  SSLEngine on
  SSLCertificateFile {folder}/{name}.chain.pem
  SSLCertificateKeyFile {folder}/{name}.key
  Redirect 204 /
  {lines}
</VirtualHost>
"""
JUDGING_NGINX = {
    "nginx-crl": "ssl_verify_client on; ssl_crl {folder}/crls.pem;",
    "nginx-ocsp": "ssl_verify_client on; ssl_ocsp leaf;",
}
JUDGING_APACHE = {
    "apache-crl": "SSLCARevocationFile {folder}/crls.pem\n  SSLCARevocationCheck chain",
    "apache-ocsp": "SSLOCSPEnable leaf",
}
_FETCHES = "ssl_stapling on; ssl_stapling_verify on;"


def stapling(state: State) -> str:
    """The name of the nginx port that staples what we said of a server's certificate."""
    return f"stapling-{state.name}"


def fetching(state: State) -> str:
    """The name of the nginx port that fetches by itself what it staples."""
    return f"fetching-{state.name}"


def as_client(party: Party, state: State, port: str) -> str:
    """What curl says when it shows the client certificate of a state at a port."""
    own = (party.file(f"{state.name}.client.chain.pem"), party.file(f"{state.name}.client.key"))
    return run(
        *("curl", "--silent", "--show-error", "--write-out", "answered %{http_code}"),
        *("--cacert", party.file("root.pem"), "--cert", own[0], "--key", own[1]),
        f"https://127.0.0.1:{party.port(port)}/",
    ).text


@contextmanager
def an_nginx(party: Party) -> Iterator[Party]:
    """One nginx with all its ports."""
    folder = party.folder
    servers = [_block(party, _SERVER, *each) for each in _nginx_ports(party)]
    config = _NGINX.format(folder=folder, servers="".join(servers))
    file = folder / "nginx.conf"
    file.write_text(config)
    ports = [party.port(name) for name, *_ in _nginx_ports(party)]
    command = ["/usr/sbin/nginx", "-p", str(folder), "-e", str(folder / "nginx.log")]
    with _running([*command, "-c", str(file)], folder / "nginx.out", ports):
        yield party


@contextmanager
def an_apache(party: Party) -> Iterator[Party]:
    """One apache with all its ports."""
    folder = party.folder
    hosts = [_block(party, _HOST, name, "good", lines) for name, lines in JUDGING_APACHE.items()]
    # It serves nothing as root.
    user = "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""
    file = folder / "apache.conf"
    file.write_text(_APACHE.format(folder=folder, user=user, servers="".join(hosts)))
    ports = [party.port(name) for name in JUDGING_APACHE]
    with _running(["/usr/sbin/apache2", "-X", "-f", str(file)], folder / "apache.out", ports):
        yield party


def _nginx_ports(party: Party) -> Iterator[tuple[str, str, str]]:
    """Each port: its name, whose certificate it shows, and what is particular to it."""
    for name, lines in JUDGING_NGINX.items():
        yield name, "good", lines
    for state in STATES:
        answer = party.folder / f"{state.name}.staple.der"
        if not answer.exists():
            _ask(party, state, answer)
        yield stapling(state), state.name, f"ssl_stapling on; ssl_stapling_file {answer};"
        yield fetching(state), state.name, _FETCHES


def _ask(party: Party, state: State, answer: Path) -> None:
    about = ("-issuer", party.file(f"{state.name}.issuer.pem"))
    about += ("-cert", party.file(f"{state.name}.pem"), "-url", party.ocsp_url(state))
    run("openssl", "ocsp", "-no_nonce", *about, "-noverify", "-respout", str(answer))


def _block(party: Party, text: str, name: str, shown: str, lines: str) -> str:
    folder = party.folder
    particular = lines.format(folder=folder)
    return text.format(port=party.port(name), folder=folder, name=shown, lines=particular)


@contextmanager
def _running(command: list[str], log: Path, ports: list[int]) -> Iterator[None]:
    child = start_child(command, log)
    try:
        until(
            "the server",
            lambda: child.poll() is not None or not any(map(is_free, ports)),
            rest=0.02,
        )
        assert child.poll() is None, log.read_text()
        yield
    finally:
        stop_child(child)
