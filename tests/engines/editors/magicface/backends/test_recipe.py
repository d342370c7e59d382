"""Code that shapes the exported graphs does not change without somebody looking at its version."""

import ast
import hashlib
import json
from pathlib import Path

import engines
from engines.editors.magicface.backends.ports import RECIPE_VERSION

ENGINES = Path(engines.__file__).parent
RECORD = Path(__file__).parent / "recipe.json"
RECIPE = (
    "editors/magicface/model/attention.py",
    "editors/magicface/model/unet.py",
    "editors/magicface/model/vae.py",
    "editors/magicface/backends/components.py",
    "editors/magicface/backends/ports.py",
    "trt/export.py",
)
"""Under engines/. What they import from elsewhere moves tensors about, or is a library, whose
version is a fact of the key."""


def _bare(node):
    """What a piece of code does: no places, comments, docstrings, imports or annotations."""
    if isinstance(node, list):
        kept = [n for n in node if not isinstance(n, ast.Import | ast.ImportFrom) and not _text(n)]
        return [_bare(n) for n in kept]
    if not isinstance(node, ast.AST):
        return repr(node)
    dropped = {"ctx", "type_comment", "kind", "annotation", "returns", "type_params"}
    fields = [(n, v) for n, v in ast.iter_fields(node) if n not in dropped and v not in (None, [])]
    return [type(node).__name__, *([name, _bare(value)] for name, value in fields)]


def _text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def digest_of(source):
    body = [n for n in ast.parse(source).body if "RECIPE_VERSION" not in ast.dump(n)]
    return hashlib.sha256(json.dumps(_bare(body)).encode()).hexdigest()[:16]


def recorded_now():
    digests = {Path(name).name: digest_of((ENGINES / name).read_text("utf-8")) for name in RECIPE}
    return {"version": RECIPE_VERSION, "code": digests}


def test_changed_recipe_code_comes_with_a_look_at_its_version():
    known, now = json.loads(RECORD.read_text("utf-8")), recorded_now()
    changed = [name for name, digest in now["code"].items() if known["code"].get(name) != digest]
    assert known == now, (
        f"{', '.join(changed) or 'RECIPE_VERSION'} changed since {RECORD.name} was written. If the "
        "exported graphs now compute or name anything else, raise RECIPE_VERSION in "
        "backends/ports.py. Then: python -m tests.engines.editors.magicface.backends.test_recipe"
    )


def test_only_what_the_code_does_counts():
    code = 'def f(x):\n    """Says."""\n    return x + 1\n'
    assert digest_of(code) == digest_of("import os\n# why\ndef f(x: int) -> int:\n    return x + 1")
    assert digest_of(code) != digest_of("def f(x):\n    return x + 2\n")


if __name__ == "__main__":
    RECORD.write_text(json.dumps(recorded_now(), indent=1) + "\n", "utf-8")
