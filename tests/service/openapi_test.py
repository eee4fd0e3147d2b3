"""The description of the interface is that of the routes."""

import re

from afgan_jax.service.app import routes
from tests.support.service import DESCRIPTION, running


def test_each_route_is_described_and_no_other():
  described = {
    (method.upper(), path)
    for path, operations in DESCRIPTION['paths'].items()
    for method in operations
  }
  assert described == set(routes())


def test_each_parameter_of_a_path_is_described():
  for path, operations in DESCRIPTION['paths'].items():
    for operation in operations.values():
      given = {
        parameter['name']
        for parameter in operation.get('parameters', ())
        if parameter['in'] == 'path'
      }
      assert given == set(re.findall(r'\{(\w+)\}', path)), path


def references(value):
  if isinstance(value, dict):
    yield from [value['$ref']] if '$ref' in value else []
    for item in value.values():
      yield from references(item)
  elif isinstance(value, list):
    for item in value:
      yield from references(item)


def test_each_reference_leads_somewhere():
  schemas = DESCRIPTION['components']['schemas']
  found = {name.rpartition('/')[2] for name in references(DESCRIPTION)}
  assert found == set(schemas)


def test_open_routes_say_so():
  open_paths = {
    path
    for path, operations in DESCRIPTION['paths'].items()
    for operation in operations.values()
    if operation.get('security') == []
  }
  assert {'/', '/page.js', '/v2/health/live', '/v2/health/ready'} <= open_paths
  closed = set(DESCRIPTION['paths']) - open_paths
  assert {'/predict', '/api/models', '/admin/reload', '/metrics'} <= closed
  assert all('.' in path or '/v2/h' in path for path in open_paths - {'/'})


def test_it_is_served(tmp_path):
  with running(tmp_path) as client:
    answer = client.send('GET', '/openapi.json').json()
  assert answer == DESCRIPTION and answer['openapi'] == '3.1.0'
