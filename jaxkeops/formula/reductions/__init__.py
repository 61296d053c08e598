"""The reductions of the language. Importing this package fills the registry `REDUCTIONS`."""

from . import exponential as exponential, extremum as extremum, lowest as lowest, total as total
