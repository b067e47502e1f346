"""Certificates for the tests, made where they are used: an authority and what it vouches for, in PEM."""

import datetime
import ipaddress
import itertools
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Certificate:
    """One with its key; `issuer` none: by itself. `hosts` are names and addresses, `days` when it begins and ends."""

    _numbers = itertools.count()

    def __init__(self, folder, *hosts, issuer=None, is_authority=False, days=(-2, 30)):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {next(self._numbers)}")])
        now = datetime.datetime.utcnow()
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name if issuer else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False)
        self.x509 = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        stem = pathlib.Path(folder) / f"certificate{next(self._numbers)}"
        self.path, self.key_path = f"{stem}.pem", f"{stem}.key"
        pathlib.Path(self.path).write_bytes(self.x509.public_bytes(serialization.Encoding.PEM))
        pathlib.Path(self.key_path).write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def server(self, version=None):
        """A server's context with this certificate, of one TLS version if given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self.key_path)
        context.set_alpn_protocols(["dot"])
        if version:
            context.minimum_version = context.maximum_version = version
        return context


def _general(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
