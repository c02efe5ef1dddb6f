"""URLs as paths: which are known, what of them may be shown, and which are refused. Standard library only.

An object is named as other tools name it: `s3://bucket/key` with the key as it is, whatever it holds, and web addresses
as browsers do, with `%20` for a space. What a signature or a password is must never be written anywhere, so paths in
tables, journals and messages are those that `shown` gives.
"""

from __future__ import annotations

import hashlib
import os
import re
from urllib.parse import quote, urlsplit

from sertag.records import Problem
from sertag.text import display_name

# The package that fsspec needs for a scheme.
PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
}

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://", re.DOTALL)
_WEB = ("http", "https")
_QUERY_KEPT = re.compile(r"query=[0-9a-f]{16}")  # what `shown` has put there
# What signers add to a query, all of it different each time, by the parameter that is the signature: AWS version 4,
# Google, Azure, then AWS version 2, CloudFront and Google's older way together.
_SIGNERS = {
    "x-amz-signature": re.compile(r"x-amz-.*"),
    "x-goog-signature": re.compile(r"x-goog-.*"),
    "sig": re.compile(r"s[eirpvt]|sig|spr|sip|srt|ss|sk[a-z]|skoid|sktid|saoid|suoid|scid|sdd|ses"),
    "signature": re.compile(r"signature|expires|policy|awsaccesskeyid|key-pair-id|googleaccessid"),
}
_HIDDEN = "***"


def scheme_of(path: str) -> str | None:
    """The scheme of a URL that can be read, in lower case; None for everything else, which is a path.

    >>> scheme_of("s3://bucket/a.wav"), scheme_of("HTTPS://host/a.wav"), scheme_of("a/b.wav"), scheme_of("x://y")
    ('s3', 'https', None, None)
    """
    match = _URL.match(path)
    scheme = match[1].lower() if match else ""
    return scheme if scheme in PACKAGES else None


def is_url(path: str) -> bool:
    """Whether a path is a URL that can be read."""
    return scheme_of(path) is not None


def is_web(path: str) -> bool:
    """Whether a path is the address of something on a web server, where nothing can be listed or written."""
    return scheme_of(path) in _WEB


def is_prefix(url: str) -> bool:
    """Whether a URL names what is below it in a storage, a bucket or a prefix, and no object."""
    return not is_web(url) and (url.endswith("/") or "/" not in url.partition("://")[2])


def shown(path: str) -> str:
    """A path as it may be shown and stored: without passwords, and without the query of a web address.

    What signers add to a query is left out, so an object signed anew has the same path. Of the rest stands a digest, so
    that two addresses that differ only there have different paths.

    >>> shown("https://host/a.wav?X-Amz-Signature=5ec7e7&X-Amz-Expires=60")
    'https://host/a.wav'
    >>> shown("https://host/get?id=1"), shown("s3://key:secret@bucket/a?.wav"), shown("a?b.wav")
    ('https://host/get?query=d9fc91d45c096b5e', 's3://***@bucket/a?.wav', 'a?b.wav')
    """
    match = _URL.match(path)
    if match is None or (match[1].lower() not in PACKAGES and os.path.lexists(path)):
        return path
    place, slash, rest = path[match.end() :].partition("/")
    user, at, host = place.rpartition("@")
    if at and (":" in user or not match[1].lower().startswith("abfs")):
        place = f"{_HIDDEN}@{host}"
    path = match[0] + place + slash + rest
    if match[1].lower() in _WEB:
        path, _, query = path.partition("#")[0].partition("?")
        return path + _shown_query(query)
    return path


def without_query(path: str) -> str:
    """A path with the suffix of a file name at its end, if it has one: without the query of a web address.

    >>> without_query("https://host/a.ulaw?query=d9fc91d45c096b5e"), without_query("a?b.wav")
    ('https://host/a.ulaw', 'a?b.wav')
    """
    return path.partition("?")[0] if is_web(path) else path


def refusal(path: str) -> Problem | None:
    """Why something that looks like a URL is not opened; None for all others, paths among them."""
    match = _URL.match(path)
    if match is None or (match[1].lower() not in PACKAGES and os.path.lexists(path)):
        return None
    name, scheme = display_name(shown(path)), match[1].lower()
    if scheme not in PACKAGES:
        known = ", ".join(f"{known}://" for known in ("s3", "gs", "az", "https"))
        return Problem("unknown_scheme", f"{name}: {scheme}:// is not known; expected a path, or one of {known}")
    if f"{_HIDDEN}@" in name.partition("://")[2].partition("/")[0]:
        advice = f"leave it out, and {credentials_advice(scheme)}"
        message = f"{name}: holds a password or key, which others can see; {advice}"
        return Problem("credentials_in_url", message)
    if scheme not in _WEB and "?versionId=" in path:
        return Problem("not_found", f"{name}: names a version of an object; expected its key, the newest is read")
    return _bad_web_address(path, name) if scheme in _WEB else None


def quoted(url: str) -> str:
    """A web address in which characters that no address can hold are escaped; nothing else changes.

    >>> quoted("https://host/a b%20é.wav?x=%2F+")
    'https://host/a%20b%20%C3%A9.wav?x=%2F+'
    """
    return quote(url, safe="%!#$&'()*+,/:;=?@[]~", errors="surrogateescape")


_GIVEN_BY = {
    "s3fs": "AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws",
    "gcsfs": "GOOGLE_APPLICATION_CREDENTIALS or `gcloud auth application-default login`",
    "adlfs": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and `az login`",
    "aiohttp": "~/.netrc",
}


def credentials_advice(scheme: str, *, what: str = "it") -> str:
    """How credentials, in the sentence `what`, are given to a storage, as a part of a sentence.

    >>> credentials_advice("https")
    'give it by ~/.netrc'
    """
    return f"give {what} by {_GIVEN_BY[PACKAGES[scheme]]}"


def _bad_web_address(path: str, name: str) -> Problem | None:
    try:
        parts = urlsplit(path)
        complete = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # brackets without an address between them, a port that is no number
        return Problem("not_found", f"{name}: is not a web address; check its host and port")
    if not complete:
        return Problem("not_found", f"{name}: is not a web address; check its host and port")
    if parts.path in ("", "/") or parts.path.endswith("/"):
        message = "a web server cannot be asked what it holds; give the addresses of recordings, or a list of them "
        return Problem("not_a_file", f"{name}: is no recording, and {message}(--files-from)")
    return None


def _shown_query(query: str) -> str:
    pairs = {pair: pair.partition("=")[0].lower() for pair in query.split("&") if pair}
    added = [names for signature, names in _SIGNERS.items() if signature in pairs.values()]
    kept = [pair for pair, name in pairs.items() if not any(names.fullmatch(name) for names in added)]
    if not kept:
        return ""
    if _QUERY_KEPT.fullmatch("&".join(kept)):
        return f"?{kept[0]}"
    return f"?query={hashlib.sha256('&'.join(kept).encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
