"""Types of arrays with their shapes, checked when the tests run.

Axes of equal name have equal length within a call. Without the check, arrays of
different shapes would be broadcast in silence.
"""

from typing import TYPE_CHECKING

import jax
import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
  _Array = jax.Array
else:  # NumPy's arrays are accepted, too.
  _Array = jax.Array | np.ndarray

Scalar = Float[_Array, '']
# One number for each image.
Values = Float[_Array, 'batch']
Examples = Float[_Array, 'batch *shape']
Vectors = Float[_Array, 'batch features']
Images = Float[_Array, 'batch height width channels']
Maps = Float[_Array, 'batch height width']
Masks = Bool[_Array, 'batch height width']
