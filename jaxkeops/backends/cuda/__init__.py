"""CUDA C++ of programs, compiled by NVRTC when a kernel is first needed."""

from .build import (
    compile_code as compile_code,
    fingerprint as fingerprint,
    libraries as libraries,
)
from .cut import Cut as Cut
from .emit import OPTIONS as OPTIONS, emit as emit, prelude as prelude
from .launch import Launch as Launch, Source as Source, Step as Step
from .machine import MACHINE as MACHINE
from .pieces import weights_of as weights_of
from .planes import (
    NotByTilesError as NotByTilesError,
    Planes as Planes,
    Sweep as Sweep,
    planes_of as planes_of,
)
from .scaling import Scaling as Scaling, scaling_of as scaling_of
from .tile import tile_bytes as tile_bytes
