"""From frames of samples to spectra, mel bands and pitch."""
