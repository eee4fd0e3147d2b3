import pathlib

import pytest
from absl import flags
from ml_collections import config_flags

from afgan_jax.cli import flags as command_line


# ml_collections imports config files in an old way.
@pytest.mark.filterwarnings('ignore:the load_module:DeprecationWarning')
@pytest.mark.parametrize(
  ('config', 'folder'),
  [
    ('configs/screw.py', 'screw'),
    ('configs/paper/tables.py', 'tables'),
    ('configs/paper/state_4.py:metal_nut', 'state_4_metal_nut'),
  ],
)
def test_a_run_is_named_after_its_config(monkeypatch, config, folder):
  values = flags.FlagValues()
  config_flags.DEFINE_config_file('config', flag_values=values)
  values(['main.py', f'--config={config}'])
  monkeypatch.setattr(flags, 'FLAGS', values)
  assert command_line.default_workdir() == pathlib.Path('runs') / folder
