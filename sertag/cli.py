"""The command line: what can be typed, and what a mistake in typing is answered. The only module that imports click.

Everything heavy is imported inside the commands, so that `--help` and completion answer at once. Settings come from
flags, then `SERTAG_*` variables, then the file of `--config`, then the user's own configuration file.
"""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from sertag import __version__, signals
from sertag.exit_codes import Exit
from sertag.formats import FORMATS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from sertag.model import Model

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic only since click 8.5

_EXAMPLES = """\
Examples:
  sertag ./calls --out results.csv
  sertag ./calls --out results.csv --roles agent,customer --segments windows.csv
  sertag ./calls --out results.csv --roles agent,customer --only-role customer
  find /rec -name '*.wav' -print0 | sertag --files-from - -0 --format jsonl
  sox in.wav -t wav - | sertag - --format json
"""

_CONTEXT = {"max_content_width": 100}
# The numerical libraries would start a thread for each processor in each worker; sertag is parallel over files instead.
_THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class _Tag(click.Command):
    """The main command, whose help begins with examples too."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"{_EXAMPLES}\n")
        super().format_help(ctx, formatter)


class _Group(click.Group):
    """A group that, without arguments, is a usage error whatever the version of click."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(int(Exit.USAGE))
        return super().parse_args(ctx, args)


class _DefaultGroup(_Group):
    """A group that takes what is not one of its commands as arguments of its first command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [self._default.name or "", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        return [*super().shell_complete(ctx, incomplete), *self._default.shell_complete(ctx, incomplete)]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"{_EXAMPLES}\n")
        super().format_help(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self._default.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    @property
    def _default(self) -> click.Command:
        return next(iter(self.commands.values()))


class _Channels(_ParamType):
    name = "split|mix|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in ("split", "mix"):
            return value
        if str(value).isascii() and str(value).isdigit():
            return int(value)
        self.fail(f"{value!r} is not split, mix or the number of a channel, counted from 0", param, ctx)


class _Names(_ParamType):
    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        names = value.split(",") if isinstance(value, str) else value
        stripped = tuple(name.strip() for name in names)
        if not all(stripped):
            self.fail(f"{value!r} has an empty name", param, ctx)
        return stripped


class _Number(_ParamType):
    name = "number"

    def __init__(self, *, over: float = -math.inf, least: float = -math.inf, most: float = math.inf) -> None:
        self._over, self._least, self._most = over, least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number > self._over and self._least <= number <= self._most):
            wanted = "a number over 0" if self._over == 0 else f"a number from {self._least:g} to {self._most:g}"
            self.fail(f"{value!r} is not {wanted}", param, ctx)
        return number


def _load_config(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Put the settings of the configuration files where click looks after flags and environment."""
    if ctx.resilient_parsing:  # completion must not fail on a bad file
        return value
    from sertag import config

    options = {option.opts[-1].lstrip("-"): option for option in ctx.command.params if _is_setting(option)}
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
    ctx.default_map = settings
    return value


def _complete_model(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from sertag.model import bundled

    return [CompletionItem(name) for name in bundled() if name.startswith(incomplete)]


def _is_setting(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and parameter.name not in ("config", "help")


def _toml_kinds(parameter: click.Parameter) -> tuple[type, ...]:
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return (bool,)
    if parameter.multiple or isinstance(parameter.type, _Names):
        return (list, str) if isinstance(parameter.type, _Names) else (list,)
    if isinstance(parameter.type, _Channels):
        return (str, int)
    if isinstance(parameter.type, _Number):
        return (float,)
    return (int,) if isinstance(parameter.type, click.IntRange) else (str,)


@click.group(cls=_DefaultGroup, context_settings=_CONTEXT, options_metavar="", subcommand_metavar="[OPTIONS] PATHS...")
def cli() -> None:
    """Tag call recordings with emotions: one row for every file and channel.

    PATHS are files, directories, which are searched, or - for audio on standard input. Every option can also be set
    by an environment variable (SERTAG_JOBS=4) or in a configuration file (jobs = 4).
    """


@cli.command(
    cls=_Tag, context_settings=_CONTEXT | {"auto_envvar_prefix": "SERTAG"}, short_help="Tag recordings (the default)."
)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "-o",
    "--out",
    default="-",
    metavar="FILE",
    help="Result table; the suffix decides the format: .csv .tsv "
    ".json .jsonl .parquet. - is standard output: a table on a terminal, CSV in a pipe.  [default: -]",
)
@click.option("-f", "--format", type=click.Choice(FORMATS), help="Format of the result table, overrides the suffix.")
@click.option("--segments", metavar="FILE", help="Second table: one row per window, format from its suffix.")
@click.option("--summary", metavar="FILE", help="JSON summary of the run.")
@click.option("--files-from", metavar="FILE", help="Read paths from a list, one a line; - is standard input.")
@click.option("-0", "--null", is_flag=True, help="The list, and the output of --dry-run, is NUL-separated.")
@click.option(
    "--include",
    multiple=True,
    metavar="GLOB",
    help="In directories, take files that match, whatever their suffix; can be repeated.  [default: audio suffixes]",
)
@click.option("--exclude", multiple=True, metavar="GLOB", help="In directories, leave out what matches; repeatable.")
@click.option(
    "--channels",
    type=_Channels(),
    default="split",
    help="One row per channel, all mixed down, or only channel N, counted from 0.  [default: split]",
)
@click.option("--roles", type=_Names(), default=(), help="Names of channel 0, 1, …")
@click.option("--only-role", metavar="NAME", help="Score that role alone; the others get no rows.")
@click.option(
    "-m",
    "--model",
    metavar="NAME|FILE",
    help="Bundled model or an .onnx file of yours.  [default: phone]",
    shell_complete=_complete_model,
)
@click.option("--hop", type=_Number(over=0), metavar="SECONDS", help="Step between windows.  [default: from the model]")
@click.option(
    "--min-confidence",
    type=_Number(least=0, most=1),
    metavar="X",
    help="Under it a window or a row is `uncertain`.  [default: from the model]",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Worker processes.  [default: the processors this process may use]",
)
@click.option(
    "--timeout",
    type=_Number(over=0),
    default=3600.0,
    metavar="SECONDS",
    help="A file that takes longer is given up, a `failed` row.  [default: 3600]",
)
@click.option(
    "--raw",
    metavar="FORMAT[:RATE[:CHANNELS]]",
    help="Files without a header are samples of that kind, whatever their suffix: ulaw, alaw, s16le, gsm, vox, g722, "
    "…  [default: by the suffix, as .ulaw or .sln16]",
)
@click.option(
    "--max-duration",
    type=_Number(over=0),
    default=86400.0,
    metavar="SECONDS",
    help="A longer recording is a `failed` row.  [default: 86400, a day]",
)
@click.option(
    "--resume/--no-resume",
    default=True,
    help="Take the rows of files that have not changed from the journal beside --out, where every run keeps what "
    "it has finished.  [default: resume]",
)
@click.option("--strict", is_flag=True, help="no_speech, too_short and uncertain count as failures for the exit code.")
@click.option("--dry-run", is_flag=True, help="List what would be tagged, count what would be reused, and do nothing.")
@click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    callback=_load_config,
    help="TOML file with long option names "
    "as keys. Flags and SERTAG_* variables come first; $XDG_CONFIG_HOME/sertag/config.toml comes last.",
)
@click.option("-q", "--quiet", is_flag=True, help="No messages but errors.")
@click.option("-v", "--verbose", is_flag=True, help="More messages, with tracebacks.")
@click.option("--log-file", metavar="FILE", help="Append all messages to a file.")
@click.option("--log-format", type=click.Choice(("text", "json")), default="text", help="Of messages.  [default: text]")
@click.option("--progress/--no-progress", default=None, help="Show progress on stderr.  [default: on a terminal]")
@click.option("--bom", is_flag=True, help="Begin CSV and TSV with a byte-order mark, for spreadsheets.")
@click.version_option(__version__, message="sertag %(version)s")
def tag(**given: Any) -> None:
    """Tag recordings with emotions: one row for every file and channel."""
    from sertag.request import Request, RequestError
    from sertag.run import run

    del given["config"]  # its callback has put the settings where the other options found them
    try:
        code = run(Request(**given))
    except RequestError as error:
        raise click.UsageError(str(error)) from error
    except BrokenPipeError:  # `head` has seen enough: silently, as `cat` ends
        code = Exit.READER_LEFT
    click.get_current_context().exit(int(code))


@cli.group(cls=_Group)
def models() -> None:
    """Look at bundled models and model files."""


@models.command("list")
def list_models() -> None:
    """List the bundled models, and what each may be used for."""
    from sertag import model_file

    for name in model_file.bundled():
        found = model_file.describe(name)
        default = " (default)" if name == model_file.DEFAULT_MODEL else ""
        megabytes = os.path.getsize(found.path) / 1e6
        click.echo(f"{name}{default}: version {found.spec.version}, {megabytes:.1f} MB, {', '.join(found.spec.labels)}")
        click.echo(f"  {found.spec.licence}")


@models.command()
@click.argument("model", shell_complete=_complete_model)
def info(model: str) -> None:
    """Show what a model file says of itself, as JSON."""
    import json

    from sertag.spec import to_json

    loaded = _load_model(model)
    document = {"file": loaded.path, "sha256": loaded.sha256} | json.loads(to_json(loaded.spec))
    click.echo(json.dumps(document, indent=2))


@models.command()
@click.argument("model", shell_complete=_complete_model)
def check(model: str) -> None:
    """Recompute the probe inside a model file and compare."""
    from sertag import probe

    problems = probe.check(_load_model(model))
    for problem in problems:
        click.echo(f"error: {model}: {problem}", err=True)
    if problems:
        click.get_current_context().exit(int(Exit.MODEL))
    click.echo(f"{model}: sound")


@cli.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    For bash: eval "$(sertag completion bash)" in ~/.bashrc.
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"no completion for {shell}")
    script = complete(cli, {}, "sertag", "_SERTAG_COMPLETE")
    # Not `source()`, which for bash runs bash to look at its version.
    click.echo(script.source_template % script.source_vars())


def main() -> None:
    """Entry point of the `sertag` command."""
    for name in _THREAD_VARIABLES:  # before numpy is loaded, which reads them once
        os.environ.setdefault(name, "1")
    try:
        signals.install()
        cli.main(prog_name="sertag")
    except signals.Stopped as stop:
        signals.ignore()
        sys.exit(stop.exit_code)


def _load_model(name: str) -> Model:
    from sertag.errors import ModelError
    from sertag.model import load

    try:
        return load(name)
    except ModelError as error:
        click.echo(f"error: {error}", err=True)
        click.get_current_context().exit(int(Exit.MODEL))
