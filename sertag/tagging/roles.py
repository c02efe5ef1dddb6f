"""Roles of channels: which channels get rows, and checks of `--only-role`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from sertag.errors import SertagError
from sertag.records import Options


def role_of(channel: int, roles: Sequence[str]) -> str:
    """The role of a channel; empty if it has none.

    >>> role_of(1, ("agent", "customer")), role_of(2, ("agent", "customer"))
    ('customer', '')
    """
    return roles[channel] if channel < len(roles) else ""


def only_role_conflict(
    only_role: str | None,
    roles: Sequence[str],
    channels: Literal["split", "mix"] | int = "split",
    *,
    option: Callable[[str], str] = "--{}".format,
) -> str | None:
    """Why a run cannot score only one role, whatever its recordings are; None if it can.

    Args:
        only_role: the only role to be scored, None for all.
        roles: names of channel 0, 1, ...
        channels: which channels are read.
        option: turns the name of an option into the words of the message; by default those of the command line.

    >>> only_role_conflict("customer", ("agent",))
    "--only-role 'customer' must be one of --roles, which is agent"
    """
    if only_role is None:
        return None
    if only_role not in roles:
        known = f"which is {', '.join(roles)}" if roles else "which is not given"
        return f"{option('only-role')} {only_role!r} must be one of {option('roles')}, {known}"
    if channels == "mix":
        return f"{option('only-role')} needs separate channels; it cannot be used with {option('channels')} mix"
    if isinstance(channels, int) and roles.index(only_role) != channels:
        number = roles.index(only_role)
        return f"{option('only-role')} {only_role!r} is channel {number}, but {option('channels')} is {channels}"
    return None


def wanted_channels(count: int, options: Options, *, name: str) -> tuple[int, ...]:
    """The channels that get a row.

    Args:
        count: channels of the recording.
        options: options of the run.
        name: name of the recording, for messages.

    Raises:
        SertagError: the recording does not have the requested channel or role.
    """
    if options.only_role is not None:
        _check_separate(count, options, name)
    if options.channels == "mix":
        return (0,)
    channels = tuple(range(count)) if options.channels == "split" else (options.channels,)
    if channels[-1] >= count:
        message = f"{name}: has {count} channel(s), --channels asks for number {channels[-1]} (they count from 0)"
        raise SertagError(message, code="no_such_channel")
    wanted = tuple(c for c in channels if options.only_role in (None, role_of(c, options.roles)))
    if not wanted:
        message = f"{name}: no requested channel has the role {options.only_role!r}; check --roles"
        raise SertagError(message, code="no_such_role")
    return wanted


def not_separate(name: str, reason: str, options: Options) -> SertagError:
    """The error for a recording in which one role cannot be separated from the others."""
    advice = "record one channel for each role, and tag the channels separately"
    message = f"{name}: {reason}, so {options.only_role!r} cannot be separated; {advice}"
    return SertagError(message, code="role_not_separate")


def _check_separate(count: int, options: Options, name: str) -> None:
    """Refuse a recording with several speakers in one channel: the score would include the wrong speaker."""
    if count < len(options.roles):
        raise not_separate(name, f"has {count} channel(s) for {len(options.roles)} roles", options)
    if options.channels == "mix" and count > 1:
        raise not_separate(name, "is mixed down", options)
