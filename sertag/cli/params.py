"""Command classes, settings from configuration files, and options of several commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sertag.cli.values import Channels, Names, Number, StorageOption
from sertag.errors import Exit
from sertag.limits import CPU
from sertag.model.providers import PROVIDERS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_EXAMPLES = """\
Examples:
  sertag ./calls --out results.csv
  sertag ./calls --out results.csv --roles agent,customer --segments windows.csv
  sertag ./calls --out results.csv --roles agent,customer --only-role customer
  find /rec -name '*.wav' -print0 | sertag --files-from - -0 --format jsonl
  sox in.wav -t wav - | sertag - --format json
"""


class TagCommand(click.Command):
    """The main command, whose help begins with examples too."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples, then the help."""
        formatter.write(f"{_EXAMPLES}\n")
        super().format_help(ctx, formatter)


class Group(click.Group):
    """A group that, without arguments, is a usage error whatever the version of click."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show the help and end with the code of a usage error where there are no arguments."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(int(Exit.USAGE))
        return super().parse_args(ctx, args)


class Deferred(click.Command):
    """A command whose module is loaded when it is used: until then its name and a line about it are enough."""

    def __init__(self, home: str, short_help: str) -> None:
        """Describe it.

        Args:
            home: module in `sertag.cli` whose last part is the name of the command.
            short_help: as the command has it.
        """
        super().__init__(home.rpartition(".")[2], short_help=short_help, add_help_option=False)
        self._home = home

    def load(self) -> click.Command:
        """The command itself."""
        from importlib import import_module

        command: click.Command = getattr(import_module(f"sertag.cli.{self._home}"), self.name or "")
        return command


class DefaultGroup(Group):
    """A group that takes what is not one of its commands as arguments of its first command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that arguments begin with, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Deferred) else command, rest

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [self._default.name or "", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands and the options of the default one."""
        return [*super().shell_complete(ctx, incomplete), *self._default.shell_complete(ctx, incomplete)]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples, then the help."""
        formatter.write(f"{_EXAMPLES}\n")
        super().format_help(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the default command, then the commands."""
        self._default.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    @property
    def _default(self) -> click.Command:
        return next(iter(self.commands.values()))


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
