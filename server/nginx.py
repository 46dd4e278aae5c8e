"""The configuration of an nginx that serves what `server.static_files` writes."""

import re
from pathlib import Path

from ca.errors import MalformedRequest
from server.static_files import UNAUTHORIZED

_SERVER = """\
# Made by: tillid static-files nginx. For the http section of nginx; merge_slashes stays on.
server {{
    listen {listen};
    root {folder};
    etag on;

    location /crl/ {{
        types {{ application/pkix-crl crl; }}
        add_header Cache-Control "public, max-age=60, no-transform";
    }}
    location /ca/ {{
        types {{ application/pkix-cert cer; application/pkcs7-mime p7c; }}
        add_header Cache-Control "public, max-age=3600";
    }}
    location /audit/ {{
        types {{ }}
        default_type "text/plain; charset=utf-8";
        add_header Cache-Control "max-age=60";
    }}
    location /ocsp/ {{
        types {{ }}
        default_type application/ocsp-response;
        add_header Cache-Control "max-age={age}, public, no-transform, must-revalidate";
        client_max_body_size 4k;
{elsewhere}
    }}
    location = /{unauthorized} {{
        internal;
        types {{ }}
        default_type application/ocsp-response;
        add_header Cache-Control "no-store";
    }}
{origin}    location / {{ return 404; }}
}}
"""
_PLAIN = re.compile(r"[A-Za-z0-9._~:/\[\]@%+,=-]*")
# What no file answers is asked of the origin: POST, a nonce, several certificates.
_PASSED_ON = """\
        error_page 418 = @origin;
        if ($request_method = POST) {{ return 418; }}
        try_files $uri @origin;"""
_ORIGIN = """\
    location @origin {{
        proxy_pass {origin};
        proxy_set_header Host $host;
    }}
"""
_ALONE = """\
        try_files $uri /{unauthorized};"""


def nginx_configuration(folder: Path, listen: str, validity_minutes: int, origin: str = "") -> str:
    """The server section; `origin` is the address of a public node, for what no file answers.

    Files are made again at half of their validity, so that a quarter of it may lie in caches.

    Raises:
        MalformedRequest: one of the words is not one to nginx.
    """
    for what, text in (("folder", str(folder)), ("listen address", listen), ("origin", origin)):
        if not _PLAIN.fullmatch(text):
            raise MalformedRequest(what, "it holds what nginx would read as more than a word")
    return _SERVER.format(
        listen=listen,
        folder=folder,
        age=validity_minutes * 60 // 4,
        unauthorized=UNAUTHORIZED,
        elsewhere=(_PASSED_ON if origin else _ALONE).format(unauthorized=UNAUTHORIZED),
        origin=_ORIGIN.format(origin=origin) if origin else "",
    )
