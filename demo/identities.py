"""What curl and openssl are told of an identity file, whose key is in the file or on a card."""

from pathlib import Path


def curl_options(identity: Path) -> list[str]:
    """Lines of a curl configuration that present the identity in the handshake."""
    options = [f'cert = "{identity}"']
    key = _lines(identity).get("Key")
    if key is None:
        return [*options, f'key = "{identity}"']
    return [*options, 'engine = "pkcs11"', 'key-type = "ENG"', f'key = "{key}"']


def sign_command(identity: Path, content: Path, out: Path) -> list[str]:
    """Openssl's command for a detached CMS signature over a file, in PEM."""
    command = ["openssl", "cms", "-sign", "-binary", "-md", "sha256", "-outform", "PEM"]
    command += ["-signer", str(identity), "-in", str(content), "-out", str(out)]
    key = _lines(identity).get("Key")
    if key is None:
        return [*command, "-inkey", str(identity)]
    return [*command, "-engine", "pkcs11", "-keyform", "engine", "-inkey", key]


def environment_of(identity: Path) -> dict[str, str]:
    """Where OpenSSL's engine finds the card; empty for a key in the file."""
    told = _lines(identity)
    if "Key" not in told:
        return {}
    return {"PKCS11_MODULE_PATH": told["Module"], "SOFTHSM2_CONF": told["SoftHSM"]}


def _lines(identity: Path) -> dict[str, str]:
    text = identity.read_text(encoding="utf-8")
    return dict(part.split(": ", 1) for part in text.splitlines() if ": " in part)
