"""How LLVM's text spells types and constants."""

import struct


def vector(element: str, width: int) -> str:
    """The type of `width` lanes: <16 x float>, or float for one."""
    return element if width == 1 else f"<{width} x {element}>"


def suffix(element: str, width: int) -> str:
    """The name of a type inside an intrinsic's name: v16f32."""
    short = {"float": "f32", "double": "f64"}.get(element, element)
    return short if width == 1 else f"v{width}{short}"


def item_bytes(element: str) -> int:
    """The size of one lane in memory."""
    return {"float": 4, "double": 8}.get(element) or int(element[1:]) // 8


def type_bytes(type: str) -> int:
    """The size of a value in memory: a vector, "<16 x float>", or one lane."""
    if not type.startswith("<"):
        return item_bytes(type)
    width, element = type.strip("<>").split(" x ")
    return int(width) * item_bytes(element)


def hexadecimal(value: float, dtype: str) -> str:
    """LLVM's exact spelling: the bits of the value as a binary64, whatever the type.

    Not cached by value: -0.0 == 0.0.
    """
    if dtype == "float32":
        value = _round_to_float32(value)
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def _round_to_float32(value: float) -> float:
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
