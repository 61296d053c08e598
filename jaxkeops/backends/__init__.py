"""The machines that programs can be compiled for, one folder each."""
