"""What a training run is shown by: its measurements, tables, plots, and the folder that holds them together."""
