"""Inlines the nested functions of a JAX program."""

import dataclasses
from typing import Any

import numpy as np
from jax.extend import core

# Operations that only call a function, by their names in several releases.
# Others, such as reductions, have a function among their parameters as well.
_CALLS = (
  *('jit', 'pjit', 'closed_call', 'core_call', 'core_closed_call'),
  *('checkpoint', 'remat', 'remat2', 'custom_jvp_call'),
  *('custom_vjp_call', 'custom_vjp_call_jaxpr'),
)
_CALLED = ('jaxpr', 'call_jaxpr', 'fun_jaxpr')
LOOPS = ('scan', 'while', 'cond')


@dataclasses.dataclass
class Program:
  """A program of basic operations and loops.

  Attributes:
    inputs: its variables.
    outputs: variables or literals.
    equations: in the order of execution.
    constants: arrays by variable.
  """

  inputs: list[core.Var]
  outputs: list[Any]
  equations: list[core.JaxprEqn]
  constants: dict[core.Var, Any]


def flatten(closed: core.ClosedJaxpr) -> Program:
  """Inlines all calls of a program.

  Of the implementations by platform the default one is taken, which is the
  plain form; the others are made for JAX.

  Args:
    closed: from `jax.make_jaxpr`.

  Returns:
    The program, with new variables.
  """
  inputs = [core.Var(var.aval) for var in closed.jaxpr.invars]
  program = Program(inputs, [], [], {})
  program.outputs = _inline(program, closed, inputs)
  program.equations = _used(program)
  return program


def _used(program: Program) -> list[core.JaxprEqn]:
  """Returns the equations whose results are read."""
  read, used = set(map(id, program.outputs)), []
  for equation in reversed(program.equations):
    if any(id(var) in read for var in equation.outvars):
      used.append(equation)
      read.update(map(id, equation.invars))
  return used[::-1]


def _inline(program: Program, function: Any, arguments: list[Any]) -> list[Any]:
  """Adds the equations of a function and returns its outputs."""
  jaxpr = getattr(function, 'jaxpr', function)
  known: dict[core.Var, Any] = dict(zip(jaxpr.invars, arguments, strict=True))
  for var, value in zip(
    jaxpr.constvars, getattr(function, 'consts', ()), strict=True
  ):
    known[var] = core.Var(var.aval)
    program.constants[known[var]] = value

  def read(atom: Any) -> Any:
    return atom if isinstance(atom, core.Literal) else known[atom]

  for equation in jaxpr.eqns:
    operands = [read(atom) for atom in equation.invars]
    called, operands = _called(equation, operands)
    if called is None and _is_empty(equation):
      results = [core.Var(var.aval) for var in equation.outvars]
      program.constants.update(map(_nothing, results))
    elif called is None:
      results = [core.Var(var.aval) for var in equation.outvars]
      program.equations.append(
        equation.replace(invars=operands, outvars=results)
      )
    else:
      results = _inline(program, called, operands)
    known.update(zip(equation.outvars, results, strict=True))
  return [read(atom) for atom in jaxpr.outvars]


def _called(
  equation: core.JaxprEqn, operands: list[Any]
) -> tuple[Any, list[Any]]:
  """Returns the function that an equation calls, or None, and its operands."""
  name, params = equation.primitive.name, equation.params
  platforms = params.get('branches_platforms')
  if name == 'cond' and platforms is not None:
    default = platforms.index(None) if None in platforms else -1
    return params['branches'][default], operands[1:]
  if name not in _CALLS:
    return None, operands
  return next(params[key] for key in _CALLED if key in params), operands


def _is_empty(equation: core.JaxprEqn) -> bool:
  """Returns True if the results have no elements, as an edge of width 0."""
  return all(0 in var.aval.shape for var in equation.outvars)


def _nothing(var: core.Var) -> tuple[core.Var, np.ndarray]:
  """Returns a variable with an array of its rank without elements."""
  shape = [n if isinstance(n, int) else 0 for n in var.aval.shape]
  return var, np.zeros(shape, var.aval.dtype)


def literal(atom: core.Literal) -> np.ndarray:
  """Returns the value of a literal as an array."""
  return np.asarray(atom.val, atom.aval.dtype)
