"""What the three doors share: options, checks, shapes and ranges. Of arrays it knows NumPy's."""
