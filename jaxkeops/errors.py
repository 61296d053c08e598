"""Every exception that jaxkeops raises on purpose."""

from __future__ import annotations


class JaxKeopsError(Exception):
    """Base class, so that a caller can catch all that this library raises."""


class FormulaError(JaxKeopsError, ValueError):
    """A formula that cannot be read, or whose dimensions do not fit."""

    located: bool = False  # True once the message shows where in the formula it is


class FormulaSyntaxError(FormulaError, SyntaxError):
    """A formula that is not an expression of the language."""

    __str__ = Exception.__str__  # SyntaxError's own reads fields that a message alone leaves unset


class UnknownNameError(FormulaError, NameError):
    """A formula or a reduction that names something that does not exist."""


class ArgumentError(JaxKeopsError, ValueError):
    """Arrays, shapes or options that do not fit the formula."""


class ArgumentTypeError(JaxKeopsError, TypeError):
    """An argument of a type that is not accepted."""


class NotDifferentiableError(JaxKeopsError, NotImplementedError):
    """A derivative that does not exist, or that is not available."""


class NoBackendError(JaxKeopsError, RuntimeError):
    """No machine here can run what was asked."""


class DeviceError(JaxKeopsError, RuntimeError):
    """A GPU, or its driver, that refused: the driver's own words are in the message."""


class CompileError(JaxKeopsError, RuntimeError):
    """A kernel that could not be compiled: always a fault of this library."""


class ImportConflictError(JaxKeopsError, ImportError):
    """Modules of PyKeOps that are asked of jaxkeops, and are loaded from PyKeOps already."""


class ConvergenceWarning(JaxKeopsError, RuntimeWarning):
    """A solve that ended before its residual was as small as asked."""


class SettingWarning(JaxKeopsError, UserWarning):
    """A setting of PyKeOps that a program writes, and that changes nothing here."""


class TruthWarning(JaxKeopsError, UserWarning):
    """A lazy tensor where a truth value is expected: it counts as true, whatever its values."""


def point_at(formula: str, column: int, error: FormulaError) -> FormulaError:
    """The same error, with the line of the formula below it and a caret under `column`."""
    start = formula.rfind("\n", 0, column) + 1
    end = formula.find("\n", column)
    line = formula[start : end if end >= 0 else len(formula)]
    text = f"{error}\n    {line}\n    {' ' * (column - start)}^"
    located = type(error)(text)
    located.located = True
    return located
