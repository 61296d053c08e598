"""Times jaxkeops beside what users write today: `python -m benchmarks`, from the root."""
