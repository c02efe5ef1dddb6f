"""How the input of a model is computed from samples. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from sertag.spec.json_codec import require as _require

Kind = Literal["mfcc", "log_mel", "waveform"]
Framing = Literal["channel", "clip"]
Normalisation = Literal["none", "channel_speech", "channel_voice"]
Pooling = Literal["none", "mean"]

_CHOICES: dict[str, Any] = {"kind": Kind, "framing": Framing, "normalisation": Normalisation, "pooling": Pooling}


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """How samples become features; the definitions are those of librosa 0.11 (`librosa.feature.mfcc`).

    Attributes:
        kind: `mfcc`, `log_mel`, or `waveform` for graphs that take samples.
        rate_hz: sample rate to which audio is resampled.
        framing: `channel` computes frames once for a whole channel and cuts windows from them; `clip` computes each
            window from its own samples, zero-padded at both ends, as papers do with cut clips.
        n_fft, win_length, hop_length: samples. Frames are centred and the ends zero-padded.
        n_mels, fmin_hz, fmax_hz: triangular bands, Slaney's scale and area normalisation, power spectrum.
        floor_power: mel power below which the logarithm is clipped (librosa's `amin`).
        dynamic_range_db: values are clipped this many dB below the loudest bin of the clip (librosa's `top_db`); None
            for `floor_power` only, which is required with `framing="channel"`.
        n_mfcc: number of cepstral coefficients of the orthonormal DCT-II; unused for `log_mel`.
        lifter: sinusoidal liftering as in HTK, 0 for none.
        delta_order: 0, 1 or 2 derivatives appended to the coefficients, each over `delta_width` frames.
        delta_width: odd number of frames.
        n_pitches: number of candidate pitches, in equal ratios from `pitch_min_hz` to `pitch_max_hz`. Voicing and pitch
            are three columns behind the coefficients (see `sertag.features.spectral.pitch`). 0 for no such columns,
            which is required with `framing="clip"`.
        pooling: `mean` replaces the frames of a window by their mean, giving shape (coefficients, 1).
        normalisation: with `channel_speech` the graph has further inputs: mean and standard deviation of the speech
            frames of the channel, and their number (`channel_mean`, `channel_std`, `speech_frames`). `channel_voice`
            is the same, weighted by voicing, with the standard deviation around a local mean (see
            `sertag.features.normalization`). With `none` the graph uses only its own constants.
    """

    kind: Kind = "mfcc"
    rate_hz: int = 8000
    framing: Framing = "channel"
    n_fft: int = 256
    win_length: int = 256
    hop_length: int = 80
    n_mels: int = 40
    fmin_hz: float = 0.0
    fmax_hz: float = 4000.0
    floor_power: float = 1e-10
    dynamic_range_db: float | None = None
    n_mfcc: int = 40
    lifter: int = 0
    delta_order: int = 0
    delta_width: int = 9
    n_pitches: int = 0
    pitch_min_hz: float = 70.0
    pitch_max_hz: float = 560.0
    pooling: Pooling = "none"
    normalisation: Normalisation = "none"

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            _require(value in get_args(allowed), f"features.{name}", value, get_args(allowed))
        _require(1000 <= self.rate_hz <= 192_000, "features.rate_hz", self.rate_hz, "1000 to 192000")
        _require(16 <= self.n_fft <= 65_536, "features.n_fft", self.n_fft, "16 to 65536")
        _require(2 <= self.win_length <= self.n_fft, "features.win_length", self.win_length, "2 to n_fft")
        _require(1 <= self.hop_length <= self.n_fft, "features.hop_length", self.hop_length, "1 to n_fft")
        _require(1 <= self.n_mels <= 1024, "features.n_mels", self.n_mels, "1 to 1024")
        _require(1 <= self.n_mfcc <= self.n_mels or self.kind != "mfcc", "features.n_mfcc", self.n_mfcc, "1 to n_mels")
        bands_ok = 0 <= self.fmin_hz < self.fmax_hz <= self.rate_hz / 2
        _require(bands_ok, "features.fmin_hz, fmax_hz", (self.fmin_hz, self.fmax_hz), "0 <= fmin < fmax <= rate / 2")
        _require(0 < self.floor_power < 1, "features.floor_power", self.floor_power, "between 0 and 1")
        range_ok = self.dynamic_range_db is None or 0 < self.dynamic_range_db <= 1000
        _require(range_ok, "features.dynamic_range_db", self.dynamic_range_db, "0 to 1000 dB, or null")
        _require(self.lifter >= 0, "features.lifter", self.lifter, "0 or more")
        _require(self.delta_order in (0, 1, 2), "features.delta_order", self.delta_order, (0, 1, 2))
        width_ok = self.delta_width >= 3 and self.delta_width % 2 == 1
        _require(width_ok, "features.delta_width", self.delta_width, "an odd number from 3")
        _require(0 <= self.n_pitches <= 1024, "features.n_pitches", self.n_pitches, "0 to 1024")
        pitches_ok = not self.n_pitches or 0 < self.pitch_min_hz < self.pitch_max_hz <= self.rate_hz / 2
        found = (self.pitch_min_hz, self.pitch_max_hz)
        _require(pitches_ok, "features.pitch_min_hz, pitch_max_hz", found, "0 < pitch_min < pitch_max <= rate / 2")
        if self.framing == "channel":
            absolute = self.dynamic_range_db is None
            _require(absolute, "features.dynamic_range_db", self.dynamic_range_db, "null with framing channel")
            _require(self.pooling == "none", "features.pooling", self.pooling, "none with framing channel")
            _require(self.kind != "waveform", "features.kind", self.kind, "framing clip with waveform")
        else:
            constant = self.normalisation == "none"
            _require(constant, "features.normalisation", self.normalisation, "none with framing clip")
            _require(self.n_pitches == 0, "features.n_pitches", self.n_pitches, "0 with framing clip")
        if self.normalisation == "channel_voice":
            _require(self.n_pitches > 0, "features.n_pitches", self.n_pitches, "1 or more with channel_voice")

    @property
    def frame_rate_hz(self) -> float:
        """Frames per second."""
        return self.rate_hz / self.hop_length

    @property
    def n_coefficients(self) -> int:
        """Numbers per frame, or per sample of a waveform, in the input of the graph."""
        if self.kind == "waveform":
            return 1
        base = self.n_mfcc if self.kind == "mfcc" else self.n_mels
        return base * (1 + self.delta_order) + self.pitch_columns

    @property
    def pitch_columns(self) -> int:
        """How many of the last columns are voicing and pitch."""
        return 3 if self.n_pitches else 0

    @property
    def by_channel(self) -> bool:
        """Whether the graph takes statistics of the channel."""
        return self.normalisation != "none"

    @property
    def frame_columns(self) -> int:
        """Numbers per frame before the coefficients are computed: mel bands, then voicing and pitch."""
        return self.n_mels + self.pitch_columns
