"""Settings from TOML files: which files, which keys, and messages that name file, key and the nearest known key.

Used by `cli`. The keys are the long option names of `sertag tag`; a file is checked whole, so that a mistake is found
before any work begins.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sertag.errors import SertagError
from sertag.text import display_name


class ConfigError(SertagError):
    """A configuration file cannot be used."""


def user_file() -> Path | None:
    """The user's configuration file, `sertag/config.toml` under `$XDG_CONFIG_HOME`; None if there is none."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification says that relative values are ignored.
    base = Path(folder) if os.path.isabs(folder) else Path("~/.config")
    try:
        path = base.expanduser() / "sertag" / "config.toml"
        return path if path.is_file() else None
    except (OSError, RuntimeError):  # no home directory, or one that may not be read
        return None


def read(path: str | Path, *, kinds: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """Read one file and check its keys and types.

    Args:
        path: of a TOML file.
        kinds: key to the types that its value may have.

    Returns:
        Key to value, keys spelled as in `kinds`.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, a value of the wrong type.
    """
    name = display_name(str(path))
    try:
        document = _toml(Path(path).read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror or error}", code="bad_config") from error
    except ValueError as error:  # of which the errors of TOML and of UTF-8 are kinds
        raise ConfigError(f"{name}: not valid TOML: {error}", code="bad_config") from error
    settings = {}
    for key, value in document.items():
        known = key.replace("_", "-")
        if known not in kinds:
            raise ConfigError(f"{name}: unknown key {key!r}{_nearest(known, kinds)}", code="bad_config")
        if not _fits(value, kinds[known]):
            expected = " or ".join(_TYPE_NAMES[kind] for kind in kinds[known])
            found = f"{value!r} ({_type_name(value)})"
            raise ConfigError(f"{name}: key {key!r} is {found}, expected {expected}", code="bad_config")
        settings[known] = value
    return settings


def write_setting(path: str, key: str, value: str, *, reason: str) -> None:
    """Set one key of a file without other changes; the file is created if it does not exist.

    Args:
        path: path of a TOML file.
        key: key, with underscores.
        value: value as TOML.
        reason: text of a comment after the value.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or has the key in a form that cannot be changed line by line.
        OutputError: it cannot be written.
    """
    from sertag.storage.atomic_output import Output

    name = display_name(path)
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            old = stream.read()
    except FileNotFoundError:
        old = ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: cannot be read: {error}; expected a TOML file", code="bad_config") from error
    new = _with_setting(old, key, f"{key} = {value}  # {reason}")
    try:
        before, after = _toml(old), _toml(new)
    except ValueError as error:
        raise ConfigError(f"{name}: not valid TOML: {error}", code="bad_config") from error
    spellings = (key, key.replace("_", "-"))
    others = {known: setting for known, setting in before.items() if known not in spellings}
    if after != others | {key: _toml(f"{key} = {value}")[key]}:
        message = f"{name}: {key} cannot be set without changing other settings; put {key} = {value} into it by hand"
        raise ConfigError(message, code="bad_config")
    with Output(path) as output:
        output.write(new.encode())
        output.finish()


_TYPE_NAMES: dict[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    list: "a list of strings",
}


def _toml(text: str) -> dict[str, Any]:
    """A document; its parser is loaded for those who have one.

    Raises:
        ValueError: not valid TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    document: dict[str, Any] = tomllib.loads(text)
    return document


def _with_setting(text: str, key: str, line: str) -> str:
    """A file with one line in place of the old setting, or in front of everything else."""
    end = "\r\n" if "\r\n" in text else "\n"
    old = re.compile(
        rf"^[ \t]*[\"']?{re.escape(key).replace('_', '[-_]')}[\"']?[ \t]*=[^\r\n]*(?:\r?\n|$)", re.MULTILINE
    )
    if old.search(text):
        return old.sub(lambda _: line + end, text, count=1)
    return f"{line}{end}{text}"


def _nearest(key: str, kinds: Mapping[str, tuple[type, ...]]) -> str:
    import difflib

    near = difflib.get_close_matches(key, kinds, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known keys are {', '.join(sorted(kinds))}"


def _fits(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):  # which Python counts among the integers
        return bool in kinds
    if isinstance(value, list):
        return list in kinds and all(isinstance(item, str) for item in value)
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)


def _type_name(value: object) -> str:
    return _TYPE_NAMES.get(type(value), f"a {type(value).__name__}") if not isinstance(value, list) else "a list"
