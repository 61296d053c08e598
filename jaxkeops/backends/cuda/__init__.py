"""CUDA C++ of programs, compiled by NVRTC when a kernel is first needed."""

from .launch import Launch as Launch, Source as Source, Step as Step
