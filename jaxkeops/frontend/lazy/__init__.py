"""Lazy tensors: expressions of arrays on all pairs of rows, computed when they are reduced.

Of arrays it knows the contract in `frontend.arrays`; each door fulfils it, and makes two classes of
`RealTensor` and `ComplexTensor`.
"""

from .complex import ComplexTensor as ComplexTensor
from .expression import Expression as Expression, variable as variable
from .leaf import Leaf as Leaf
from .products import Product as Product
from .protocols import apply_function as apply_function
from .real import RealTensor as RealTensor
from .reduced import Reduced as Reduced
