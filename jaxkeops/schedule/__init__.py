"""Turns a formula into a program for a machine."""

from .choose import (
    choose_schedule as choose_schedule,
    least_for_records as least_for_records,
    nanoseconds_per_pair as nanoseconds_per_pair,
    nanoseconds_per_part as nanoseconds_per_part,
)
from .cost import Cost as Cost, cost_of as cost_of
from .gpu import (
    choose_cut as choose_cut,
    few_rows as few_rows,
    lower_for_gpus as lower_for_gpus,
)
from .lower import lower as lower
