"""Runs pytest with jaxkeops under PyKeOps' names, or with PyKeOps: for tools/dropin."""

import sys

import pytest

import jaxkeops

if __name__ == "__main__":
    with_library, *arguments = sys.argv[1:]
    if with_library == "jaxkeops":
        jaxkeops.install_as_pykeops()
    print(f"On {with_library}:", *arguments)
    sys.exit(pytest.main(arguments))
