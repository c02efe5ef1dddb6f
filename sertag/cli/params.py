"""Parameter types, options that commands share, and settings from configuration files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from sertag.limits import CPU
from sertag.model.providers import PROVIDERS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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


def load_config(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Make the settings of the configuration files the defaults, which click uses after flags and environment."""
    if not ctx.resilient_parsing:  # completion must not fail on a bad file
        ctx.default_map = _settings(ctx, ctx.command, value)
    return value


def load_shared_config(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The same for other commands that score audio: the files are those of `tag`, and a part of them holds here."""
    group = ctx.find_root().command
    if not ctx.resilient_parsing and isinstance(group, click.Group):
        settings = _settings(ctx, group.commands["tag"], value)
        ctx.default_map = {name: setting for name, setting in settings.items() if name in _SHARED}
    return value


def _settings(ctx: click.Context, command: click.Command, value: str | None) -> dict[str, Any]:
    """Settings of the configuration files by the names of parameters, checked against the options of a command."""
    from sertag.cli import config

    options = {option.opts[-1].lstrip("-"): option for option in command.params if _is_setting(option)}
    files = [str(path) for path in (config.user_file(), value) if path is not None]
    settings: dict[str, Any] = {}
    for file in files:
        try:
            found = config.read(file, kinds={name: _toml_kinds(option) for name, option in options.items()})
        except config.ConfigError as error:
            raise click.UsageError(str(error), ctx) from error
        for name, setting in found.items():
            try:
                options[name].type_cast_value(ctx, setting)
            except click.BadParameter as error:
                raise click.UsageError(f"{file}: key {name!r}: {error.message}", ctx) from error
            settings[options[name].name or ""] = setting
    return settings


def complete_model(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of bundled models that begin so."""
    from click.shell_completion import CompletionItem

    from sertag.model.session import bundled

    return [CompletionItem(name) for name in bundled() if name.startswith(incomplete)]


def _is_setting(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and parameter.name not in ("config", "help")


def _toml_kinds(parameter: click.Parameter) -> tuple[type, ...]:
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return (bool,)
    if parameter.multiple or isinstance(parameter.type, Names):
        return (list, str) if isinstance(parameter.type, Names) else (list,)
    if isinstance(parameter.type, Channels):
        return (str, int)
    if isinstance(parameter.type, Number):
        return (float,)
    return (int,) if isinstance(parameter.type, click.IntRange) else (str,)


_SHARED = ("roles", "only_role", "model", "hop", "min_confidence")
CONFIG = click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=load_shared_config,
    help="TOML file as for `sertag tag`; its roles, only_role, model, hop and min_confidence hold here, as do those in "
    "$XDG_CONFIG_HOME/sertag/config.toml.",
)
# Options of all commands that score audio; `tag` names the same variables by its prefix.
ROLES = click.option("--roles", type=Names(), default=(), envvar="SERTAG_ROLES", help="Names of channel 0, 1, …")
MODEL = click.option(
    "-m",
    "--model",
    metavar="NAME|FILE",
    envvar="SERTAG_MODEL",
    help="Bundled model, or path of an .onnx file.  [default: phone-deep]",
    shell_complete=complete_model,
)
PROVIDER = click.option(
    "--provider",
    type=click.Choice(tuple(PROVIDERS)),
    default=CPU,
    envvar="SERTAG_PROVIDER",
    metavar="NAME",
    help=f"What runs the network: {', '.join(PROVIDERS)}. All but cpu need another package, see docs/models.md.  "
    "[default: cpu]",
)
STORAGE_OPTIONS = click.option(
    "--storage-options",
    type=StorageOption(),
    multiple=True,
    envvar="SERTAG_STORAGE_OPTIONS",
    help="Settings for URLs such as s3://bucket/calls, as endpoint_url=http://localhost:9000, never credentials; "
    "repeatable.",
)
HOP = click.option(
    "--hop",
    type=Number(over=0),
    metavar="SECONDS",
    envvar="SERTAG_HOP",
    help="Step between windows.  [default: from the model]",
)
MIN_CONFIDENCE = click.option(
    "--min-confidence",
    type=Number(least=0, most=1),
    metavar="X",
    envvar="SERTAG_MIN_CONFIDENCE",
    help="A window or row with a lower confidence is `uncertain`.  [default: from the model]",
)
