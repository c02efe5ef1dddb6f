"""`--storage-options`: settings for storage, such as the address of a server, and never a key or a password.

They travel as JSON text, which can be hashed and pickled: to workers, also on other machines. Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from sertag.remote.urls import PACKAGES, credentials_advice

_SECRET = re.compile(
    r".*key(_id)?|.*(secret|passw|passphrase|credential|token|authori[sz]ation).*|.*sas|shared_access.*|"
    r"connection_string|auth|cookies?|user(name)?",
    re.IGNORECASE,
)
_OF_AZURE = re.compile(r"account_.*|.*sas.*|connection_string|shared_access.*|client_secret|client_id", re.IGNORECASE)
_HOW = ("anon", "cloud", "google_default", "browser", "cache")  # values of gcsfs's `token` that say where to look
_SECRET_VALUE = re.compile(
    r"://[^/@]*@|[?&;](sig|signature|token|key)=|AccountKey=|SharedAccessSignature=", re.IGNORECASE
)


def parse_options(given: Iterable[str]) -> str:
    """The settings of a command line.

    Args:
        given: each `KEY=VALUE`, whose value is JSON or else text, or a JSON object. `s3.KEY` is for one scheme alone.

    Returns:
        A JSON object by scheme; empty text where nothing is given.

    Raises:
        ValueError: one is neither, or holds what must be secret; the message says what to do and never the value.

    >>> parse_options(["endpoint_url=http://localhost:9000", "s3.anon=true"])
    '{"": {"endpoint_url": "http://localhost:9000"}, "s3": {"anon": true}}'
    >>> parse_options(["secret=hunter2"])
    Traceback (most recent call last):
    ValueError: secret may be a key or a password, which others can see here; give it by AWS_PROFILE, \
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws
    """
    merged: dict[str, dict[str, Any]] = {}
    for text in given:
        for name, value in _pairs(text):
            scheme, dot, key = name.partition(".")
            if not dot or scheme not in PACKAGES:
                scheme, key = "", name
            _refuse_secrets(key, value, scheme or ("az" if _OF_AZURE.fullmatch(key) else "s3"))
            merged.setdefault(scheme, {})[key] = value
    return json.dumps(merged, sort_keys=True) if merged else ""


def options_for(options: str, scheme: str) -> dict[str, Any]:
    """The settings for one scheme; those for all are not for web servers, which know none of them.

    >>> options_for('{"": {"x": 1}, "s3": {"y": 2}}', "s3"), options_for('{"": {"x": 1}}', "https")
    ({'x': 1, 'y': 2}, {})
    """
    if not options:
        return {}
    merged: dict[str, dict[str, Any]] = json.loads(options)
    common = {} if PACKAGES[scheme] == "aiohttp" else merged.get("", {})
    return {**common, **merged.get(scheme, {})}


def _pairs(text: str) -> list[tuple[str, Any]]:
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except ValueError as error:
            raise ValueError(f"the JSON object is not valid at character {getattr(error, 'pos', 0)}") from None
        return list(document.items())
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError("expected KEY=VALUE or a JSON object, as in endpoint_url=http://localhost:9000")
    try:
        return [(key.strip(), json.loads(value))]
    except ValueError:
        return [(key.strip(), value)]


def _refuse_secrets(key: str, value: Any, scheme: str) -> None:
    if isinstance(value, dict):
        for inner, item in value.items():
            _refuse_secrets(inner, item, scheme)
        return
    if isinstance(value, list):
        for item in value:
            _refuse_secrets("", item, scheme)
        return
    named = _SECRET.fullmatch(key.replace("-", "_")) is not None and not (key == "token" and value in _HOW)
    if named or (isinstance(value, str) and _SECRET_VALUE.search(value)):
        message = f"{key} may be a key or a password, which others can see here; {credentials_advice(scheme)}"
        raise ValueError(message)
