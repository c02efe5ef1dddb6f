"""Training, evaluation and conversion of models for sertag; not part of what `pip install sertag` installs.

The way: corpora -> features -> recipes -> training -> evaluation -> conversion -> card, a folder each.
Features come from `sertag.features.mfcc` and speech from `sertag.features.vad`: nothing is defined twice. TensorFlow
is imported inside the functions that need it, so that corpora, figures and cards can be worked on without it.
"""
