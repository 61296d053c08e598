"""Times jaxkeops on a GPU beside what users write there today."""
