"""Custom modules: a PyTorch module of the user's as an architecture, ``path/to/model.py:build``.

The file is run by :func:`load` alone, which is called for a file that the user has named. A
card or a configuration can name a custom module, but cannot make its file run.

The file's function takes no arguments and returns a module that maps float32 windows ``(batch,
leads, samples)`` to logits ``(batch, classes)``. Constants of the file named as those of
:class:`edgeecg.models.Architecture` (``TASK``, ``CLASSES``, ``INPUT_SHAPE``, ``DATASET``) describe
its data; what is left out is as for ``cnn1d``.
"""

from __future__ import annotations

import copy
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from edgeecg.errors import ArtifactError, UsageError
from edgeecg.files import sha256
from edgeecg.models import Blocks, Widths, _recipes, cnn1d
from edgeecg.models._layer_widths import layer_widths, resize_layer
from edgeecg.models._supported import check_supported
from edgeecg.schema import CustomModule, Task

_LAYERS = "AddmmBackward", "ConvolutionBackward", "MmBackward", "BmmBackward"
_AROUND_WEIGHTS = "TBackward", "TransposeBackward", "ViewBackward", "UnsqueezeBackward"


class CustomArchitecture:
    """What :class:`edgeecg.models.Architecture` asks for, read from the module itself.

    The widths of a layer are what its weights' shapes follow from: inputs, outputs and groups of a
    convolution, inputs and outputs of a linear layer and of an LSTM, channels of a norm.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], object],
        constants: dict[str, Any],
        origin: CustomModule,
    ) -> None:
        """Call the user's function twice and look at what it returns.

        Args:
            name: What the architecture is called from now on.
            make: The user's function.
            constants: The other names that the user's file defines.
            origin: The file and its hash.

        Raises:
            UsageError: It does not return a module, or the module does not map windows to logits.
        """
        # A constant that is None is one that is left out.
        constants = {key: value for key, value in constants.items() if value is not None}
        _check_constants(name, constants)
        self._name = name
        self.origin = origin
        self._make = make
        self._first: nn.Module | None = None
        self.TASK: Task = constants.get("TASK", cnn1d.TASK)
        self.DATASET = str(constants.get("DATASET", cnn1d.DATASET))
        self.CLASSES = tuple(constants.get("CLASSES", cnn1d.CLASSES))
        self.INPUT_SHAPE = cast(
            tuple[int, int], tuple(constants.get("INPUT_SHAPE", cnn1d.INPUT_SHAPE))
        )
        recipe = _recipes.RECORDS if self.TASK == "records" else _recipes.BEATS
        self.RECIPE = recipe.model_copy(update={"model": name})
        # Loading takes as many random numbers as one call of the function.
        with torch.random.fork_rng(devices=[]):
            self._first = self._made()
        model = self._made().eval()
        logits = self._logits(model)
        check_supported(name, model, self.INPUT_SHAPE)
        # One value per position, as attention scores are, is spread over all channels.
        single = tuple(
            name for name, layer in model.named_modules() if layer_widths(layer)[1:2] == (1,)
        )
        self.FIXED = tuple(dict.fromkeys((*_producers(model, logits), *single)))
        self.WIDTHS = self.widths(model)
        self.BLOCKS: Blocks = {}

    def build(self, widths: Widths) -> nn.Module:
        """Call the user's function and give its layers these widths.

        Args:
            widths: As :meth:`widths` returns them.

        Raises:
            ArtifactError: The module has other layers now than when the widths were read.
        """
        model = self._made()
        try:
            for name, values in widths.items():
                resize_layer(model.get_submodule(name), values)
        except (AttributeError, ValueError) as error:
            raise ArtifactError(
                f"The widths do not fit the module '{self._name}'.",
                f"{error}.",
                "The file has changed since; put the old one back, or start a new run.",
            ) from error
        return model

    def widths(self, model: nn.Module) -> dict[str, tuple[int, ...]]:
        """Return the present widths of each layer, by its name."""
        found = {name: layer_widths(module) for name, module in model.named_modules()}
        return {name: sizes for name, sizes in found.items() if sizes}

    def _made(self) -> nn.Module:
        try:
            made = self._make()
        except (Exception, SystemExit) as error:  # The user's code may raise anything.
            raise UsageError(
                f"'{self._name}' makes no model.",
                f"Called without arguments, it raised {type(error).__name__}: {error}.",
                "Correct the function: it takes no arguments and returns a module.",
            ) from error
        if not isinstance(made, nn.Module):
            raise UsageError(
                f"'{self._name}' makes no model.",
                f"A torch.nn.Module was expected, a {type(made).__name__} came.",
                "Let the function return a module for windows (batch, leads, samples).",
            )
        if self._first is not None and _share_weights(self._first, made):
            # The function returns what it has built before, which stays as it is.
            made = self._copied()
        if any(is_lazy(parameter) for parameter in made.parameters()):
            # Lazy layers get their shapes, and become ordinary ones, at the first call.
            with torch.no_grad():
                self._logits(made.eval())
            made.train()
        return made

    def _copied(self) -> nn.Module:
        """Return a copy of what the first call of the function returned.

        Raises:
            UsageError: It cannot be copied.
        """
        try:
            return copy.deepcopy(cast(nn.Module, self._first))
        except Exception as error:  # The user's module may raise anything.
            raise UsageError(
                f"'{self._name}' makes the same model at each call.",
                f"A new one is needed, and it cannot be copied: {type(error).__name__}: {error}.",
                "Let the function build a new module at each call.",
            ) from error

    def _logits(self, model: nn.Module) -> Tensor:
        expected = (2, len(self.CLASSES))
        try:
            logits: object = model(torch.zeros(2, *self.INPUT_SHAPE))
        except (Exception, SystemExit) as error:  # The user's code may raise anything.
            message = " ".join(str(error).split())[:200]
            raise UsageError(
                f"The module '{self._name}' does not take the windows.",
                f"Given zeros of the shape (2, {self.INPUT_SHAPE[0]}, {self.INPUT_SHAPE[1]}) it "
                f"raised {type(error).__name__}: {message}.",
                "Correct it, or set INPUT_SHAPE = (leads, samples) in its file.",
            ) from error
        if not isinstance(logits, Tensor) or tuple(logits.shape) != expected:
            came = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise UsageError(
                f"The module '{self._name}' does not give logits.",
                f"A tensor of the shape {expected} was expected, {came} came.",
                "Return one value per class, or set CLASSES in its file.",
            )
        return logits


def load(text: str) -> CustomArchitecture:
    """Run the user's file and return its module as an architecture.

    Args:
        text: ``path/to/model.py:function``.

    Raises:
        UsageError: There is no such file or function, the file cannot be run, or the function does
            not make a module for windows.
    """
    place, _, function = text.rpartition(":")
    path = Path(place)
    if not path.is_file() or path.suffix != ".py" or not function.isidentifier():
        raise UsageError(
            f"'{text}' names no function of a Python file.",
            f"There is {'a' if path.is_file() else 'no'} file '{place}', and '{function}' should "
            "be the name of a function in it.",
            "Write, for example: edgeecg compress path/to/model.py:build --data FOLDER",
        )
    digest = sha256(path)
    module = _run(path, digest)
    make = getattr(module, function, None)
    if not callable(make):
        raise UsageError(
            f"'{place}' has no function '{function}'.",
            f"After it was run, '{function}' is not there or cannot be called.",
            "Define it on the top level of the file: it takes no arguments and returns a module.",
        )
    origin = CustomModule(file=f"{path.resolve()}:{function}", sha256=digest)
    return CustomArchitecture(f"{path.stem}.{function}", make, vars(module), origin)


def _run(path: Path, digest: str) -> ModuleType:
    """Run a file as a module that may import what lies beside it."""
    # Dataclasses look their module up in sys.modules while the file runs. Nothing else of edgeecg
    # does; the name tells files apart, and two versions of one file.
    spec = importlib.util.spec_from_file_location(f"_edgeecg_custom_{digest}", path)
    if spec is None or spec.loader is None:
        raise UsageError(
            f"'{path}' cannot be run.",
            "Python has no loader for this kind of file.",
            "Give a file of Python source code, whose name ends in .py.",
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # Whatever the user's code raises means the same.
        raise UsageError(
            f"'{path}' cannot be run.",
            f"It raised {type(error).__name__}: {error}.",
            "Correct the file: 'python' should run it without an error.",
        ) from error
    finally:
        sys.path.remove(folder)
    return module


def _share_weights(first: nn.Module, second: nn.Module) -> bool:
    """Return whether two modules have a parameter in common, as an object."""
    known = {id(parameter) for parameter in first.parameters()}
    return any(id(parameter) in known for parameter in second.parameters())


def _check_constants(name: str, constants: dict[str, Any]) -> None:
    """Check the types of the constants in the user's file.

    Raises:
        UsageError: One of them has another type.
    """
    shape, classes = constants.get("INPUT_SHAPE"), constants.get("CLASSES")
    expected = {
        "INPUT_SHAPE": (
            "two positive integers (leads, samples)",
            shape is None or _is_shape(shape),
        ),
        "CLASSES": ("different names, as many as logits", classes is None or _are_names(classes)),
        "TASK": ("'beats' or 'records'", constants.get("TASK") in (None, *get_args(Task))),
    }
    for constant, (wanted, fits) in expected.items():
        if not fits:
            raise UsageError(
                f"{constant} of the module '{name}' cannot be used.",
                f"It should be {wanted}, and is {constants[constant]!r}.",
                f"Correct {constant} in its file, or leave it out.",
            )


def _is_shape(value: object) -> bool:
    if not isinstance(value, (tuple, list)):
        return False
    numbers = cast(Sequence[object], value)
    return len(numbers) == 2 and all(isinstance(each, int) and each > 0 for each in numbers)


def _are_names(value: object) -> bool:
    if not isinstance(value, (tuple, list)):
        return False
    names = cast(Sequence[object], value)
    return bool(names) and len(set(names)) == len(names) and all(isinstance(n, str) for n in names)


def _producers(model: nn.Module, logits: Tensor) -> tuple[str, ...]:
    """Return the layers whose outputs are the logits, but for pooling, sums and activations.

    Found by following the autograd graph back from the logits, to the first product with weights on
    each path.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found: dict[str, None] = {}
    seen: set[object] = set()

    def weights(node: Any) -> None:
        variable = getattr(node, "variable", None)
        if variable is not None:
            if id(variable) in names:
                found[names[id(variable)].rpartition(".")[0]] = None
        elif node.name().startswith(_AROUND_WEIGHTS):
            for before, _ in node.next_functions:
                if before is not None:
                    weights(before)

    def visit(node: Any) -> None:
        if node is None or node in seen:
            return
        seen.add(node)
        following = [before for before, _ in node.next_functions if before is not None]
        here = len(found)
        if node.name().startswith(_LAYERS):
            for before in following:
                weights(before)
        if len(found) == here:
            for before in following:
                visit(before)

    visit(logits.grad_fn)
    return tuple(found)
