"""Tables in storage: where a run keeps its journal and lock for one, and how the finished table gets there.

A table is put in one request, or in parts that become an object when the last one is there: a reader never sees half of
it. The journal and the lock need appending and kernel locks, which no storage has, so they are on this machine, in
`$XDG_STATE_HOME/sertag` or `~/.local/state/sertag`.
"""

from __future__ import annotations

import hashlib
import os
import re

from sertag.errors import OutputError
from sertag.remote.failures import problem_of
from sertag.remote.filesystems import system_of
from sertag.remote.urls import is_prefix, is_web, refusal
from sertag.text import display_name


def local_state(url: str) -> str:
    """The path on this machine to which `.journal` and `.lock` of a table in a storage are added.

    >>> os.path.basename(local_state("s3://bucket/tables/r.csv"))
    'r.csv-2330b91ab0062aac'
    """
    name = re.sub(r"[^\w.-]", "_", url.rpartition("/")[2])[:80]
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return os.path.join(state_folder(), f"{name}-{digest}")


def state_folder() -> str:
    """The folder of what runs keep on this machine."""
    base = os.environ.get("XDG_STATE_HOME", "")  # the XDG specification says that relative values are ignored
    return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.local/state"), "sertag")


def make_state_folder() -> None:
    """Create the folder if it is not there.

    Raises:
        OutputError: it cannot be created.
    """
    folder = state_folder()
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        message = f"cannot create {display_name(folder)}, where the journal of a table in a storage is kept: "
        message += f"{error.strerror or error}; set XDG_STATE_HOME to a folder that can be written"
        raise OutputError(message, code="cannot_write") from error


def check_target(url: str, options: str) -> None:
    """Find out before the work begins whether a table can be put somewhere, as far as that is possible without writing.

    Raises:
        OutputError: it cannot.
    """
    problem = refusal(url)
    if problem is not None:
        raise OutputError(f"cannot write {problem.message}", code="cannot_write")
    if is_web(url) or is_prefix(url):
        expected = "expected the URL of an object, as in s3://bucket/results.csv"
        raise OutputError(f"cannot write {display_name(url)}: {expected}", code="cannot_write")
    try:
        system, path = system_of(url, options)
        system.info(path)
    except Exception as error:  # of the libraries below, which share no base class
        found = problem_of(error, url)
        if found.code == "not_found" and "bucket" not in found.message.partition(": ")[2]:
            return  # the usual case: the table is not there yet
        if found.code == "permission_denied" and "credentials" not in found.message:
            return  # writing may be allowed where reading is not
        raise OutputError(f"cannot write {found.message}", code="cannot_write") from None


def put(local: str, url: str, options: str) -> None:
    """Put a finished file to its place.

    Raises:
        OutputError: it could not be put; what was there before is still there.
    """
    try:
        system, path = system_of(url, options)
        system.put_file(local, path)
    except Exception as error:  # of the libraries below, which share no base class
        found = problem_of(error, url)
        message = f"cannot write {found.message}; results are in the journal, and nothing is tagged again"
        raise OutputError(message, code="cannot_write") from None
