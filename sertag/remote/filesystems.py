"""fsspec's file systems: one for each scheme and settings in a process, made when it is first needed.

The only module that imports fsspec. Its file systems run an event loop in a thread of their own, which does not survive
a fork: workers are started as new programs, and each makes its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Coroutine, Sequence
from functools import lru_cache
from typing import Any

from sertag.errors import SertagError
from sertag.remote.options import options_for
from sertag.remote.urls import PACKAGES, credentials_advice, is_web, quoted, scheme_of

_CONNECT_S, _READ_S = 10, 20  # how long a connection may take, and how long a server may send nothing
# Attempts of botocore, of s3fs for each call, and of s3fs again for each part of an object: a server that says nothing
# is given up after 2 minutes when it is listed, and after 4 when it is read.
_BOTO_ATTEMPTS, _S3FS_ATTEMPTS = 3, 2
_EXTRAS = {"s3fs": "sertag[remote]", "aiohttp": "sertag[remote]", "gcsfs": "gcsfs", "adlfs": "adlfs"}


class RemoteError(SertagError):
    """Something in a storage cannot be used; the message says why, and what to do."""


@lru_cache(maxsize=16)
def file_system(scheme: str, options: str) -> Any:
    """The file system of a scheme.

    Args:
        scheme: of a URL, one of `urls.PACKAGES`.
        options: from `parse_options`.

    Raises:
        RemoteError: a package is missing, or does not take the settings.
    """
    package = PACKAGES[scheme]
    try:
        importlib.import_module(package)
        import fsspec
    except ImportError as error:
        message = f"{scheme}:// needs {package}, which is not installed; run: pip install '{_EXTRAS[package]}'"
        raise RemoteError(message, code="needs_remote") from error
    settings = _defaults(scheme) | options_for(options, scheme)
    if package == "s3fs":
        settings["config_kwargs"] = _s3_config() | settings.get("config_kwargs", {})
    try:
        system = fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True, **settings)
    except (TypeError, ValueError, KeyError) as error:
        if package == "adlfs" and "account_name" in str(error):
            message = f"no credentials were found; {credentials_advice(scheme, what='them')}"
            raise RemoteError(message, code="no_credentials") from error
        names = ", ".join(sorted(options_for(options, scheme)))
        message = f"--storage-options: {package} does not take {names or 'its environment'}: {type(error).__name__}"
        raise RemoteError(message, code="bad_options") from error
    if package == "s3fs":
        system.retries = _S3FS_ATTEMPTS
    return system


def system_of(url: str, options: str) -> tuple[Any, str]:
    """The file system of a URL, and what it calls the object.

    Raises:
        RemoteError: as `file_system`.
    """
    scheme = scheme_of(url)
    if scheme is None:
        raise ValueError("not a URL")
    system = file_system(scheme, options)
    return system, quoted(url) if is_web(url) else url.partition("://")[2].lstrip("/")


def gathered(system: Any, calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """The results of several calls of one file system at once, in order; an exception in place of a result."""
    from fsspec.asyn import sync

    return list(sync(system.loop, _gather, calls))


async def _gather(calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    import asyncio

    return await asyncio.gather(*calls, return_exceptions=True)


def _defaults(scheme: str) -> dict[str, Any]:
    if PACKAGES[scheme] != "aiohttp":
        return {}
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_READ_S)
    # `trust_env` is for proxies and ~/.netrc; `encoded`: a signed address must arrive as it was signed.
    return {"client_kwargs": {"trust_env": True, "timeout": timeout}, "encoded": True}


def _s3_config() -> dict[str, Any]:
    retries = {"mode": "standard", "total_max_attempts": _BOTO_ATTEMPTS}
    return {"connect_timeout": _CONNECT_S, "read_timeout": _READ_S, "retries": retries}


def version_of(info: dict[str, Any]) -> str | None:
    """What tells the content of an object from any other that it had or will have: its generation or ETag.

    Args:
        info: what fsspec says of an object.

    Returns:
        None where the server says neither, or only a weak ETag, which may outlive a change (RFC 9110, 8.8.1).

    >>> version_of({"ETag": '"9a"'}), version_of({"generation": 17, "etag": "CNI="}), version_of({"ETag": 'W/"1"'})
    ('"9a"', '17', None)
    """
    for name in ("generation", "ETag", "etag"):
        if info.get(name):
            version = str(info[name])
            return None if version.startswith("W/") else version
    return None
