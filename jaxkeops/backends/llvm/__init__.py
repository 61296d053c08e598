"""Machine code for this CPU, compiled by LLVM in this process."""

from .build import (
    Code as Code,
    assembly as assembly,
    compile_object as compile_object,
    fingerprint as fingerprint,
    load as load,
    verify as verify,
)
from .emit import (
    emit as emit,
    emit_few as emit_few,
    most_columns as most_columns,
    row_block as row_block,
    workspace_bytes as workspace_bytes,
)
from .host import host as host
