"""Times jaxkeops beside what users write today; knows the doors of jaxkeops, and no more of it."""
