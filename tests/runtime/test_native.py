"""The extension module: light to import, kindly missed, and described by its stub."""

import ast
import sys
from pathlib import Path

import pytest

from jaxkeops.runtime import native

PACKAGE = Path(native.__file__).parent.parent


def test_the_runtime_imports_no_array_library(in_new_process):
    shown = in_new_process(
        """
        import subprocess, sys
        text = "import sys, jaxkeops.runtime.native, jaxkeops.runtime.cache as c;" \\
               "print(sorted({'numpy', 'jax', 'torch', 'llvmlite'} & set(sys.modules)))"
        print(subprocess.run([sys.executable, "-c", text], capture_output=True, text=True).stdout)
        """
    )
    assert shown.strip() == "[]"


def test_a_missing_module_is_explained(in_new_process):
    shown = in_new_process(
        """
        import sys
        sys.modules["jaxkeops._native"] = None
        from jaxkeops.runtime import native
        print(native.AVAILABLE, hasattr(native, "no_such_name"))
        for use in (native.require, lambda: native.Kernel):
            try:
                use()
            except ImportError as error:
                print(error)
        """
    )
    assert shown.startswith("False False\n")
    assert shown.count("needs its extension module jaxkeops._native") == 2
    assert "pip install" in shown


def test_all_names_are_handed_on():
    public = {name for name in dir(native._native) if not name.startswith("_")}
    assert public == set(native.__all__)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="stubs of other versions differ in form")
def test_the_stub_describes_the_module():
    """Regenerate with `python -m nanobind.stubgen -m jaxkeops._native -o jaxkeops/_native.pyi`."""
    stubgen = pytest.importorskip("nanobind.stubgen")
    generator = stubgen.StubGen(native._native)
    generator.put(native._native)
    stored = ast.parse((PACKAGE / "_native.pyi").read_text())
    assert shape(stored) == shape(ast.parse(generator.get()))


def shape(tree):
    """A module's text without layout: docstrings cleaned, imports aside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            doc = ast.get_docstring(node)
            if doc is not None:
                node.body[0] = ast.Expr(ast.Constant(doc))
    tree.body = [n for n in tree.body if not isinstance(n, ast.Import | ast.ImportFrom)]
    return ast.unparse(tree)
