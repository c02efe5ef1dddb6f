"""What an exception of a storage means: a code and a message that names the object and says what to do.

Storages differ in their exceptions, and some hold the whole address with its signature, so nothing of their text is
shown but short codes such as `ExpiredToken`. Exceptions are known by their status, code or name: no library is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sertag.errors import SertagError
from sertag.records import Problem
from sertag.remote.urls import credentials_advice, scheme_of, shown
from sertag.text import display_name

_CODE = re.compile(r"[A-Za-z0-9 ._-]{1,60}")
_NO_CREDENTIALS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "DefaultCredentialsError",
    "TokenRetrievalError",
    "SSOError",
    "ClientAuthenticationError",
    "UnauthorizedSSOTokenError",
)
_STALLED = ("TimeoutError", "FSTimeoutError", "ReadTimeoutError", "ConnectTimeoutError", "ServerTimeoutError",
            "SocketTimeoutError", "ConnectionTimeoutError", "RequestTimeout")  # fmt: skip
_CUT = ("ClientPayloadError", "IncompleteReadError", "IncompleteRead", "ServerDisconnectedError", "EOFError",
        "ResponseStreamingError", "ClientOSError", "ConnectionResetError")  # fmt: skip
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestTimeTooSkewed", "RequestExpired")
_WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "AuthFailure",
              "AuthenticationFailed")  # fmt: skip
_BUSY = ("SlowDown", "ServiceUnavailable", "429", "502", "503", "504")


def problem_of(error: BaseException, url: str, *, folder: bool = False) -> Problem:
    """What went wrong with an object or a prefix.

    Args:
        error: from fsspec or the libraries below it.
        url: of the object, as given.
        folder: recordings below it may be missing from the table.
    """
    if isinstance(error, SertagError):
        return Problem(error.code, str(error))
    causes = list(_causes(error))
    codes = [code for cause in causes for code in _codes(cause)]
    names = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    code, found, advice = _meaning(codes, names, url)
    if folder and code == "unreachable":
        code = "unreachable_folder"
    lost = ", no recording below it can be tagged" if folder else ""
    said = f" ({codes[0]})" if codes and codes[0] not in found else ""
    return Problem(code, f"{display_name(shown(url))}: {found}{said}{lost}; {advice}")


def changed(url: str) -> Problem:
    """What is wrong with an object that is not the one that was found."""
    return Problem("changed", f"{display_name(shown(url))}: was replaced after it was found; run again")


def _meaning(codes: list[str], names: set[str], url: str) -> tuple[str, str, str]:
    """Code, what was found, and what to do."""
    scheme = scheme_of(url) or ""
    give = credentials_advice(scheme, what="them")
    if "FileExpired" in names or {"PreconditionFailed", "412"} & set(codes):
        return "changed", "was replaced after it was found", "run again"
    if any(code in _EXPIRED for code in codes):
        return "expired_credentials", "the credentials have expired", "get new ones and run again"
    if any(code in _WRONG_KEY for code in codes):
        return "permission_denied", "the credentials are not accepted", f"check them; {give}"
    if "InvalidObjectState" in codes:
        return "archived", "is in an archive class, from which nothing can be read", "restore it and run again"
    if "NoSuchBucket" in codes or "ContainerNotFound" in codes:
        return "not_found", "there is no such bucket", "check its name, the endpoint and the region"
    if {"404", "410", "NoSuchKey"} & set(codes):
        return "not_found", "there is no such object, and nothing below it", "check the URL"
    if any(name in names for name in _NO_CREDENTIALS) or "401" in codes:
        return "no_credentials", "no credentials were found or taken", give
    if codes[:1] == ["400"]:  # S3 answers to HEAD without a word
        return "permission_denied", "the request was refused", f"have the credentials expired? {give}"
    if {"403", "AccessDenied"} & set(codes) or "PermissionError" in names:
        return "permission_denied", "permission denied", _rights(scheme)
    if {"301", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"} & set(codes):
        return "unreachable", "the bucket is in another region", "set AWS_REGION"
    if any(code in _BUSY for code in codes):
        return "unreachable", "the server is too busy or cannot be reached", "run again later, or with fewer --jobs"
    return _broken_connection(codes, names)


def _broken_connection(codes: list[str], names: set[str]) -> tuple[str, str, str]:
    if any(name in names for name in _STALLED):
        return "unreachable", "the server did not answer in time", "check the network and the endpoint, and run again"
    if any(name in names for name in _CUT) and "ClientConnectorError" not in names:
        return "unreachable", "the connection ended too early", "check the network, and run again"
    if not codes and "FileNotFoundError" in names and not {"ClientError", "ConnectionError"} & names:
        return "not_found", "there is no such object, and nothing below it", "check the URL"
    connection = {"ClientConnectorError", "EndpointConnectionError", "ConnectionError", "HTTPClientError"}
    if connection & names or any(code in codes for code in ("ConnectionError",)):
        return "unreachable", "the server cannot be reached", "check the network and the endpoint, and run again"
    kind = next((name for name in sorted(names) if name.endswith(("Error", "Exception"))), "an error")
    return "unreachable", f"cannot be read: {kind}", "run again; if it stays so, try another client with the same URL"


def _rights(scheme: str) -> str:
    if scheme in ("http", "https"):
        return "if the URL is signed, its time may be over; sign it anew"
    return "reading objects and listing the bucket must both be allowed (docs/storage.md); check the profile too"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and those that led to it, each once."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _codes(error: BaseException) -> Iterator[str]:
    """Codes and statuses that an exception carries, those that say most first."""
    if any(kind.__name__ == "HttpProcessingError" for kind in type(error).__mro__):
        return  # aiohttp's own numbers for what is wrong with an answer
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        yield _short(response.get("Error", {}).get("Code"))
        yield _short(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    for attribute in ("error_code", "status", "status_code", "code"):  # Azure, aiohttp, Azure, gcsfs
        value = getattr(error, attribute, None)
        if isinstance(value, str | int) and not isinstance(value, bool) and value:
            yield _short(getattr(value, "value", value))
            return


def _short(value: object) -> str:
    text = str(value)
    return text if _CODE.fullmatch(text) else "?"
