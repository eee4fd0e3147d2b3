"""Evaluates the part of a program that depends on constants alone."""

from typing import Any

import jax
import numpy as np
from jax.extend import core

from afgan_jax.export.onnx.flatten import LOOPS, Program, literal
from afgan_jax.export.onnx.value import Unsupported

# The number of images is known when the model runs.
_UNKNOWN = (*LOOPS, 'dim_as_value')


def fold(program: Program) -> Program:
  """Evaluates all equations whose operands are known, such as those of norms.

  Args:
    program: from `flatten`.

  Returns:
    The program without these equations, their results as constants.
  """
  known = set(program.constants)
  folded, kept = [], []
  for equation in program.equations:
    if _is_known(equation, known):
      known.update(equation.outvars)
      folded.append(equation)
    else:
      kept.append(equation)
  needed = _needed(known, kept, program.outputs)
  computed = [var for var in needed if var not in program.constants]
  constants = {
    var: _to_array(program.constants[var])
    for var in needed
    if var in program.constants
  }
  constants |= _evaluate(program, folded, computed)
  return Program(program.inputs, program.outputs, kept, constants)


def _is_known(equation: core.JaxprEqn, known: set[core.Var]) -> bool:
  """Returns True if the results of an equation are arrays known beforehand."""
  if equation.effects or equation.primitive.name in _UNKNOWN:
    return False
  return all(
    isinstance(atom, core.Literal) or atom in known for atom in equation.invars
  ) and all(
    all(isinstance(length, int) for length in var.aval.shape)
    and not _is_key(var.aval)
    for var in equation.outvars
  )


def _is_key(array: Any) -> bool:
  """Returns True for keys of random numbers, which are no plain arrays."""
  return jax.dtypes.issubdtype(array.dtype, jax.dtypes.extended)


def _to_array(value: Any) -> np.ndarray:
  if _is_key(value):
    raise Unsupported('its score draws random numbers')
  return np.asarray(value)


def _needed(
  known: set[core.Var], kept: list[core.JaxprEqn], outputs: list[Any]
) -> list[core.Var]:
  """Returns the known variables that the rest of a program reads."""
  read = [atom for equation in kept for atom in equation.invars] + outputs
  return list(
    dict.fromkeys(
      atom
      for atom in read
      if not isinstance(atom, core.Literal) and atom in known
    )
  )


def _evaluate(
  program: Program, equations: list[core.JaxprEqn], wanted: list[core.Var]
) -> dict[core.Var, np.ndarray]:
  """Evaluates equations of constants in one compiled function."""
  if not wanted:
    return {}
  used, needed = [], set(wanted)
  for equation in reversed(equations):
    if needed.intersection(equation.outvars):
      used.insert(0, equation)
      needed.update(
        atom for atom in equation.invars if not isinstance(atom, core.Literal)
      )
  inputs = [var for var in program.constants if var in needed]

  def compute(arrays: list[Any]) -> list[Any]:
    env = dict(zip(inputs, arrays, strict=True))
    for equation in used:
      values = [
        literal(atom) if isinstance(atom, core.Literal) else env[atom]
        for atom in equation.invars
      ]
      results = equation.primitive.bind(*values, **equation.params)
      several = equation.primitive.multiple_results
      results = results if several else [results]
      env.update(zip(equation.outvars, results, strict=True))
    return [env[var] for var in wanted]

  results = jax.jit(compute)([program.constants[var] for var in inputs])
  return dict(zip(wanted, map(np.asarray, results), strict=True))
