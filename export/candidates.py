"""What the recipe of the default model might have been: candidates that differ from it in one decision each.

Fixed before any of them was measured by `export.choice`. Most are other settings; one is another network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from export import fit_phone as phone_training
from export.errors import ExportError
from export.fit_phone import Settings
from export.recipe import Task
from export.recipes.phone import RECIPE

if TYPE_CHECKING:
    import keras

AS_IT_IS = "as it is"
DROPOUT = "dropout in the LSTM"
CHANGES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        AS_IT_IS: {},
        DROPOUT: {},  # see `_with_dropout`
        "normalised by all speech of the channel": {"features.normalisation": "channel_speech"},
        "no noise in training": {"mixture.noisy": "0"},
        "half as long": {"windows": "50000"},
    }
)
# Members learn apart, so that each is also what a network without the others would be.
MEMBERS = MappingProxyType({"LSTM alone": "member_lstm", "functionals alone": "member_functionals"})
_DENSE = 64  # units of the layer behind the LSTM, and of no other dense layer


def settings_of(candidate: str) -> Settings:
    """The settings of its training; `network_of` is the other half of a candidate.

    >>> settings_of("half as long").windows
    50000
    """
    return changed(Settings(), CHANGES.get(candidate, {}))


def changed(settings: Settings, changes: Mapping[str, str]) -> Settings:
    """Settings with some of them changed.

    Args:
        settings: to begin with.
        changes: name of a setting, or behind a dot of its `mixture` or `features` -> value.

    Raises:
        ExportError: no such setting, or no value of its kind.

    >>> changed(Settings(), {"epochs": "20", "mixture.clean": "0.3"}).mixture.clean
    0.3
    """
    for name, value in changes.items():
        part, _, own = name.rpartition(".")
        if part in ("mixture", "features"):
            settings = dataclasses.replace(settings, **{part: _with(getattr(settings, part), own, value, name=name)})
        elif not part:
            settings = _with(settings, own, value, name=name)
        else:
            raise _no_setting(name, settings)
    return settings


@contextmanager
def network_of(candidate: str) -> Iterator[None]:
    """Have `fit_phone`, which knows one recipe, build the network of a candidate."""
    namespace = vars(phone_training)
    before = namespace["RECIPE"]
    if candidate == DROPOUT:
        namespace["RECIPE"] = dataclasses.replace(before, build=_with_dropout)
    if candidate in MEMBERS:
        namespace["RECIPE"] = dataclasses.replace(before, build=lambda task: alone(RECIPE.build(task), candidate))
    try:
        yield
    finally:
        namespace["RECIPE"] = before


def alone(model: keras.Model, member: str) -> keras.Model:
    """One of `MEMBERS` of the recipe's network, with its weights."""
    import keras

    return keras.Model(model.input, keras.ops.softmax(model.get_layer(MEMBERS[member]).output))


def _with_dropout(task: Task) -> keras.Model:
    """The recipe's network with dropout behind each convolution and around the LSTM and the dense layer behind it."""
    import keras

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        if isinstance(layer, keras.layers.ReLU):
            return keras.layers.SpatialDropout1D(0.1)(layer(*inputs, **options))
        if isinstance(layer, keras.layers.Bidirectional):
            return layer(keras.layers.Dropout(0.2)(*inputs), **options)
        if isinstance(layer, keras.layers.Dense) and layer.units == _DENSE:
            return keras.layers.Dropout(0.2)(layer(keras.layers.Dropout(0.3)(*inputs), **options))
        return layer(*inputs, **options)

    return keras.models.clone_model(RECIPE.build(task), call_function=call)


def _with(target: Any, own: str, value: str, *, name: str) -> Any:
    """A record with one of its numbers or words changed."""
    before = getattr(target, own, None)
    if not isinstance(before, int | float | str) or own not in {item.name for item in dataclasses.fields(target)}:
        raise _no_setting(name, target)
    try:
        return dataclasses.replace(target, **{own: type(before)(value)})
    except ValueError as error:
        kind = type(before).__name__
        raise ExportError(f"--set {name}={value}: expected {kind}, such as {before}", code="bad_setting") from error


def _no_setting(name: str, target: Any) -> ExportError:
    own = [
        item.name for item in dataclasses.fields(target) if isinstance(getattr(target, item.name), int | float | str)
    ]
    return ExportError(f"--set {name}: no such setting; expected one of {', '.join(own)}", code="bad_setting")
