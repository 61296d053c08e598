"""What a schedule may ask of a CPU: lanes, registers, and which instructions it has."""

from dataclasses import dataclass

ITEM_BYTES = {"float32": 4, "float64": 8}
LONG_SUM = 24  # components: from there on, a sum is made of several, where registers allow
REGISTERS_FOR_TWO = 32  # twice what a block of pairs has sums, and as many for what they take


@dataclass(frozen=True)
class Machine:
    """One CPU as the compiler sees it: where code is sent, and what it may use there.

    `name`, `triple` and `features` are LLVM's; `features` is empty when the name says it all.
    `fma` also promises rounding instructions (SSE4.1 on x86), which every CPU with FMA has.
    `scalef` promises the AVX-512 F, DQ, BW and VL instructions.
    `half` promises conversions between float16 and float32 (F16C on x86).
    `madd` promises sums of two products of 16-bit integers (AVX2), and `vnni` that the same
    instruction adds them to a third number (AVX-512 VNNI).
    """

    name: str
    triple: str
    features: str = ""
    vector_bytes: int = 16
    registers: int = 16
    fma: bool = False
    scalef: bool = False
    half: bool = False
    madd: bool = False
    vnni: bool = False

    def lanes(self, dtype: str) -> int:
        """How many values of `dtype` ("float32" or "float64") fill one vector register."""
        return self.vector_bytes // ITEM_BYTES[dtype]

    def ways(self, count: int) -> int:
        """Of how many sums one over `count` components is made, of every so manieth of them.

        A sum rounds less often the shorter it is, and is a chain of its own.
        """
        return 2 if count >= LONG_SUM and self.registers >= REGISTERS_FOR_TWO else 1
