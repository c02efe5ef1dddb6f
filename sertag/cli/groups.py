"""Kinds of commands: with examples, with a default, and those whose modules are loaded when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sertag.errors import Exit

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
