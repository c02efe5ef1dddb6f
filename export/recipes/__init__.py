"""Recipes: one short file a model, in pure Keras."""

from __future__ import annotations

from types import MappingProxyType

from export.recipes import augmented, bilstm, lstm_batchnorm, lstm_masked, lstm_mean_mfcc, phone, phone_deep
from export.recipes.base import Recipe

RECIPES: MappingProxyType[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            lstm_mean_mfcc.RECIPE,
            lstm_mean_mfcc.SENTIMENT,
            lstm_batchnorm.RECIPE,
            bilstm.RECIPE,
            lstm_masked.RECIPE,
            augmented.CNN,
            augmented.LSTM,
            phone.RECIPE,
            phone_deep.RECIPE,
        )
    }
)
