"""Synthetic defects of many shapes, contents and edges.

Shape, content and blending are drawn independently, so that few of each make
many kinds of defects: blobs, scars and rectangles (CutPaste, Li et al. 2021;
DRAEM, Zavrtanik et al. 2021) filled with patches of other images, constant
colours, noise, the image itself in other light or blurred, with hard or soft
edges, opaque or not, with or without the seamless blending of NSA (Schlüter et
al. 2022).
"""

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from afgan_jax.augment.content import Smoothed, blur, draw_content
from afgan_jax.augment.noise import fractal_noise
from afgan_jax.augment.rectangle import log_uniform
from afgan_jax.config.schema import SHAPES
from afgan_jax.ops.filters import gradient_magnitude, smooth_map
from afgan_jax.ops.pixels import pixel_centers

# Smaller changes, of a range of 2, do not count as a defect.
_VISIBLE = 0.04


def mixture(
  key: jax.Array, image: jax.Array, other: jax.Array, options: ConfigDict
) -> tuple[jax.Array, jax.Array]:
  """Adds up to `options.max_defects` defects to an image.

  Args:
    key: a typed key.
    image: [size, size, 3], float32 in [-1, 1].
    other: another good image, the source of patches.
    options: `config.augmentation.mixture`, see `configs/default.py`.

  Returns:
    The augmented image, and a mask of the visibly changed pixels, bool
    [size, size], or, with `options.label_slope`, graded labels of the change,
    float32 [size, size] in [0, 1].
  """
  # Smoothed once: once per defect would double the time.
  low, other = blur(image), Smoothed(other, blur(other))
  count_key, key = jax.random.split(key)
  count = jax.random.randint(count_key, (), 1, options.max_defects + 1)

  def add(number: jax.Array, augmented: jax.Array) -> jax.Array:
    one_key = jax.random.fold_in(key, number)
    changed = add_defect(one_key, Smoothed(augmented, low), other, options)
    return jnp.where(number < count, changed, augmented)

  augmented = jax.lax.fori_loop(0, options.max_defects, add, image)
  if options.label_slope:
    return augmented, graded_change(
      image, augmented, options.label_slope, options.label_offset
    )
  return augmented, visible_change(image, augmented)


def add_defect(
  key: jax.Array, image: Smoothed, other: Smoothed, options: ConfigDict
) -> jax.Array:
  """Adds one defect to an image; options as in `mixture`."""
  keys = jax.random.split(key, 5)
  place = draw_place(keys[0], image.full, options.on_object)
  cover = draw_cover(keys[1], image.full.shape[0], place, options)
  content, content_low = draw_content(keys[2], image, other, options.contents)
  # Replaces the low frequencies of the content by those of the image (NSA).
  seamless = jax.random.bernoulli(keys[3], options.seamless)
  content += jnp.where(seamless, image.low - content_low, 0)
  opacity = jax.random.uniform(
    keys[4], minval=options.opacity[0], maxval=options.opacity[1]
  )
  blended = image.full + opacity * cover[..., None] * (content - image.full)
  return jnp.clip(blended, -1, 1)


def draw_place(key: jax.Array, image: jax.Array, on_object: float) -> jax.Array:
  """Draws the centre of a defect, preferably where the image has structure.

  Args:
    key: a typed key.
    image: [size, size, 3].
    on_object: probability that edges and texture are preferred; else all
      positions are equally likely.

  Returns:
    Row and column in pixels, float32 [2].
  """
  choice_key, cell_key, offset_key = jax.random.split(key, 3)
  size = image.shape[0]
  cell = max(size // 16, 1)
  cells = size // cell
  structure = gradient_magnitude(image.mean(axis=-1)[None])[0]
  structure = structure.reshape(cells, cell, cells, cell).mean(axis=(1, 3))
  chosen = jax.random.bernoulli(choice_key, on_object)
  weight = jnp.where(chosen, structure**2 + 1e-6, 1)
  index = jax.random.categorical(cell_key, jnp.log(weight).ravel())
  corner = jnp.stack([index // cells, index % cells]) * cell
  return corner + jax.random.uniform(offset_key, (2,)) * cell


def draw_cover(
  key: jax.Array, size: int, place: jax.Array, options: ConfigDict
) -> jax.Array:
  """Draws the coverage (alpha) of a defect.

  A shape is the region 1 − distance + noise > 0 in a frame that is rotated,
  stretched and, for scars, bent.

  Args:
    key: a typed key.
    size: side of the image in pixels.
    place: centre of the defect, row and column in pixels, [2].
    options: as in `mixture`.

  Returns:
    [size, size], in [0, 1].
  """
  keys = jax.random.split(key, 7)
  shape = jax.random.choice(
    keys[0], jnp.array([SHAPES.index(name) for name in options.shapes])
  )
  scar, box = shape == SHAPES.index('scar'), shape == SHAPES.index('rectangle')
  radius = size * log_uniform(keys[1], options.radius)
  stretch = jnp.where(
    scar,
    log_uniform(keys[2], (4.0, 16.0)),
    log_uniform(keys[2], (1.0, 3.0)),
  )
  # Half the length and half the width, at least about one pixel wide.
  length = radius * jnp.sqrt(stretch)
  width = jnp.maximum(radius / jnp.sqrt(stretch), 0.6)
  along, across = _rotated_frame(keys[3], size, place)
  bend = jax.random.uniform(keys[4], minval=-0.5, maxval=0.5)
  across += jnp.where(scar, bend * along**2 / length, 0)
  a, b = jnp.abs(along) / length, jnp.abs(across) / width
  distance = jnp.where(box, jnp.maximum(a, b), jnp.hypot(a, b))
  lumps = jnp.where(box | scar, 0.0, 0.5) * fractal_noise(keys[5], size)
  inside = (1 - distance + lumps) * width
  # Edges from one pixel wide (hard) to as wide as the defect.
  edge = 0.5 + jax.random.uniform(keys[6]) ** 2 * 0.5 * width
  return jnp.clip(0.5 + inside / (2 * edge), 0, 1)


def _rotated_frame(
  key: jax.Array, size: int, place: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns the pixels' distances from a place along two random axes."""
  angle = jax.random.uniform(key, maxval=jnp.pi)
  rows, columns = pixel_centers(size)
  dy, dx = rows - place[0], columns - place[1]
  along = jnp.cos(angle) * dx + jnp.sin(angle) * dy
  across = jnp.cos(angle) * dy - jnp.sin(angle) * dx
  return along, across


def visible_change(image: jax.Array, augmented: jax.Array) -> jax.Array:
  """Returns a mask of visible differences, bool [size, size]."""
  change, near = _changes(image, augmented)
  return (near > _VISIBLE) & (change > 0)


def graded_change(
  image: jax.Array, augmented: jax.Array, slope: float, offset: float
) -> jax.Array:
  """Labels pixels by the logistic function of their change, as NSA does.

  Args:
    image: [size, size, 3], in [-1, 1].
    augmented: of the same shape and range.
    slope: of the function, per grey level, above 0.
    offset: change in grey levels, from 0 to 255, that is labelled 0.5.

  Returns:
    float32 [size, size], in [0, 1]; exactly 0 where nothing changed.
  """
  change, near = _changes(image, augmented)
  label = jax.nn.sigmoid(slope * (127.5 * near - offset))
  return jnp.where(change > 0, label, 0)


def _changes(
  image: jax.Array, augmented: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns each pixel's change, of a range of 2, and that around it."""
  change = jnp.max(jnp.abs(augmented - image), axis=-1)
  # Averaged over neighbours, so that single pixels inside a defect that happen
  # to be almost unchanged belong to it.
  return change, smooth_map(change[None], sigma=1 / image.shape[0])[0]
