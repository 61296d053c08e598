"""Runs compiled kernels and keeps compiled code; knows no formula and no program."""
