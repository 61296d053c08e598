"""CUDA C++ of programs, compiled by NVRTC when a kernel is first needed."""

from .build import compile_code as compile_code, fingerprint as fingerprint
from .launch import Launch as Launch, Source as Source, Step as Step
