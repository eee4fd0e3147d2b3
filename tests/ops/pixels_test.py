import jax
import numpy as np

from afgan_jax.ops.pixels import to_bytes, to_float


def test_all_bytes_survive_and_the_ends_are_exact():
  levels = np.arange(256, dtype=np.uint8)
  values = jax.jit(to_float)(levels)
  assert values[0] == -1 and values[255] == 1
  np.testing.assert_allclose(values, levels / 127.5 - 1, atol=1e-6)
  np.testing.assert_array_equal(jax.jit(to_bytes)(values), levels)
