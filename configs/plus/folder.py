r"""The better recipe on your own folder of good images.

  python main.py --config=configs/plus/folder.py --config.data.path=my_images
  python main.py --config=configs/plus/folder.py:texture \
    --config.data.path=my_cloth

Images of a texture, such as cloth, cast metal or wood, are cut into squares of
one scale; one part in many directions is turned to one; other objects are seen
as they are. The good images tell which they show. The word after the colon
says that it is a texture, and reduces it to half.
"""

from ml_collections import ConfigDict

from configs import folder
from configs.plus import recipe


def get_config(kind: str = '') -> ConfigDict:
  """Returns the configuration.

  Args:
    kind: of the images, 'texture'; or nothing.

  Raises:
    ValueError: if it is anything else.
  """
  if kind not in ('', 'texture'):
    raise ValueError(
      f"there is no kind of images {kind!r}: give 'texture' or nothing"
    )
  config = recipe.improve(folder.get_config())
  if kind:
    config.update(recipe.TEXTURE_FIELDS)
  return config
