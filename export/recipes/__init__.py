"""Recipes: networks in pure Keras with the settings of their authors."""

from __future__ import annotations

from types import MappingProxyType

from export.recipes import augmented, lstm, phone, phone_deep
from export.recipes.base import Recipe

_OF_THE_FIELD = (lstm.MEAN, lstm.SENTIMENT, lstm.BATCHNORM, lstm.BILSTM, lstm.MASKED, augmented.CNN, augmented.LSTM)

RECIPES: MappingProxyType[str, Recipe] = MappingProxyType(
    {recipe.name: recipe for recipe in (*_OF_THE_FIELD, phone.RECIPE, phone_deep.RECIPE)}
)
