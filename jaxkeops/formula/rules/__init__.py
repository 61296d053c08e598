"""The rewrite rules of formulas. Importing this package fills the table `RULES`."""

from . import arithmetic as arithmetic, coordinates as coordinates, fold as fold
from .rule import (
    ANY_ZERO as ANY_ZERO,
    COMMUTATIVE as COMMUTATIVE,
    RULES as RULES,
    Rule as Rule,
    is_zero as is_zero,
    narrowed as narrowed,
)
