"""TLS settings of a connection."""

import os
import ssl
import tempfile
from pathlib import Path

from selfheal_core.errors import BadUsage


def client_context(*, authority: bytes | None, verify: bool) -> ssl.SSLContext:
    """Build the context with which we check the API server's certificate.

    Args:
        authority: The cluster's certificate authority as PEM; None for the system's.
        verify: False where the kubeconfig says ``insecure-skip-tls-verify``.

    Raises:
        BadUsage: The authority is not PEM.
    """
    try:
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    except (ssl.SSLError, ValueError) as error:
        raise BadUsage("the kubeconfig's certificate authority is not a PEM certificate") from error
    # Python 3.13 asks authorities for extensions that cluster installers leave out, and kubectl does not ask for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def use_client_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Present a client certificate from now on.

    OpenSSL reads it from files only, so that it passes through a folder that nobody else may enter and that is gone
    right after.

    Raises:
        BadUsage: They are not PEM, or do not belong together.
    """
    with tempfile.TemporaryDirectory(prefix="selfheal-") as folder:
        certificate_file, key_file = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        for file, content in ((certificate_file, certificate), (key_file, key)):
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
                handle.write(content)
        try:
            context.load_cert_chain(certificate_file, key_file)
        except (ssl.SSLError, OSError) as error:
            raise BadUsage("the client certificate and its key are not a PEM pair") from error
