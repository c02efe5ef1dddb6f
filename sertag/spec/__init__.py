"""The specification that travels inside a model file: how features are made and what the outputs mean."""

from sertag.spec.dimension import Dimension
from sertag.spec.feature_spec import FeatureSpec, Framing, Kind, Normalisation, Pooling
from sertag.spec.model_spec import (
    SENTIMENTS,
    SPEC_KEY,
    SPEC_VERSION,
    ModelSpec,
    Probe,
    from_json,
    to_json,
)

__all__ = [
    "SENTIMENTS",
    "SPEC_KEY",
    "SPEC_VERSION",
    "Dimension",
    "FeatureSpec",
    "Framing",
    "Kind",
    "ModelSpec",
    "Normalisation",
    "Pooling",
    "Probe",
    "from_json",
    "to_json",
]
