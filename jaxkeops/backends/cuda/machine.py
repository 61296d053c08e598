"""What a schedule may ask of a GPU."""

from ...ir.machine import Machine

# The lanes are the threads of a block: vector_bytes only says how much is read at once.
MACHINE = Machine(
    "cuda", "nvptx64-nvidia-cuda", vector_bytes=16, registers=128, fma=True, half=True
)
