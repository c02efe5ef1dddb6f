"""Parameter types: which values options take. Only `cli` imports click."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic only since click 8.5


class Channels(ParamType):
    """`split`, `mix` or the number of a channel."""

    name = "split|mix|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check a value."""
        if value in ("split", "mix"):
            return value
        if str(value).isascii() and str(value).isdigit():
            return int(value)
        self.fail(f"{value!r} is not split, mix or the number of a channel, counted from 0", param, ctx)


class Names(ParamType):
    """Names with commas between them."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check a value."""
        names = value.split(",") if isinstance(value, str) else value
        stripped = tuple(name.strip() for name in names)
        if not all(stripped):
            self.fail(f"{value!r} has an empty name", param, ctx)
        return stripped


class ShardType(ParamType):
    """`K/N`, part K of N."""

    name = "K/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check a value."""
        from sertag.shards import Shard

        number, _, count = value.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            self.fail(f"{value!r} is not K/N, part K of N, as 1/8 to 8/8", param, ctx)
        return Shard(int(number), int(count))


class StorageOption(ParamType):
    """`KEY=VALUE`, or a JSON object; in an environment variable several with spaces between them, or one object."""

    name = "KEY=VALUE|JSON"

    def split_envvar_value(self, rv: str) -> list[str]:
        """The settings of a variable; an object may have spaces."""
        return [rv] if rv.lstrip().startswith("{") else rv.split()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check a value; the message never has it, because it may be a password."""
        from sertag.remote.options import parse_options

        try:
            parse_options([value])
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


class Number(ParamType):
    """A finite number within limits."""

    name = "number"

    def __init__(self, *, over: float = -math.inf, least: float = -math.inf, most: float = math.inf) -> None:
        """Limits: larger than `over`, from `least` to `most`."""
        self._over, self._least, self._most = over, least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check a value."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number > self._over and self._least <= number <= self._most):
            most = f" and up to {self._most:g}" if math.isfinite(self._most) else ""
            wanted = f"a number over 0{most}" if self._over == 0 else f"a number from {self._least:g} to {self._most:g}"
            self.fail(f"{value!r} is not {wanted}", param, ctx)
        return number
