"""What a notebook calls beside the models: claims, plots, widgets, the ladder."""
