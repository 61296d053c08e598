"""Tests of real GPUs, which are left out where there is none."""

from __future__ import annotations

import pytest

from jaxkeops.errors import NoBackendError
from jaxkeops.runtime import native


@pytest.fixture(scope="session", autouse=True)
def gpu() -> None:
    try:
        native.cuda_devices()
    except NoBackendError as fault:
        pytest.skip(str(fault))
