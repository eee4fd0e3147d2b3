"""Finds the versions of packages that results depend on."""

import importlib.metadata

import afgan_jax

_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')


def installed_versions(*others: str) -> dict[str, str]:
  """Returns the versions of this program and of the packages under it.

  Args:
    *others: further packages.

  Returns:
    Versions by package; those that are not installed are left out.
  """
  versions = {'afgan-jax': afgan_jax.__version__}
  for package in (*_PACKAGES, *others):
    try:
      versions[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      continue
  return versions
